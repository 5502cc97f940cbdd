package vpn

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"
)

var oddsShare = flag.Float64("odds", 0, "simulate this share of the up to 200,000 checks of each kind, and print the odds; 0 is a quick test")

// odds is what many simulated checks of one kind came to.
type odds struct {
	checks                      int
	up, degraded, partial, down int
	named0, innocent            int     // checks that named the first host, and that named another
	loss                        float64 // sum of the first looks'
	packets                     int
	time                        time.Duration
}

func (o *odds) add(s *simulation, v simVerdict, bad int) {
	o.checks++
	switch v.cause {
	case "up":
		o.up++
	case "degraded":
		o.degraded++
	case "partial":
		o.partial++
	default:
		o.down++
	}
	first, innocent := false, false
	for _, i := range v.named {
		first, innocent = first || i == 0, innocent || i >= bad
	}
	count(&o.named0, first)
	count(&o.innocent, innocent)
	o.loss += v.loss
	o.packets += s.packets
	o.time += s.now
}

func (o *odds) plus(p odds) {
	o.checks, o.up, o.degraded, o.partial, o.down = o.checks+p.checks, o.up+p.up, o.degraded+p.degraded, o.partial+p.partial, o.down+p.down
	o.named0, o.innocent, o.loss = o.named0+p.named0, o.innocent+p.innocent, o.loss+p.loss
	o.packets, o.time = o.packets+p.packets, o.time+p.time
}

func (o *odds) percent(n int) float64 { return percent(n, o.checks) }

// alarms is the share of checks that were not OK.
func (o *odds) alarms() float64 { return o.percent(o.checks - o.up) }

// A cell is one kind of check that is simulated many times.
type cell struct {
	name         string
	k            int
	way          func(rng *rand.Rand) impairment // made for each check
	bad          int                             // the first so many hosts may be named
	truth        float64                         // the loss of an answering host, percent
	checks, full int                             // how many are simulated, in the test and by the command
	test         func(o *odds) error
}

func always(w impairment) func(*rand.Rand) impairment {
	return func(*rand.Rand) impairment { return w }
}

// outageOf is an outage of all at a random time, that lasts between two times.
func outageOf(each float64, from, to, shortest, longest time.Duration) func(*rand.Rand) impairment {
	return func(rng *rand.Rand) impairment {
		begin := from + time.Duration(rng.Int64N(int64(to-from)))
		length := shortest + time.Duration(rng.Int64N(int64(longest-shortest)))
		return steady(each).outage(begin, begin+length)
	}
}

func atMost(what string, got, limit float64) error {
	if got > limit {
		return fmt.Errorf("%s %.3f, want at most %v", what, got, limit)
	}
	return nil
}

func falseAlarms(limit float64) func(*odds) error {
	return func(o *odds) error { return atMost("false alarms %", o.alarms(), limit) }
}

func okAtMost(limit float64) func(*odds) error {
	return func(o *odds) error { return atMost("OK %", o.percent(o.up), limit) }
}

func noInnocent(o *odds) error { return atMost("innocent hosts named", float64(o.innocent), 0) }

func both(each float64) float64 { return 100 * (1 - (1-each)*(1-each)) }

func cells() []cell {
	list := []cell{
		{"1% each way", 1, always(steady(.01)), 0, both(.01), 5000, 200000, falseAlarms(.05)},
		{"1% each way", 14, always(steady(.01)), 0, both(.01), 2000, 100000, falseAlarms(.05)},
		{"1% each way", 100, always(steady(.01)), 0, both(.01), 100, 20000, falseAlarms(.05)},
		{"2% each way", 1, always(steady(.02)), 0, both(.02), 10000, 200000, falseAlarms(.05)},
		{"2% each way", 5, always(steady(.02)), 0, both(.02), 2000, 200000, falseAlarms(.05)},
		{"2% each way", 14, always(steady(.02)), 0, both(.02), 2000, 200000, falseAlarms(.05)},
		{"2% each way", 100, always(steady(.02)), 0, both(.02), 100, 50000, falseAlarms(.05)},
		{"5% each way", 1, always(steady(.05)), 0, both(.05), 5000, 200000, falseAlarms(2.2)},
		{"5% each way", 5, always(steady(.05)), 0, both(.05), 2000, 100000, falseAlarms(.25)},
		{"5% each way", 14, always(steady(.05)), 0, both(.05), 2000, 100000, falseAlarms(.25)},
		{"5% each way", 100, always(steady(.05)), 0, both(.05), 100, 10000, falseAlarms(.25)},
		{"25% lost", 1, always(steady(0).losing(1, .25)), 0, 25, 5000, 200000, okAtMost(44)},
		{"30% lost", 1, always(steady(0).losing(1, .30)), 0, 30, 5000, 200000, okAtMost(27)},
		{"40% lost", 1, always(steady(0).losing(1, .40)), 0, 40, 5000, 200000, okAtMost(10)},
		{"40% lost by all", 14, always(steady(0).losing(14, .40)), 0, 40, 1000, 20000, okAtMost(0)},
		{"one loses half", 14, always(steady(0).losing(1, .5)), 1, 50. / 14, 2000, 100000, func(o *odds) error {
			return atMost("not named %", 100-o.percent(o.named0), 4)
		}},
		{"5 lose half", 14, always(steady(0).losing(5, .5)), 5, 250. / 14, 2000, 50000, func(o *odds) error {
			return atMost("no alarm %", o.percent(o.up), .05)
		}},
		{"outage of 100-500 ms", 1, outageOf(0, -500*ms, 2000*ms, 100*ms, 500*ms), 0, -1, 5000, 50000, falseAlarms(0)},
		{"outage of 100-500 ms", 14, outageOf(0, -500*ms, 2000*ms, 100*ms, 500*ms), 0, -1, 2000, 50000, falseAlarms(0)},
		{"outage of 100-500 ms", 100, outageOf(0, -500*ms, 2000*ms, 100*ms, 500*ms), 0, -1, 100, 5000, falseAlarms(0)},
		{"outage of 500-1000 ms at 1% each way", 14, outageOf(.01, 300*ms, 2500*ms, 500*ms, 1000*ms), 0, -1, 2000, 100000, noInnocent},
		{"outage of 500-1000 ms at 1% each way", 100, outageOf(.01, 300*ms, 2500*ms, 500*ms, 1000*ms), 0, -1, 100, 5000, noInnocent},
	}
	return list
}

// simulateCell simulates checks that are numbered, each with its own chance.
func simulateCell(c cell, from, to int) (o odds) {
	plan := simPlan(c.k)
	for i := from; i < to; i++ {
		rng := rand.New(rand.NewPCG(uint64(i), uint64(c.k)))
		s := simulation{plan: plan, way: c.way(rng), rng: rng, whole: true}
		o.add(&s, s.run(), c.bad)
	}
	return o
}

// simulateAll shares the checks of a cell among the processors.
func simulateAll(c cell, checks, workers int) (sum odds) {
	var wait sync.WaitGroup
	var lock sync.Mutex
	for w := range workers {
		wait.Go(func() {
			o := simulateCell(c, checks*w/workers, checks*(w+1)/workers)
			lock.Lock()
			defer lock.Unlock()
			sum.plus(o)
		})
	}
	wait.Wait()
	return sum
}

func TestOdds(t *testing.T) {
	workers := 1
	if *oddsShare > 0 {
		workers = runtime.GOMAXPROCS(0)
		fmt.Printf("%-40s%6s%8s%9s%10s%9s%8s%11s%10s%7s%9s%6s\n", "", "hosts", "checks", "OK %", "degraded", "partial", "down",
			"1st named", "innocent", "bias", "packets", "s")
	}
	for _, c := range cells() {
		checks := c.checks
		if *oddsShare > 0 {
			checks = int(float64(c.full) * *oddsShare)
		}
		o := simulateAll(c, checks, workers)
		enough := checks >= c.checks // fewer show what chance has done
		if err := c.test(&o); err != nil && enough {
			t.Errorf("%s, %d hosts: %v", c.name, c.k, err)
		}
		bias := "-"
		if n := float64(o.checks); c.truth >= 0 {
			b := o.loss/n - c.truth
			bias = fmt.Sprintf("%+.2f", b)
			if enough && math.Abs(b) > .5 {
				t.Errorf("%s, %d hosts: the loss of the first look is %+.2f points off", c.name, c.k, b)
			}
		}
		if *oddsShare > 0 {
			fmt.Printf("%-40s%6d%8d%9.3f%10.3f%9.3f%8.3f%11.3f%10.3f%7s%9d%6.1f\n", c.name, c.k, o.checks,
				o.percent(o.up), o.percent(o.degraded), o.percent(o.partial), o.percent(o.down), o.percent(o.named0), o.percent(o.innocent),
				bias, o.packets/o.checks, (o.time / time.Duration(o.checks)).Seconds())
		}
	}
}
