package vpn

import (
	"fmt"
	"math"
	"time"
)

// Whether big packets pass a tunnel is a question of its own. They may die in it
// while small ones pass: then people see bulk traffic hang, and pings answer.
//
// So each far icmp target is sent one whole IP packet of the size that is asked
// for, as an echo request that nobody may fragment, as soon as its first look has
// left: not earlier, so that it takes nothing from the first look if somebody
// limits packets. A healthy tunnel answers, and that is all.
//
// If there is no answer, pairs follow of one big and one small packet. It takes
// so many lost big ones that chance is ruled out, as the loss of the small ones
// tells it. If the small ones die too, a limit on packets is at work, or the way
// is too bad, and nothing is said of size. A limit on bytes shows by big packets
// that pass to other hosts, but not all of them: then nothing is said either.
// Pairs wait until the loss test is over: it must not measure what they cause.
//
// Only requests are known to pass in one piece. Replies come back as the far end
// sends them, and that may be in fragments.
const (
	leastLost  = 8    // big packets lost before they are said to vanish
	mostPairs  = 20   // sent to find that out
	byChance   = 1e-6 // how often chance alone may lose them all
	plainWords = 3    // packets said to be too big, or that cannot be sent: nothing is to be gained by more

	pairSpacing = 30 * time.Millisecond   // between pairs to a host
	pairPace    = 7500 * time.Microsecond // between pairs to any hosts: those to all together are not many

	maxSeries   = 50 // hosts that are sent pairs
	maxSearches = 2  // of them searched for the largest size that passes: behind one tunnel most have the same
)

// smallFirst has a bit for each pair, the lowest for the first: whether its small
// packet goes first. In a regular order, a limit on packets could let each small
// one pass and no big one. In this order, found by trying, three big ones pass at
// any rate that lets so many small ones pass that a verdict could come of it.
const smallFirst = 0b0110_0011_1010_1010_1000

// Size is what became of big packets to one target.
type Size struct {
	Asked   int          // bytes of whole IP packets
	Known   bool         // whether they pass is known
	Passes  bool         // one at least was answered
	Limited bool         // it is not known because other packets sent beside them were lost too
	Largest int          // the largest size seen to pass if Asked does not; 0 if not known
	Exact   bool         // nothing larger than Largest passes
	TooBig  *ICMPMessage // who said that what is larger is too big; nil if nobody did
	Fault   *Fault       // why this host could not even send them
	Tried   []Tried      // by size
}

// Tried is what became of the packets of one size.
type Tried struct{ Bytes, Sent, Answered, TooBig int }

// Vanishes tells whether big packets do not pass, and small ones do.
func (s *Size) Vanishes() bool { return s.Known && !s.Passes }

// sizeTest asks whether packets of Plan.MTU pass to the far targets.
type sizeTest struct {
	plan  *Plan
	ev    *evidence
	hosts []*sizedHost // by their places in Plan.Targets; nil if not asked yet
	now   time.Duration

	series, searches int           // begun so far
	pairAt           time.Duration // when the next pair may leave
	beside           int           // enoughBeside, at this step

	open  bool // an answer is still to come that the verdict waits for
	looks []Look
	wake  time.Duration
}

func newSizeTest(p *Plan, ev *evidence) *sizeTest {
	return &sizeTest{plan: p, ev: ev, hosts: make([]*sizedHost, len(p.Targets))}
}

// step finds out what is known at a time and what is still wanted. A dead tunnel
// says nothing of sizes.
func (t *sizeTest) step(j *Judge, now time.Duration) {
	t.now, t.wake, t.open, t.looks = now, 0, false, t.looks[:0]
	if t.plan.MTU == 0 || j.sum.down {
		return
	}
	t.gather(j)
	if t.series > 0 {
		t.beside = t.enoughBeside()
	}
	for i, h := range t.hosts {
		answers := j.fates[i] == Answers
		if h == nil || !answers && j.fates[i] != NotKnown {
			continue
		}
		h.step(answers && j.loss.over)
		if t.open = t.open || answers && !h.over; !h.passes {
			t.looks = append(t.looks, h.looks...)
		}
	}
}

// gather begins with the targets whose first look has left. One whose address is
// another now begins anew.
func (t *sizeTest) gather(j *Judge) {
	for _, a := range j.ask.far {
		h := t.hosts[a.index]
		if (h == nil || h.asked != a) && a.first.done >= t.plan.Packets {
			t.hosts[a.index] = &sizedHost{asked: a, test: t}
		}
	}
}

// wakeAt asks for a step at a time; 0 asks for nothing.
func (t *sizeTest) wakeAt(at time.Duration) { t.wake = earliest(t.wake, at) }

// enough is how many big packets must be lost before chance is ruled out, if so
// many of so many small ones were answered. Their loss is estimated by the rule
// of succession, which never gives 0.
func enough(sent, received int) int {
	loss := float64(sent-received+1) / float64(sent+2)
	return max(int(math.Ceil(math.Log(byChance)/math.Log(loss))), leastLost)
}

// enoughBeside is how many must be lost by one host, as the big packets tell that
// were sent to hosts which some of them passed to; 0 if there are none.
func (t *sizeTest) enoughBeside() int {
	sent, answered := 0, 0
	for _, h := range t.hosts {
		if h != nil && h.passes {
			n := h.of(t.plan.MTU)
			sent, answered = sent+n.Sent, answered+n.Answered
		}
	}
	if sent == 0 {
		return 0
	}
	return enough(sent, answered)
}

// isStuck tells whether big packets do not pass to a host, and that is neither
// chance nor a limit on bytes.
func (t *sizeTest) isStuck(h *sizedHost) bool {
	if h == nil || !h.vanishes {
		return false
	}
	n := h.of(t.plan.MTU)
	return n.isSaid() || n.lost >= t.beside
}

// blackHole are the targets that big packets do not pass to and small ones do,
// and whether big ones pass to no target that small ones pass to. What is not
// known of a target says nothing.
func (t *sizeTest) blackHole() (stuck []int, hole bool) {
	hole = true
	for i, h := range t.hosts {
		if t.isStuck(h) {
			stuck = append(stuck, i)
		}
		hole = hole && !(h != nil && h.passes)
	}
	return stuck, hole && len(stuck) > 0
}

// finding is what is known of one target; nil if it was not to be asked.
func (t *sizeTest) finding(i int) *Size {
	if t.plan.MTU == 0 || !t.plan.Targets[i].IsFarPinged() {
		return nil
	}
	s := &Size{Asked: t.plan.MTU}
	if h := t.hosts[i]; h != nil {
		h.describe(s)
	}
	return s
}

// mostKnown is what is known of the largest packets that pass to any of these
// targets, exactly if it can be.
func (v Verdict) mostKnown(targets []int) (best *Size) {
	for _, i := range targets {
		s := v.Findings[i].Size
		switch {
		case s == nil || !s.Vanishes():
		case best == nil, s.Exact && !best.Exact, s.Exact == best.Exact && s.Largest > best.Largest:
			best = s
		}
	}
	return best
}

// blackHole says of the targets together what is known of the one that most is
// known of.
func (v Verdict) blackHole(p Problem) string {
	s := v.mostKnown(p.Targets)
	if s.adapts() {
		return s.words()
	}
	return s.words() + ": bulk traffic hangs"
}

// adapts tells whether a sender learns that its packets are too big.
func (s *Size) adapts() bool { return s.TooBig != nil || s.Fault != nil }

// words say what becomes of packets of the size of --mtu.
func (s *Size) words() string {
	size, fate := fmt.Sprintf("packets of %d bytes", s.Asked), "vanish"
	if s.TooBig != nil {
		fate = "do not fit, says this host"
		if s.TooBig.From.IsValid() {
			fate = "do not fit, says " + s.TooBig.From.String()
		}
	}
	switch {
	case s.Limited:
		return size + " not judged: others beside them were lost too"
	case !s.Known:
		return size + " not tested"
	case s.Passes:
		return size + " pass"
	case s.Fault != nil:
		return size + " cannot be sent: " + s.Fault.Words
	case s.Exact:
		return fmt.Sprintf("packets over %d bytes %s", s.Largest, fate)
	case s.Largest > 0:
		return fmt.Sprintf("%s %s, %d pass", size, fate, s.Largest)
	}
	return size + " " + fate
}

// mendSize is the advice for packets that are too big.
func (v Verdict) mendSize() []string {
	s := v.mostKnown(v.Lead().Targets)
	if s.adapts() {
		return []string{"A router says which size fits, so most programs adapt: correct --mtu, or find out who made the way smaller."}
	}
	fits := "what passes"
	if s.Largest > 0 {
		fits = fmt.Sprintf("%d bytes", s.Largest)
	}
	return []string{
		"Small packets pass and big ones are lost without a word: set the MTU of the tunnel to " + fits + " at both ends, or clamp the MSS of TCP to fit.",
		"Look for a firewall that drops ICMP: fragmentation needed (IPv4) and packet too big (IPv6) must pass.",
	}
}
