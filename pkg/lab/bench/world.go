package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"checkvpn/pkg/lab"
)

// world is two sites without a tunnel: to encrypt would take more of two cores than
// what is measured. At the far one a whole network answers.
type world struct {
	*lab.Pair
	dir string // for what is built
}

func newWorld() (_ *world, err error) {
	w := &world{}
	if w.dir, err = os.MkdirTemp("", "check-vpn-bench-"); err != nil {
		return nil, err
	}
	if w.Pair, err = lab.NewPair(lab.Kind{}); err != nil {
		return nil, err
	}
	return w, errors.Join(w.buildPrinter(), w.Far.Gateway.Tool("ip", "route", "add", "local", "198.18.0.0/17", "dev", "lo"))
}

func (w *world) close() error { return errors.Join(w.Close(), os.RemoveAll(w.dir)) }

// buildPrinter builds the program that start-up is compared to, as the plugins are
// built.
func (w *world) buildPrinter() error {
	source := w.dir + "/printer.go"
	if err := os.WriteFile(source, []byte("package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n"), 0o644); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", w.dir+"/printer", source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build a program that prints a line: %w: %s", err, text)
	}
	return nil
}

// measure runs a program, and gives how long it took and its processor time, in
// milliseconds.
func (w *world) measure(args []string) (wall, cpu float64, r lab.Result, err error) {
	cmd := exec.Command(args[0], args[1:]...)
	if r, err = w.Near.Run(cmd); err != nil {
		return 0, 0, r, err
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return r.Took.Seconds() * 1000, float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e6, r, nil
}

// memory runs a program once more, for its largest resident set. A process begins
// with the high-water mark of the one that starts it, and this one's is far above all
// that is measured; that of time is small.
func (w *world) memory(args []string) (megabytes float64, err error) {
	file := w.dir + "/memory"
	if _, err := w.Near.Run(exec.Command("/usr/bin/time", append([]string{"-q", "-f", "%M", "-o", file}, args...)...)); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	kib, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	return kib * 1024 / 1e6, err
}
