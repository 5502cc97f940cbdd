package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// table is a head and rows of as many cells.
type table [][]string

func (t table) text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range t {
		fmt.Fprintln(w, strings.Join(row, "\t")+"\t")
	}
	w.Flush()
	return b.String()
}

func (t table) markdown() string {
	var b strings.Builder
	for i, row := range t {
		fmt.Fprintln(&b, "| "+strings.Join(row, " | ")+" |")
		if i == 0 {
			fmt.Fprintln(&b, strings.Repeat("|---", len(row))+"|")
		}
	}
	return b.String()
}

// table has a line for each program: medians, and how many times as much as it
// ours takes, pair by pair: median, least and most.
func (r results) table() table {
	t := table{{"case", "program", "wall ms", "CPU ms", "memory MB", "ours / its wall", "ours / its CPU"}}
	for _, c := range r {
		for i, p := range c.programs {
			row := []string{"", p.name, number(spreadOf(c.wall[i]).median), number(spreadOf(c.cpu[i]).median),
				number(spreadOf(c.memory[i]).median), "", ""}
			if i == 0 {
				row[0] = c.name
			} else {
				row[5], row[6] = ratios(c.wall[0], c.wall[i]), ratios(c.cpu[0], c.cpu[i])
			}
			t = append(t, row)
		}
	}
	return t
}

// ratios are those of pairs that ran one after the other.
func ratios(a, b []float64) string {
	var all []float64
	for i := range min(len(a), len(b)) {
		all = append(all, a[i]/b[i])
	}
	s := spreadOf(all)
	return fmt.Sprintf("%s (%s to %s)", number(s.median), number(s.least), number(s.most))
}

// number has the digits that matter.
func number(n float64) string {
	switch {
	case n >= 100:
		return fmt.Sprintf("%.0f", n)
	case n >= 10:
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.2f", n)
}
