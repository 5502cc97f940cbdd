// Command falsealarms counts how often a check alarms over a healthy tunnel
// that loses packets now and then, for the plugin and for check_icmp side by
// side, with the same limits.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"checkvpn/pkg/lab"
)

// checkICMP is where Debian's monitoring-plugins-basic puts it.
const checkICMP = "/usr/lib/nagios/plugins/check_icmp"

func main() {
	checks := flag.Int("checks", 3000, "checks of one host in a row; a third of fourteen")
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
	checks  int
	alarms  int
	packets int
	loss    float64 // sum of the reported losses, percent
	took    time.Duration
	first   string // what the first alarm said
}

func (t *tally) add(a answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.checks++
	if a.alarm {
		t.alarms++
		if t.first == "" {
			t.first = a.Summary
		}
	}
	t.packets += a.packets
	t.loss += a.Figures.Loss
	t.took += a.took
}

func (t *tally) mean() float64 { return t.loss / float64(t.checks) }

// check runs one check.
type check func(*lab.Site) (answer, error)

// answer is what one check said.
type answer struct {
	Summary string
	Figures struct {
		Loss float64 `json:"loss_percent"`
	}
	alarm   bool
	packets int
	took    time.Duration
}

// row is one line of the table: so many checks of some hosts over a tunnel that
// loses packets.
type row struct {
	name   string
	check  check
	each   float64 // lost each way, 0 to 1
	checks int
	limit  int     // of alarms; -1 if an alarm is right
	off    float64 // points by which the mean of the reported loss may be wrong; 0 is not asked
}

const (
	maxAlarms = 2
	maxOff    = 3
	lossy     = 200 // checks of a row in which most alarm
)

func rows(checks int) (list []row) {
	for _, each := range []float64{0, .01, .02} {
		list = append(list, row{"check_vpn_dr, 1 host", ours(1), each, checks, maxAlarms, 0})
		if _, err := os.Stat(checkICMP); err == nil {
			list = append(list, row{"check_icmp, 1 host", theirs, each, checks, -1, 0})
		}
		list = append(list, row{"check_vpn_dr, 14 hosts", ours(14), each, checks / 3, maxAlarms, 0})
	}
	// 20% each way are 36% of the round trips.
	n := min(checks, lossy)
	return append(list, row{"check_vpn_dr, 1 host", ours(1), .2, n, -1, maxOff}, row{"check_vpn_dr, 14 hosts", ours(14), .2, n, -1, maxOff})
}

func run(checks int) error {
	world, err := lab.SevenTunnels()
	if err != nil {
		return err
	}
	defer world.Close()
	v := world.VPN(lab.DR, "production")
	farHosts = nil
	for _, m := range v.Far.Machines {
		farHosts = append(farHosts, m.Addrs[0])
	}
	if _, err := os.Stat(checkICMP); err != nil {
		fmt.Println("check_icmp is not installed: apt-get install monitoring-plugins-basic")
	}
	fmt.Println("-w 100,20% -c 500,60%, 5 packets to each host at first, 20 ms there and back")
	fmt.Println("lost each way  check                   checks  alarms         95% interval    loss said  packets  seconds")
	wrong := 0
	for _, r := range rows(checks) {
		world.Internet.SetBoth(v.Near, v.Far, lab.Conditions{Loss: r.each, Delay: 10 * time.Millisecond})
		t, err := r.run(v.Near)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		wrong += r.print(t)
	}
	if wrong > 0 {
		return fmt.Errorf("%d rows are not as they should be", wrong)
	}
	return nil
}

// print prints the line, and gives 1 if it is not as it should be.
func (r row) print(t *tally) (wrong int) {
	truth := 100 * (1 - (1-r.each)*(1-r.each))
	mark := ""
	switch {
	case r.limit >= 0 && t.alarms > r.limit:
		wrong, mark = 1, "  TOO MANY, the first: "+t.first
	case r.off > 0 && math.Abs(t.mean()-truth) > r.off:
		wrong, mark = 1, fmt.Sprintf("  WRONG, it was %.1f%%", truth)
	}
	low, high := wilson(t.alarms, t.checks)
	n := float64(t.checks)
	fmt.Printf("%4.0f%%          %-22s  %6d  %4d = %6.3f%%  %6.3f%% to %6.3f%%  %6.2f%%  %7.2f  %7.3f%s\n", 100*r.each, r.name,
		t.checks, t.alarms, 100*float64(t.alarms)/n, 100*low, 100*high, t.mean(), float64(t.packets)/n, t.took.Seconds()/n, mark)
	return wrong
}

// together is how many checks run side by side: more would be late for the
// answers, on a machine of two processors.
const together = 8

// run runs the checks of a row.
func (r row) run(near *lab.Site) (*tally, error) {
	t := &tally{}
	var errs error
	var once sync.Once
	work := make(chan struct{})
	var workers sync.WaitGroup
	for range together {
		workers.Go(func() {
			for range work {
				a, err := r.check(near)
				if err != nil {
					once.Do(func() { errs = err })
				}
				t.add(a)
			}
		})
	}
	for range r.checks {
		work <- struct{}{}
	}
	close(work)
	workers.Wait()
	return t, errs
}

const target = "10.3.11.6"

var farHosts []netip.Addr // behind the tunnel

// ours checks so many hosts, of which the first is the target.
func ours(hosts int) check {
	return func(near *lab.Site) (answer, error) {
		args := []string{"-o", "events", "-w", "100,20%", "-c", "500,60%"}
		for i := range hosts {
			args = append(args, "-H", fmt.Sprintf("h%d=%s", i, farHosts[i]))
		}
		r, err := near.Run(exec.Command("bin/check_vpn_dr", args...))
		if err != nil {
			return answer{}, err
		}
		lines := strings.Split(strings.TrimSpace(r.Stdout), "\n")
		a := answer{alarm: r.Code != 0, took: r.Took, packets: strings.Count(r.Stdout, `"kind":"sent"`)}
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &a); err != nil {
			return answer{}, fmt.Errorf("not JSON: %q", lines[len(lines)-1])
		}
		return a, nil
	}
}

func theirs(near *lab.Site) (answer, error) {
	r, err := near.Run(exec.Command(checkICMP, "-w", "100,20%", "-c", "500,60%", "-n", "5", target))
	return answer{alarm: r.Code != 0, packets: 5, took: r.Took, Summary: r.Stdout}, err
}

// wilson is the 95% interval of a share (Wilson's score interval).
func wilson(hits, n int) (low, high float64) {
	const z = 1.96
	p, m := float64(hits)/float64(n), float64(n)
	centre := p + z*z/(2*m)
	spread := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return math.Max(0, (centre-spread)/(1+z*z/m)), (centre + spread) / (1 + z*z/m)
}
