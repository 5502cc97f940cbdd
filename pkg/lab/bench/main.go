// Command bench measures the plugins beside check_icmp and fping, as whole processes
// in turn, over the same way through the laboratory, and prints the table of the
// README; or it counts the false alarms of both over a lossy tunnel. It wants the
// plugins in bin/. It fails if a check says what is not so; what a check takes is for
// people to judge.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"checkvpn/pkg/lab"
)

func main() {
	runs := flag.Int("runs", 4, "how often each program runs in a case")
	only := flag.String("only", "", "cases whose name contains this")
	checks := flag.Int("false-alarms", 0, "in place of that, count them in so many checks of one host, and a third of fourteen")
	flag.Parse()
	lab.Main(func() int {
		measure := func() error { return run(os.Stdout, *runs, *only) }
		if *checks > 0 {
			measure = func() error { return falseAlarms(*checks) }
		}
		if err := measure(); err != nil {
			fmt.Println(err)
			return 1
		}
		return 0
	})
}

// contest is programs that make the same check under the same conditions, in turn.
type contest struct {
	name     string
	lost     int      // the request of this number is lost, and each that is a multiple
	programs []string // command lines
	says     string   // what ours must say
	code     int      // and its exit code
}

const (
	rtt      = 20 * time.Millisecond
	deadHost = "198.18.200.1" // nobody has it

	dr          = "bin/check_vpn_dr --perfdata=totals -H "
	checkICMP   = "/usr/lib/nagios/plugins/check_icmp"
	fivePackets = " -n 5 -w 100,20% -c 500,60% "
)

// targets are far addresses that answer.
func targets(count int) string {
	var all []string
	for n := range count {
		all = append(all, fmt.Sprintf("198.18.%d.%d", 1+n/250, 1+n%250))
	}
	return strings.Join(all, " ")
}

// contests are each made as it is used: five packets, and the same limits.
func contests(printer string) []contest {
	checks := func(targets string) []string {
		return []string{
			dr + strings.ReplaceAll(targets, " ", " -H "),
			checkICMP + fivePackets + targets,
			"/usr/bin/fping -c5 -p80 -i1 " + targets,
		}
	}
	healthy := func(name string, count int) contest {
		return contest{name: name, programs: checks(targets(count)), says: fmt.Sprintf("far_up=%d;;;0;%[1]d loss=0%%", count)}
	}
	lossy := healthy("14 targets, one packet lost", 14)
	lossy.lost, lossy.says = 50, "far_up=14;"
	return []contest{
		healthy("1 target", 1), lossy, healthy("100 targets", 100), healthy("1,000 targets", 1000),
		{name: "a dead target", programs: checks(deadHost), says: "CRITICAL", code: 2},
		{name: "-V", programs: []string{"bin/check_vpn_dr -V", checkICMP + " -V", "/usr/bin/fping -v"}, says: "check_vpn_dr", code: 3},
		{name: "a Go program that prints a line", programs: []string{printer}, says: "hello"},
	}
}

func run(out io.Writer, runs int, only string) error {
	w, err := newWorld()
	if err != nil {
		return err
	}
	defer w.close()
	fmt.Fprintf(out, "Whole processes in turn, check_vpn_dr / check_icmp / fping; %v there and back; least of %d runs.\n\n", rtt, runs)
	fmt.Fprint(out, "| case | wall ms | CPU ms | memory MB |\n|---|---|---|---|\n")
	for _, c := range contests(w.dir + "/printer") {
		if !strings.Contains(c.name, only) {
			continue
		}
		// The least of the runs: what else the host does can only add to them.
		wall, cpu, memory := make([]float64, len(c.programs)), make([]float64, len(c.programs)), make([]float64, len(c.programs))
		for run := range runs {
			for i, p := range c.programs {
				w.SetBoth(w.Near, w.Far, lab.Conditions{Delay: rtt / 2})
				w.Set(w.Near, w.Far, lab.Conditions{Delay: rtt / 2, DropEvery: c.lost})
				took, busy, r, err := w.measure(strings.Fields(p))
				if run == 0 && err == nil {
					memory[i], err = w.memory(strings.Fields(p))
				}
				if err == nil && i == 0 && (r.Code != c.code || !strings.Contains(r.Stdout, c.says)) {
					err = fmt.Errorf("it should say %q with exit code %d: %.300s%s", c.says, c.code, r.Stdout, r.Stderr)
				}
				if err != nil {
					return fmt.Errorf("%s: %.40s: %w", c.name, p, err)
				}
				if run == 0 {
					wall[i], cpu[i] = took, busy
				}
				wall[i], cpu[i] = min(wall[i], took), min(cpu[i], busy)
			}
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", c.name, joined(wall), joined(cpu), joined(memory))
	}
	if !strings.Contains("Icinga 2", only) {
		return nil
	}
	return icingaTable(out, w)
}

// icingaTable is what a daemon comes to, with a program that does nothing too: what
// that costs is Icinga's own.
func icingaTable(out io.Writer, w *world) error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	var checks, median, latest, cpu []float64
	for _, program := range []string{here + "/" + dr + "$address$", checkICMP + fivePackets + "$address$", "/bin/true"} {
		h, err := w.underIcinga(program)
		if err != nil {
			return fmt.Errorf("%s under Icinga 2: %w", program, err)
		}
		checks, median = append(checks, h.checks), append(median, h.median)
		latest, cpu = append(latest, h.latest), append(cpu, h.cpu)
	}
	fmt.Fprintf(out, "\n| Icinga 2: %d targets every %v | checks a second | late by ms | at most | %% of one processor |\n|---|---|---|---|---|\n", tunnels, interval)
	fmt.Fprintf(out, "| check_vpn_dr / check_icmp / true | %s | %s | %s | %s |\n", joined(checks), joined(median), joined(latest), joined(cpu))
	return nil
}

func joined(numbers []float64) string {
	var all []string
	for _, n := range numbers {
		all = append(all, number(n))
	}
	return strings.Join(all, " / ")
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
