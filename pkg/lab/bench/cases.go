package main

import (
	"fmt"
	"time"

	"checkvpn/pkg/lab"
)

// contest is programs that make the same check under the same conditions, in
// turn. Ours comes first.
type contest struct {
	name     string
	path     lab.Conditions
	raw      bool // unprivileged ICMP is not allowed
	programs []program
	// watched tells that fping watches the round-trip time meanwhile.
	watched bool
}

// The programs.
const (
	ours      = "check_vpn_dr"
	largest   = "check_vpn_office"
	checkICMP = "check_icmp"
	checkPing = "check_ping"
	fping     = "fping"
	goProgram = "Go, prints a line"
)

const plugins = "/usr/lib/nagios/plugins/"

// Names of cases whose figures are bounded.
const (
	startUp    = "-V"
	deadTarget = "a dead target"
)

func nameOf(targets int, rtt time.Duration, raw bool) string {
	name := fmt.Sprintf("%d targets, %d ms", targets, rtt.Milliseconds())
	if targets == 1 {
		name = fmt.Sprintf("1 target, %d ms", rtt.Milliseconds())
	}
	if raw {
		name += ", raw"
	}
	return name
}

func (w *world) contests() []contest {
	all := []contest{{name: startUp, programs: []program{
		{name: largest, args: []string{"bin/" + largest, "-V"}},
		{name: goProgram, args: []string{w.path("printer")}},
		{name: checkICMP, args: []string{plugins + checkICMP, "-V"}},
		{name: checkPing, args: []string{plugins + checkPing, "-V"}},
		{name: fping, args: []string{"/usr/bin/fping", "-v"}},
	}}}
	for _, ms := range []time.Duration{1, 20, 100} {
		for _, n := range []int{1, 10, 100, most} {
			rtt := ms * time.Millisecond
			all = append(all, w.healthy(n, rtt, false))
			if ms == 20 && n >= 100 {
				all = append(all, w.healthy(n, rtt, true))
			}
		}
	}
	for _, n := range []int{1, 100} {
		all = append(all, contest{
			name:     nameOf(n, 20*time.Millisecond, false) + ", 1% loss",
			path:     lab.Conditions{Delay: 10 * time.Millisecond, Loss: .005},
			programs: w.checks(w.targets[:n], nil),
		})
	}
	return append(all, contest{name: deadTarget, programs: w.checks([]string{dead}, nil)})
}

func (w *world) healthy(targets int, rtt time.Duration, raw bool) contest {
	return contest{
		name:     nameOf(targets, rtt, raw),
		path:     lab.Conditions{Delay: rtt / 2},
		raw:      raw,
		programs: w.checks(w.targets[:targets], answered(targets)),
		watched:  targets == most,
	}
}

// checks are the ways to check targets, each as it is used: five packets, and
// the same limits.
func (w *world) checks(targets []string, judge func(string) error) []program {
	slow := 0
	if len(targets) >= 100 && judge == nil || len(targets) == most {
		slow = 5 // check_icmp waits ten seconds for a packet that is lost
	}
	limits := []string{"-w", "100,20%", "-c", "500,60%"}
	far := []string{"bin/" + ours, "--perfdata=totals"}
	for _, t := range targets {
		far = append(far, "-H", t)
	}
	all := []program{
		{name: ours, args: far, judge: judge, runs: slow},
		{name: checkICMP, args: append(append([]string{plugins + checkICMP, "-n", "5"}, limits...), targets...), runs: slow},
		{name: fping, args: append([]string{"/usr/bin/fping", "-c5", "-p80", "-i1"}, targets...), runs: slow},
	}
	if len(targets) == 1 {
		all = append(all, program{name: checkPing, args: append([]string{plugins + checkPing, "-p", "5", "-H", targets[0]}, limits...), runs: 3})
	}
	return all
}

// totals are the figures of all targets in the perfdata of a check.
type totals struct {
	up        int
	loss, rta float64 // percent, milliseconds
}

// answered judges what is said of targets that all answer.
func answered(targets int) func(string) error {
	return func(stdout string) error {
		if t := totalsOf(stdout); t.up != targets || t.loss != 0 {
			return fmt.Errorf("%d of %d targets up and %g%% loss, where all answer", t.up, targets, t.loss)
		}
		return nil
	}
}
