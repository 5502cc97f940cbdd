package main

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// bounds are what we want to hold: ratios of medians, of one run of all.
func (r results) bounds() (table, error) {
	t := table{{"what", "bound", "measured", "holds"}}
	add := func(what string, measured, bound float64, unit string) {
		holds := "yes"
		if measured > bound {
			holds = "no"
		}
		t = append(t, []string{what, "at most " + number(bound) + unit, number(measured) + unit, holds})
	}
	const times = " times"
	rtt := 20 * time.Millisecond

	one := r.of(nameOf(1, rtt, false))
	add("1 target: wall, of check_icmp's", one.wallOf(checkICMP), 1, times)
	add("1 target: CPU, of check_icmp's", one.cpuOf(checkICMP), 3, times)
	add("1 target: memory", spreadOf(one.memory[0]).median, 16, " MB")

	for _, raw := range []bool{false, true} {
		how := "unprivileged"
		if raw {
			how = "raw"
		}
		hundred, thousand := r.of(nameOf(100, rtt, raw)), r.of(nameOf(most, rtt, raw))
		add("100 targets, "+how+": wall, of check_icmp's", hundred.wallOf(checkICMP), 1, times)
		add("100 targets, "+how+": wall, of fping's", hundred.wallOf(fping), 1, times)
		add("100 targets, "+how+": CPU, of fping's", hundred.cpuOf(fping), 1, times)
		add("100 targets, "+how+": CPU, of check_icmp's", hundred.cpuOf(checkICMP), 4, times)
		add("1,000 targets, "+how+": wall", spreadOf(thousand.wall[0]).median, 3000, " ms")
		add("1,000 targets, "+how+": memory", spreadOf(thousand.memory[0]).median, 48, " MB")
		add("1,000 targets, "+how+": CPU, of that for 100", spreadOf(thousand.cpu[0]).median/spreadOf(hundred.cpu[0]).median, 12, times)
		add("1,000 targets, "+how+": round-trip average, off by", spreadOf(thousand.off).median, 3, " ms")
	}
	deadOnes := r.of(deadTarget)
	add("dead target: wall, of check_icmp's", deadOnes.wallOf(checkICMP), .5, times)
	add("dead target: wall, of check_ping's", deadOnes.wallOf(checkPing), 1./6, times)
	add("-V: wall, of that of a Go program that prints a line", r.of(startUp).wallOf(goProgram), 1.5, times)
	for _, name := range []string{"check_vpn_office", "check_vpn_dr", "check_vpn_licensing"} {
		info, err := os.Stat("bin/" + name)
		if err != nil {
			return nil, err
		}
		add("size of "+name, float64(info.Size())/1e6, 8, " MB")
	}
	return t, nil
}

func (r results) of(name string) result {
	i := slices.IndexFunc(r, func(c result) bool { return c.name == name })
	if i < 0 {
		panic(fmt.Sprintf("no case %q", name))
	}
	return r[i]
}

// wallOf and cpuOf are ours against another program's.
func (c result) wallOf(name string) float64 { return c.against(name, c.wall) }
func (c result) cpuOf(name string) float64  { return c.against(name, c.cpu) }

func (c result) against(name string, figures [][]float64) float64 {
	i := slices.IndexFunc(c.programs, func(p program) bool { return p.name == name })
	return spreadOf(figures[0]).median / spreadOf(figures[i]).median
}
