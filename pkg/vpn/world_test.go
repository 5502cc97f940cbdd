package vpn

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"checkvpn/pkg/nagios"
)

const ms = time.Millisecond

// world carries out the looks of a judge in virtual time, as an ideal prober
// would: packets leave at their times, and answers come after their delay.
type world struct {
	*Judge
	now     time.Duration
	way     way
	running map[Look]time.Duration // when each began
	events  []Event                // to come, unordered
	// paused is the time in which the program does not run. What comes meanwhile is
	// known a little later than that it was paused.
	paused span
	sent   []sentPacket
}

// way is what becomes of a packet: what comes back, in the form of an event
// whose Took is the delay. One without a kind is nothing.
type way func(p sentPacket) Event

type sentPacket struct {
	Look
	at     time.Duration
	number int // among all to the address
	bytes  int
}

func newWorld(p *Plan, w way) *world {
	return &world{Judge: NewJudge(p), way: w, running: map[Look]time.Duration{}}
}

// sizePlan asks far targets by icmp, and for big packets.
func sizePlan(t testing.TB, mtu int, far ...string) *Plan {
	t.Helper()
	p := &Plan{Packets: 5, MaxPackets: 40, Interval: 20 * ms, MTU: mtu, End: 9 * time.Second, Descriptors: 500}
	p.Limits = Limits{MinFar: 1, Partial: nagios.Warning}
	for text, pair := range map[string]*nagios.Pair{"450,20%": &p.Limits.Warning, "500,60%": &p.Limits.Critical} {
		var err error
		if *pair, err = nagios.ParsePair(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range far {
		target, err := ParseTarget(Far, text)
		if err != nil {
			t.Fatal(err)
		}
		p.Targets = append(p.Targets, target)
	}
	return p
}

// run goes on until the verdict is decided.
func (w *world) run(t testing.TB) Verdict {
	t.Helper()
	for range 100000 {
		wants, decided := w.step()
		if decided {
			return w.Verdict()
		}
		w.start(wants.Looks)
		w.now = max(w.next(wants.Wake), w.now+1)
		if w.paused.from <= w.now && w.now < w.paused.to {
			w.now = w.paused.to
			w.Add(Event{Kind: Paused, At: w.now, Took: w.paused.to - w.paused.from})
		}
	}
	t.Fatal("the judge is never content")
	return Verdict{}
}

// step hands over what has come, and has the judge look at it.
func (w *world) step() (Wants, bool) {
	slices.SortStableFunc(w.events, func(a, b Event) int { return int(a.At - b.At) })
	w.events = slices.DeleteFunc(w.events, func(e Event) bool {
		known := w.knownAt(e) <= w.now
		if known {
			w.Add(e)
		}
		return known
	})
	return w.Step(w.now)
}

// start begins what is wanted and does not run yet. What is not wanted any more
// ends: its further packets stay here.
func (w *world) start(looks []Look) {
	for l := range w.running {
		if !slices.Contains(looks, l) {
			delete(w.running, l)
			w.events = slices.DeleteFunc(w.events, func(e Event) bool {
				n := e.Seq - l.First
				return e.Look == l.Kind && e.Addr == l.Addr && n >= 0 && n < l.Packets
			})
		}
	}
	for _, l := range looks {
		if _, runs := w.running[l]; !runs {
			w.running[l] = w.now
			w.send(l)
		}
	}
}

// send has all packets of a look leave at their times.
func (w *world) send(l Look) {
	for i := range l.Packets {
		p := sentPacket{l, w.now + time.Duration(i)*l.Spacing, l.First + i, smallest(l.Addr)}
		if l.Kind == Sizes {
			p.bytes = l.BytesOf(i)
		}
		w.sent = append(w.sent, p)
		e := Event{Kind: Sent, At: p.at, Target: l.Target, Look: l.Kind, Addr: l.Addr, Seq: p.number}
		back := Event{}
		if l.Kind != Path { // its packets die on the way
			back = w.way(p)
		}
		if back.Kind != LocalError {
			w.events = append(w.events, e)
		}
		if back.Kind != "" {
			back.At, back.Target, back.Look, back.Addr, back.Seq = p.at+back.Took, e.Target, e.Look, e.Addr, e.Seq
			w.events = append(w.events, back)
		}
	}
}

func (w *world) next(wake time.Duration) time.Duration {
	at := max(w.plan.End, w.now+1)
	if wake > 0 {
		at = min(at, max(wake, w.now+1))
	}
	for _, e := range w.events {
		at = min(at, w.knownAt(e))
	}
	return at
}

func (w *world) knownAt(e Event) time.Duration {
	if w.paused.from <= e.At && e.At < w.paused.to {
		return w.paused.to + 5*ms
	}
	return e.At
}

// count is how many packets of Sizes left to an address, until now.
func (w *world) count(to string) (n int) {
	for _, p := range w.sent {
		if p.Kind == Sizes && p.Addr == netip.MustParseAddr(to) && p.at <= w.now {
			n++
		}
	}
	return n
}
