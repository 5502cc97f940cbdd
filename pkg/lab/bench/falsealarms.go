package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"checkvpn/pkg/lab"
)

// How often a check alarms over a healthy tunnel that loses packets now and then, for
// the plugin and for check_icmp side by side, with the same limits. Here packets are
// lost by chance, for odds are the subject: it says by which chance a run is red
// although the plugin is as good as it should be.

// row is one line of the table: so many checks of some hosts over a tunnel that
// loses packets, and what came of them.
type row struct {
	program string
	hosts   int
	each    float64 // lost each way, 0 to 1
	checks  int
	right   bool // an alarm is right

	mu              sync.Mutex
	alarms, packets int
	loss            float64 // sum of the reported losses, percent
	took            time.Duration
	first           string // what the first alarm said
}

// expected is the chance of an alarm in one check over a way that loses 2% each way
// or less: more than make odds finds for one host and for fourteen.
const expected = 0.0001

// red is the chance that a row is red by chance alone; there are six of alarms and
// two of loss.
const red = 1e-6

// allowed is how many alarms of so many checks are more seldom exceeded than that
// (by Poisson's distribution).
func allowed(checks int) (limit int) {
	mean := float64(checks) * expected
	term, tail := math.Exp(-mean), 1-math.Exp(-mean)
	for tail > red {
		limit++
		term *= mean / float64(limit)
		tail -= term
	}
	return limit
}

// off is how far the mean of the reported loss may be from the truth, in points: five
// standard deviations, of the first five packets to each host.
func (r *row) off(truth float64) float64 {
	return 5 * math.Sqrt(truth*(100-truth)/float64(5*r.hosts*r.checks))
}

func rows(checks int) (list []*row) {
	for _, each := range []float64{0, .01, .02} {
		list = append(list,
			&row{program: "check_vpn_dr", hosts: 1, each: each, checks: checks},
			&row{program: "check_icmp", hosts: 1, each: each, checks: checks, right: true},
			&row{program: "check_vpn_dr", hosts: 14, each: each, checks: max(1, checks/3)})
	}
	// 20% each way are 36% of the round trips: there the alarms are right, and the
	// reported loss is looked at.
	const lossy = 200
	return append(list,
		&row{program: "check_vpn_dr", hosts: 1, each: .2, checks: min(checks, lossy), right: true},
		&row{program: "check_vpn_dr", hosts: 14, each: .2, checks: min(checks, lossy), right: true})
}

func falseAlarms(checks int) error {
	p, err := lab.NewPair(lab.WireGuard)
	if err != nil {
		return err
	}
	defer p.Close()
	fmt.Printf("-w 100,20%% -c 500,60%%, 5 packets to each host at first, 20 ms there and back.\n"+
		"A run of a plugin that is as good as it should be is red by chance once in %.0f runs.\n", 1/(8*red))
	fmt.Println("lost each way  check                   checks  alarms         loss said  packets  seconds")
	wrong := 0
	for _, r := range rows(checks) {
		p.SetBoth(p.Near, p.Far, lab.Conditions{Loss: r.each, Delay: 10 * time.Millisecond})
		// Side by side: more than eight would be late for the answers, on a host of two
		// processors.
		var g errgroup.Group
		g.SetLimit(8)
		for range r.checks {
			g.Go(func() error { return r.check(p) })
		}
		if err := g.Wait(); err != nil {
			return fmt.Errorf("%s: %w", r.program, err)
		}
		wrong += r.print()
	}
	if wrong > 0 {
		return fmt.Errorf("%d rows are not as they should be", wrong)
	}
	return nil
}

func (r *row) check(p *lab.Pair) error {
	args := strings.Fields(checkICMP + fivePackets + "10.2.1.1")
	if r.program != "check_icmp" {
		args = strings.Fields("bin/check_vpn_dr -o events -w 100,20% -c 500,60%")
		for _, m := range lab.PairMachines()[:r.hosts] {
			args = append(args, "-H", m.Name+"="+m.Addrs[0].String())
		}
	}
	said, err := p.Near.Run(exec.Command(args[0], args[1:]...))
	if err != nil {
		return err
	}
	var report struct {
		Summary string
		Figures struct {
			Loss float64 `json:"loss_percent"`
		}
	}
	if r.program != "check_icmp" {
		lines := strings.Split(strings.TrimSpace(said.Stdout), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &report); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.packets += strings.Count(said.Stdout, `"kind":"sent"`)
	r.loss += report.Figures.Loss
	r.took += said.Took
	if said.Code != 0 {
		if r.alarms++; r.first == "" {
			r.first = report.Summary
		}
	}
	return nil
}

// print prints the line, and gives 1 if it is not as it should be.
func (r *row) print() (wrong int) {
	n, mean := float64(r.checks), r.loss/float64(r.checks)
	truth := 100 * (1 - (1-r.each)*(1-r.each))
	mark := ""
	switch {
	case !r.right && r.alarms > allowed(r.checks):
		wrong, mark = 1, fmt.Sprintf("  TOO MANY, %d are allowed, the first: %s", allowed(r.checks), r.first)
	case r.right && r.program != "check_icmp" && math.Abs(mean-truth) > r.off(truth):
		wrong, mark = 1, fmt.Sprintf("  WRONG, it was %.1f%%", truth)
	}
	fmt.Printf("%4.0f%%          %-12s %2d hosts   %6d  %4d = %6.3f%%  %7.2f%%  %7.2f  %7.3f%s\n", 100*r.each, r.program, r.hosts,
		r.checks, r.alarms, 100*float64(r.alarms)/n, mean, float64(r.packets)/n, r.took.Seconds()/n, mark)
	return wrong
}
