package probe

import (
	"context"
	"math"
	"slices"
	"time"
)

// Whether big packets pass a tunnel is a question of its own. They may die in
// it while small ones pass: then people see bulk traffic hang and pings answer.
//
// So whole IP packets of the size that is asked for are sent while the first
// look goes on, as echo requests that nobody may fragment. They are kept out of
// loss and round-trip time. One answer is enough, and the next packet is only
// sent when that has not come yet: a healthy tunnel with a short round trip
// carries one big packet for each target.
//
// A lost big packet is no black hole yet. How many must be lost follows from
// how many small ones are. Where no small one is answered, big ones tell
// nothing, and the question waits until one is.
//
// Only requests are known to pass in one piece. Replies come back as the far
// end sends them, and that may be in fragments.

const (
	fullSpacing  = 30 * time.Millisecond // between packets of the full size
	fullFirst    = 3                     // of them before the small ones are looked at
	fullAtLeast  = 8                     // lost before they are said to vanish
	fullAtMost   = 20                    // sent in all
	fullMistakes = 1e-6                  // how often chance alone may lose them all
)

// A reply is waited for by the round-trip time that the small packets had: big
// ones take longer on a slow line. The bounds are those of minPatience and of
// Settings.Wait.
const (
	minPatience   = 250 * time.Millisecond
	extraPatience = 150 * time.Millisecond
	timesPatience = 3
)

// maxSearches bounds how many targets of one run are searched for the largest
// size that passes: those behind one tunnel mostly have the same.
const maxSearches = 2

// MTU is whether whole IP packets of a size pass to a target in one piece.
type MTU struct {
	Asked   int     // bytes
	Outcome Outcome // Answered where they pass, Silent where they do not
	// Largest is the largest size seen to pass where Asked does not; 0 where
	// that is not known. Exact tells that nothing larger passes.
	Largest int
	Exact   bool
	// Told is who said that what is larger is too big. Nil where nobody did: then
	// it vanishes without a word, and the sender never learns to send less.
	Told *ToldError
	// Err is why this machine could not even send them.
	Err error
	// Searching tells that Largest is still looked for.
	Searching bool
	Tried     []Size // in the order of their bytes
}

// Size is what became of the packets of one size.
type Size struct {
	Bytes, Sent, Answered, TooBig int
}

// FullSize is how long it takes at the most to find out whether packets of
// Path.MTU pass, once a name is resolved.
func (s Settings) FullSize() time.Duration { return fullAtMost*fullSpacing + 2*s.Wait }

// sizing is the question of big packets, put to one address.
type sizing struct {
	probe  *Probe
	record *record
	asked  int
	known  sizes
	socket *sizer
	err    error // why nothing can be sent
}

// askMTU begins to ask whether packets of Path.MTU pass. What it returns waits
// until that is known.
func (p *Probe) askMTU(ctx context.Context, r *record, mode icmpMode) (wait func()) {
	if p.path.MTU == 0 {
		return func() {}
	}
	q := &sizing{probe: p, record: r, asked: p.path.MTU, known: sizes{}}
	q.publish(MTU{})
	over := make(chan struct{})
	p.prober.spawn(func() {
		defer close(over)
		q.run(ctx, mode)
	})
	return func() { <-over }
}

func (q *sizing) run(ctx context.Context, mode icmpMode) {
	d := &dialer{path: q.probe.path, addr: q.record.addr}
	if q.socket, q.err = d.openSizer(ctx, mode.privileged, q.known); q.err == nil {
		defer q.socket.close()
	} else if own := unable(q.err); own != nil {
		q.probe.note(func() { q.record.err = own })
		return
	}
	q.send(ctx, fullFirst)
	q.publish(MTU{})
	alive := q.passes() || q.heard(ctx)
	if alive && !q.passes() && !q.refused() {
		q.send(ctx, q.enough()-fullFirst)
	}
	switch {
	case q.passes():
		q.publish(MTU{Outcome: Answered})
	case alive && ctx.Err() == nil:
		q.fail(ctx)
	}
}

// fail says that packets of the full size do not pass, and looks for the
// largest that does.
func (q *sizing) fail(ctx context.Context) {
	m := MTU{Outcome: Silent, Told: q.known.told(q.asked)}
	if q.err != nil {
		m.Err = explain(q.err)
	}
	if q.err != nil || q.probe.prober.searches.Add(1) > maxSearches {
		q.publish(m)
		return
	}
	m.Searching = true
	q.publish(m)
	m.Searching = false
	m.Largest, m.Exact = search{
		known: q.known, asked: q.asked, least: smallest(q.record.addr),
		round: func(sizes []int, spacing time.Duration) bool {
			q.socket.round(ctx, sizes, spacing, q.patience, func() bool { return q.known.settled(sizes) || q.passes() })
			return ctx.Err() == nil
		},
	}.largest()
	if m.Exact {
		m.Told = q.known.told(m.Largest + 1)
	}
	if q.passes() {
		m = MTU{Outcome: Answered} // they were only slow
	}
	q.publish(m)
}

// publish makes what is known part of the result. A published MTU is not
// changed any more.
func (q *sizing) publish(m MTU) {
	m.Asked, m.Tried = q.asked, q.known.list()
	q.probe.note(func() { q.record.mtu = &m })
}

// send sends up to n packets of the full size.
func (q *sizing) send(ctx context.Context, n int) {
	if q.err == nil && n > 0 {
		q.probe.prober.pace.pay(ctx, n)
		q.socket.round(ctx, slices.Repeat([]int{q.asked}, n), fullSpacing, q.patience,
			func() bool { return q.passes() || q.refused() })
	}
}

func (q *sizing) passes() bool { return q.known.of(q.asked).Answered > 0 }

// refused tells whether it was said of several packets that they are too big:
// nothing is to be gained by more.
func (q *sizing) refused() bool { return q.known.of(q.asked).TooBig >= fullFirst }

// heard waits until a small packet is answered. The first look does not wait
// for that: of a silent target there is nothing to be told.
func (q *sizing) heard(ctx context.Context) bool {
	for !q.anyAnswer() {
		over := false
		q.probe.note(func() {
			q.record.bigLater = true
			over = q.record.over
		})
		if over || ctx.Err() != nil {
			return false
		}
		sleep(ctx, fullSpacing)
	}
	return true
}

func (q *sizing) anyAnswer() (yes bool) {
	q.probe.note(func() { yes = slices.ContainsFunc(q.record.attempts, Attempt.answered) })
	return yes
}

// enough is how many packets of the full size must be lost before chance can
// be ruled out.
func (q *sizing) enough() int {
	var r Result
	q.probe.note(func() { r = q.probe.resultOf(q.record, q.probe.prober.Now()) })
	return enough(r.Sent(), r.Received())
}

// enough is for a target that answered so many of so many small packets. Their
// loss is estimated by the rule of succession, which never gives 0.
func enough(sent, received int) int {
	loss := float64(sent-received+1) / float64(sent+2)
	n := math.Ceil(math.Log(fullMistakes) / math.Log(loss))
	return min(max(int(n), fullAtLeast), fullAtMost)
}

// patience is how long the last packet of a round is waited for.
func (q *sizing) patience() time.Duration {
	longest, most := time.Duration(0), q.probe.prober.set.Wait
	q.probe.note(func() {
		for _, a := range q.record.attempts {
			if a.Outcome == Answered {
				longest = max(longest, a.Took)
			}
		}
	})
	if longest == 0 {
		return most
	}
	return min(max(timesPatience*longest+extraPatience, minPatience), most)
}
