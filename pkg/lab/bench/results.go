package main

import (
	"fmt"
	"io"
	"math"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// result is what came of one contest, in the order of its programs.
type result struct {
	contest
	wall, cpu, memory [][]float64
	// off is by how many milliseconds the round-trip average of ours was another
	// than that which fping saw meanwhile, in each run.
	off []float64
}

type results []result

// memoryRuns is how often memory is measured: it hardly varies.
const memoryRuns = 3

func (w *world) playAll(out io.Writer, runs int, only string) (all results, err error) {
	for _, c := range w.contests() {
		if !strings.Contains(c.name, only) {
			continue
		}
		fmt.Fprintf(out, "%s ...\n", c.name)
		r, err := w.play(c, runs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		all = append(all, r)
	}
	return all, nil
}

func (w *world) play(c contest, runs int) (result, error) {
	n := len(c.programs)
	r := result{contest: c, wall: make([][]float64, n), cpu: make([][]float64, n), memory: make([][]float64, n)}
	if err := w.enter(c.path, c.raw); err != nil {
		return r, err
	}
	for run := range max(runs, memoryRuns) {
		for i, p := range c.programs {
			if run < memoryRuns { // which warms up, too
				m, err := w.memory(p)
				if err != nil {
					return r, err
				}
				r.memory[i] = append(r.memory[i], m)
			}
			if run >= runs || p.runs > 0 && run >= p.runs {
				continue
			}
			wall, cpu, err := w.times(p)
			if err != nil {
				return r, err
			}
			r.wall[i], r.cpu[i] = append(r.wall[i], wall), append(r.cpu[i], cpu)
		}
		if c.watched && run < c.programs[0].runs {
			off, err := w.watch(c.programs[0])
			if err != nil {
				return r, err
			}
			r.off = append(r.off, off)
		}
	}
	return r, nil
}

// watch runs a check while fping watches another machine at the same place, and
// gives the difference of their round-trip averages.
func (w *world) watch(p program) (float64, error) {
	seen := make(chan float64)
	go func() {
		defer close(seen)
		// Its answers are on stderr.
		r, err := w.near.Run(exec.Command("/usr/bin/fping", "-q", "-c", "50", "-p", "25", "-t", "1000", witness))
		if m := average.FindStringSubmatch(r.Stderr); err == nil && m != nil {
			ms, _ := strconv.ParseFloat(m[1], 64)
			seen <- ms
		}
	}()
	cmd := exec.Command(p.args[0], p.args[1:]...)
	said, err := w.near.Run(cmd)
	truth, ok := <-seen
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return 0, fmt.Errorf("fping has seen nothing")
	}
	return math.Abs(totalsOf(said.Stdout).rta - truth), nil
}

var average = regexp.MustCompile(`min/avg/max = [0-9.]+/([0-9.]+)/`)

func totalsOf(stdout string) (t totals) {
	_, perfdata, _ := strings.Cut(stdout, " | ")
	for field := range strings.FieldsSeq(perfdata) {
		fmt.Sscanf(field, "far_up=%d;", &t.up)
		fmt.Sscanf(field, "loss=%f%%;", &t.loss)
		fmt.Sscanf(field, "rta=%fms;", &t.rta)
	}
	return t
}
