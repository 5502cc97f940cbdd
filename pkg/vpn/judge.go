package vpn

import (
	"cmp"
	"slices"
	"time"
)

// Judge is what one check has found out and still wants to know. It belongs to
// one goroutine, has no clock and no network, and the same events at the same
// times always give the same verdict.
type Judge struct {
	plan *Plan
	ev   *evidence
	loss *lossTest
	size *sizeTest
	ask  *schedule

	now       time.Duration
	stopped   bool // a signal, or the end of -t: nothing more is waited for
	cut       bool // it was stopped by something else than -t, while the verdict was open
	fates     []Fate
	chosen    []*asked // of each target the address that it is judged by; nil while it has none
	sum       summary
	undecided bool // something may still change the verdict, by the last step
	closing   bool // all is known but what is asked last of all
}

// NewJudge begins a check.
func NewJudge(p *Plan) *Judge {
	j := &Judge{plan: p, ev: newEvidence(p), fates: make([]Fate, len(p.Targets)), chosen: make([]*asked, len(p.Targets))}
	j.loss = newLossTest(p, j.ev)
	j.size = newSizeTest(p, j.ev)
	j.ask = newSchedule(j)
	return j
}

// Add takes in one event. Events come in the order in which they became known,
// which need not be that of their times.
func (j *Judge) Add(e Event) { j.ev.add(e) }

// Step says what is still wanted at a time since the check began, and whether
// the verdict is decided: then nothing that may come can change it. It is called
// after events were added, and when Wants.Wake has come.
func (j *Judge) Step(now time.Duration) (Wants, bool) {
	j.now = now
	j.cut = j.cut || !j.stopped && len(j.ev.faults) > 0 && j.undecided
	j.stopped = j.stopped || len(j.ev.faults) > 0 || now >= j.plan.End
	j.choose()
	j.loss.stopped = j.stopped
	j.loss.step(j.farPinged(), now)
	j.weigh()
	j.sum = j.sumUp()
	j.size.step(j, now)
	j.undecided = j.open()
	j.closing = j.closing || !j.undecided
	if j.stopped || !j.undecided && len(j.ask.last()) == 0 {
		return Wants{}, true
	}
	return j.ask.wants(), false
}

// choose brings the tallies up to date, and finds for each target the address that says most of it. Of several
// that are as good it is the first: the order is the resolver's.
func (j *Judge) choose() {
	for i, r := range j.ev.targets {
		for _, a := range r.addrs {
			j.ev.tally(a, j.now)
		}
		if len(r.addrs) > 0 {
			j.chosen[i] = slices.MaxFunc(r.addrs, (*asked).compare)
		}
	}
}

// compare tells which of two addresses of a name says more of the target: one
// that could not be asked, by our own fault, says the least.
func (a *asked) compare(b *asked) int {
	switch n := cmp.Compare(a.answers, b.answers); {
	case n != 0 || (a.own == nil) == (b.own == nil):
		return n
	case a.own != nil:
		return -1
	}
	return 1
}

// farPinged are the far icmp targets that the loss test can look at: of a name
// with several addresses it must be clear which one is looked at.
func (j *Judge) farPinged() []*asked {
	list := j.ask.far[:0]
	for i := range j.plan.Targets {
		if j.plan.Targets[i].IsFarPinged() && j.chosen[i] != nil && j.oneChosen(j.ev.targets[i]) {
			list = append(list, j.chosen[i])
		}
	}
	j.ask.far = list
	return list
}

// oneChosen tells whether it is clear which of its addresses a target is looked
// at by: one has answered its first look in full, or all first looks are over.
func (j *Judge) oneChosen(r *record) bool {
	if len(r.addrs) == 1 {
		return true
	}
	all := true
	for _, a := range r.addrs {
		switch j.firstLook(a) {
		case lookAnswered:
			return true
		case lookGoesOn:
			all = false
		}
	}
	return all
}

// progress is how far a first look is.
type progress uint8

const (
	lookGoesOn   progress = iota // packets are still to leave, or their answers to come
	lookOver                     // answers are no longer waited for
	lookAnswered                 // each packet was answered
)

// firstLook is how far the first look at an address is.
func (j *Judge) firstLook(a *asked) progress {
	switch f := &a.first; {
	case f.done < j.plan.Packets:
		return lookGoesOn
	case f.answered == f.done:
		return lookAnswered
	case j.ev.age(f.last, j.now) >= recheckDelay:
		return lookOver
	}
	return lookGoesOn
}

// any tells whether something is so of any target.
func (j *Judge) any(is func(i int, t *Target) bool) bool {
	for i := range j.plan.Targets {
		if is(i, &j.plan.Targets[i]) {
			return true
		}
	}
	return false
}

// where are the targets of which something is so.
func (j *Judge) where(is func(i int, t *Target) bool) (list []int) {
	for i := range j.plan.Targets {
		if is(i, &j.plan.Targets[i]) {
			list = append(list, i)
		}
	}
	return list
}

// summary is what the fates of all targets come to.
type summary struct {
	up, perhaps, unasked, silent int  // far targets: that answer, still might, could not be asked, and do not
	down                         bool // too few far targets answer, whatever may still come
	otherwise                    bool // it is down by what was asked, but something else came back through the tunnel
	firstFar                     int  // the first far target that has an address; -1 if none has
}

func (j *Judge) sumUp() summary {
	s := summary{firstFar: -1}
	var n [Answers + 1]int
	for i, t := range j.plan.Targets {
		if t.Role != Far {
			continue
		}
		n[j.fates[i]]++
		if s.firstFar < 0 && j.chosen[i] != nil {
			s.firstFar = i
		}
	}
	s.up, s.perhaps, s.unasked, s.silent = n[Answers], n[NotKnown], n[NotAsked], n[Silent]
	// A check that has ended says so if any far target was asked for as long as an
	// answer counts.
	if j.stopped && s.silent > 0 {
		s.perhaps = 0
	}
	s.down = s.up+s.perhaps+s.unasked < j.plan.Limits.MinFar
	s.otherwise = s.down && s.up == 0 && j.passesOtherwise()
	return s
}

// open tells whether anything may still change the verdict.
func (j *Judge) open() bool {
	return j.any(func(i int, t *Target) bool { return j.fates[i] == NotKnown && (!j.sum.down || !j.decidedWithout(i, t)) }) ||
		!j.sum.down && (!j.loss.over || j.size.open || j.any(j.isBeingChosen) || j.any(j.isBeingMeasured))
}

// isBeingMeasured tells whether the first look at a target that answers goes on. One
// answer is enough to judge a gateway by, but its figures are of all packets.
func (j *Judge) isBeingMeasured(i int, t *Target) bool {
	return t.Endpoint.Scheme == ICMP && t.Role != Far && j.fates[i] == Answers && j.firstLook(j.chosen[i]) == lookGoesOn
}

// isBeingChosen tells whether it is not clear yet by which of its addresses a far
// icmp target is measured.
func (j *Judge) isBeingChosen(i int, t *Target) bool {
	return t.IsFarPinged() && j.fates[i] != NotAsked && !j.oneChosen(j.ev.targets[i])
}

// decidedWithout tells whether the verdict on a dead tunnel does not wait for a
// target: further far ones, and what is behind the tunnel if it had as long to
// answer as an echo request has.
func (j *Judge) decidedWithout(i int, t *Target) bool {
	switch {
	case t.Role == Far:
		return true
	case !t.Role.ThroughTunnel || j.sum.otherwise:
		return false
	case t.Endpoint.Scheme == ICMP:
		first := j.chosen[i] != nil && j.firstLook(j.chosen[i]) != lookGoesOn
		return first && j.ev.age(j.chosen[i].first.last, j.now) >= j.ev.wait
	}
	return j.quiet(i)
}
