package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// program is one way to make a check.
type program struct {
	name string
	args []string // its file first
	runs int      // at the most; 0 is as many as asked for
	// judge tells what is wrong with what it said; nil where that does not matter.
	judge func(stdout string) error
}

// timeProgram reads off the memory. A process begins with the high-water mark of
// the one that starts it, and this one's is far above all that is measured.
const timeProgram = "/usr/bin/time"

// times runs a program once, and gives its times in milliseconds.
func (w *world) times(p program) (wall, cpu float64, err error) {
	cmd := exec.Command(p.args[0], p.args[1:]...)
	r, err := w.near.Run(cmd)
	if err != nil {
		return 0, 0, err
	}
	if p.judge != nil {
		if err := p.judge(r.Stdout); err != nil {
			return 0, 0, fmt.Errorf("%s: %w: %.300s", p.name, err, r.Stdout)
		}
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return milliseconds(r.Took), milliseconds(time.Duration(usage.Utime.Nano() + usage.Stime.Nano())), nil
}

// memory runs a program once, and gives its largest resident set in millions of
// bytes.
func (w *world) memory(p program) (float64, error) {
	file := w.path("memory")
	if _, err := w.near.Run(exec.Command(timeProgram, append([]string{"-q", "-f", "%M", "-o", file}, p.args...)...)); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	kib, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	return kib * 1024 / 1e6, err
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// spread is the median of some numbers, and how far they lie apart.
type spread struct{ median, least, most float64 }

func spreadOf(numbers []float64) spread {
	s := slices.Sorted(slices.Values(numbers))
	n := len(s)
	if n == 0 {
		return spread{}
	}
	return spread{(s[(n-1)/2] + s[n/2]) / 2, s[0], s[n-1]}
}
