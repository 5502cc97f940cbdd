// Command falsealarms counts how often a check alarms over a healthy tunnel
// that loses packets now and then, for the plugin and for check_icmp side by
// side, with the same limits.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"sync"
	"time"

	"checkvpn/pkg/lab"
)

// checkICMP is where Debian's monitoring-plugins-basic puts it.
const checkICMP = "/usr/lib/nagios/plugins/check_icmp"

func main() {
	checks := flag.Int("checks", 3000, "checks in each row")
	flag.Parse()
	code, err := lab.Run(func() int {
		if err := run(*checks); err != nil {
			fmt.Println(err)
			return 1
		}
		return 0
	})
	if err != nil {
		fmt.Println("This needs network namespaces:", err)
		code = 1
	}
	os.Exit(code)
}

// tally is what came of the checks of one row.
type tally struct {
	mu      sync.Mutex
	alarms  int
	packets int
	took    time.Duration
}

func (t *tally) add(alarm bool, packets int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if alarm {
		t.alarms++
	}
	t.packets += packets
	t.took += took
}

// check runs one check and tells whether it alarms, and the packets that it sent.
type check func(*lab.Site) (alarm bool, packets int, took time.Duration, err error)

func run(checks int) error {
	world, err := lab.SevenTunnels()
	if err != nil {
		return err
	}
	defer world.Close()
	v := world.VPN(lab.DR, "production")
	names := []string{"check_vpn_dr"}
	kinds := map[string]check{"check_vpn_dr": ours}
	if _, err := os.Stat(checkICMP); err == nil {
		names = append(names, "check_icmp")
		kinds["check_icmp"] = theirs
	} else {
		fmt.Println("check_icmp is not installed: apt-get install monitoring-plugins-basic")
	}
	fmt.Printf("%d checks a row, one target, -w 100,20%%, 5 packets at first\n", checks)
	fmt.Println("lost each way  check         alarms          95% interval      packets  seconds")
	for _, loss := range []float64{0, .01, .02} {
		world.Internet.SetBoth(v.Near, v.Far, lab.Conditions{Loss: loss, Delay: 10 * time.Millisecond})
		for _, name := range names {
			t, err := row(v.Near, kinds[name], checks)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			low, high := wilson(t.alarms, checks)
			fmt.Printf("%4.0f%%          %-12s  %4d = %6.3f%%  %6.3f%% to %6.3f%%  %7.2f  %7.3f\n", 100*loss, name, t.alarms,
				100*float64(t.alarms)/float64(checks), 100*low, 100*high,
				float64(t.packets)/float64(checks), t.took.Seconds()/float64(checks))
		}
	}
	return heavy(world, v, min(checks, 200))
}

// row runs the checks, some of them side by side.
func row(near *lab.Site, c check, checks int) (*tally, error) {
	t := &tally{}
	var errs error
	var once sync.Once
	work := make(chan struct{})
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for range work {
				alarm, packets, took, err := c(near)
				if err != nil {
					once.Do(func() { errs = err })
				}
				t.add(alarm, packets, took)
			}
		})
	}
	for range checks {
		work <- struct{}{}
	}
	close(work)
	workers.Wait()
	return t, errs
}

const target = "10.3.11.6"

type answer struct {
	State   string
	Targets []struct{ Sent int }
}

func ours(near *lab.Site) (bool, int, time.Duration, error) {
	r, err := near.Run(exec.Command("bin/check_vpn_dr", "-o", "json", "-w", "100,20%", "-n", "5", "-H", target))
	if err != nil {
		return false, 0, 0, err
	}
	var a answer
	if err := json.Unmarshal([]byte(r.Stdout), &a); err != nil || len(a.Targets) != 1 {
		return false, 0, 0, fmt.Errorf("not JSON: %q", r.Stdout)
	}
	return r.Code != 0, a.Targets[0].Sent, r.Took, nil
}

func theirs(near *lab.Site) (bool, int, time.Duration, error) {
	r, err := near.Run(exec.Command(checkICMP, "-w", "100,20%", "-c", "500,60%", "-n", "5", target))
	return r.Code != 0, 5, r.Took, err
}

// heavy is the other side of it: what must never be OK.
func heavy(world *lab.World, v *lab.VPN, checks int) error {
	world.Internet.SetBoth(v.Near, v.Far, lab.Conditions{Loss: .3})
	args := []string{"-o", "json"}
	for _, m := range v.Far.Machines[:14] {
		args = append(args, "-H", m.Addrs[0].String())
	}
	t, err := row(v.Near, func(near *lab.Site) (bool, int, time.Duration, error) {
		r, err := near.Run(exec.Command("bin/check_vpn_dr", args...))
		return r.Code != 0, 0, r.Took, err
	}, checks)
	if err != nil {
		return err
	}
	fmt.Printf("14 targets that lose 30%% each way: %d of %d checks alarm\n", t.alarms, checks)
	if t.alarms != checks {
		return fmt.Errorf("%d checks were OK", checks-t.alarms)
	}
	return nil
}

// wilson is the 95% interval of a share (Wilson's score interval).
func wilson(hits, n int) (low, high float64) {
	const z = 1.96
	p, m := float64(hits)/float64(n), float64(n)
	centre := p + z*z/(2*m)
	spread := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return math.Max(0, (centre-spread)/(1+z*z/m)), (centre + spread) / (1 + z*z/m)
}
