package vpn

import (
	"cmp"
	"net/netip"
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
	if j.stopped || !j.undecided && j.closed() {
		return Wants{}, true
	}
	return j.ask.wants(), false
}

// choose finds for each target the address that says most of it. Of several
// that are as good it is the first: the order is the resolver's.
func (j *Judge) choose() {
	for i, r := range j.ev.targets {
		if len(r.addrs) == 0 {
			continue
		}
		if j.chosen[i] == nil {
			j.chosen[i] = r.addrs[0]
		}
		if len(r.addrs) > 1 {
			j.chosen[i] = slices.MaxFunc(r.addrs, (*asked).compare)
		}
	}
}

// compare tells which of two addresses of a name says more of the target: one
// that could not be asked, by our own fault, says the least.
func (a *asked) compare(b *asked) int {
	if n := cmp.Compare(a.answers(), b.answers()); n != 0 || (a.own == nil) == (b.own == nil) {
		return n
	}
	if a.own != nil {
		return -1
	}
	return 1
}

// answers is how many packets and attempts were answered, however late.
func (a *asked) answers() (n int) {
	for i := range a.packets {
		if a.packets[i].state == answered {
			n++
		}
	}
	for i := range a.attempts {
		if a.attempts[i].state == answered {
			n++
		}
	}
	return n
}

// farPinged are the far icmp targets that the loss test can look at: of a name
// with several addresses it must be clear which one is looked at.
func (j *Judge) farPinged() []lossTarget {
	list := j.ask.far[:0]
	for i, t := range j.plan.Targets {
		if t.Role != Far || t.Endpoint.Scheme != ICMP || j.chosen[i] == nil {
			continue
		}
		if r := j.ev.targets[i]; len(r.addrs) > 1 && !j.oneChosen(r) {
			continue
		}
		list = append(list, lossTarget{index: i, asked: j.chosen[i]})
	}
	j.ask.far = list
	return list
}

// oneChosen tells whether one address has answered its first look in full, or
// all first looks are over.
func (j *Judge) oneChosen(r *record) bool {
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
	var last time.Duration
	done, all := 0, true
	for i := range a.packets {
		switch p := &a.packets[i]; {
		case p.look != FirstLook:
		case p.state == planned:
			return lookGoesOn
		default:
			done++
			last = max(last, p.sent)
			all = all && p.state == answered
		}
	}
	switch {
	case done < j.plan.Packets:
		return lookGoesOn
	case all:
		return lookAnswered
	case j.ev.age(last, j.now) >= recheckDelay:
		return lookOver
	}
	return lookGoesOn
}

// Fate is what became of a target.
type Fate uint8

// The fates, from the least known to the most.
const (
	NotKnown Fate = iota // it was not asked yet, or may still answer
	NotAsked             // it could not be asked, by our own fault
	Silent               // it does not answer
	SaysNo               // it lives, and refuses what it is asked
	Answers              // it answers
)

// weigh finds the fate of each target.
func (j *Judge) weigh() {
	for i, t := range j.plan.Targets {
		switch {
		case j.chosen[i] == nil:
			j.fates[i] = j.nameless(j.ev.targets[i])
		case t.Endpoint.Scheme == ICMP:
			j.fates[i] = j.pinged(i)
		default:
			j.fates[i] = j.connected(i)
		}
	}
	j.giveUp()
}

// nameless is the fate of a target that has no address.
func (j *Judge) nameless(r *record) Fate {
	switch {
	case !r.resolved:
		return NotKnown
	case r.fault.isOwn():
		return NotAsked
	}
	return Silent
}

// pinged is the fate of a target that is asked by echo requests.
func (j *Judge) pinged(i int) Fate {
	a := j.chosen[i]
	sent, voids, heard, old := 0, 0, false, true
	for k := range a.packets {
		switch p := &a.packets[k]; {
		case p.state == answered:
			heard = true
		case p.state == void:
			voids++
		case p.state >= underWay && p.look == FirstLook:
			sent++
			old = old && j.ev.lost(p, j.now)
		}
	}
	switch {
	case heard:
		return Answers
	case !j.stopped && j.anotherMayAnswer(i):
		return NotKnown
	case a.icmp != nil && a.icmp.From == a.addr.WithZone(""):
		return SaysNo
	case sent == 0 && a.own != nil && (voids >= j.plan.Packets || j.stopped):
		return NotAsked
	case j.isSilent(i), j.stopped && old && sent >= j.plan.Packets:
		return Silent
	}
	return NotKnown
}

// anotherMayAnswer tells whether an address of a name that it is not judged by has
// not been asked in full, or may still answer in time.
func (j *Judge) anotherMayAnswer(i int) bool {
	for _, a := range j.ev.targets[i].addrs {
		if a == j.chosen[i] || a.own != nil {
			continue
		}
		if j.firstLook(a) == lookGoesOn {
			return true
		}
		for k := range a.packets {
			if p := &a.packets[k]; p.look == FirstLook && !j.ev.known(p, j.now) {
				return true
			}
		}
	}
	return false
}

// isSilent tells whether the silence look at a target is over and found nothing.
func (j *Judge) isSilent(i int) bool {
	if j.plan.Targets[i].Role == Far {
		return j.loss.isSilent(i)
	}
	return j.ask.quick[i] != nil && j.ask.quick[i].isSilent(j.ev, j.now)
}

// connected is the fate of a target that is asked by connections.
func (j *Judge) connected(i int) Fate {
	r := j.ev.targets[i]
	best, pending := NotKnown, false
	for _, a := range r.addrs {
		fate, open := j.ev.connected(a)
		best = max(best, fate)
		pending = pending || open || fate > NotAsked && fate < Answers && j.ask.again(a)
	}
	if pending && best < Answers {
		return NotKnown
	}
	return best
}

// connected is the best that became of the attempts to connect to an address,
// and whether one is still open. One that had less time than an echo request has
// does not show that anybody is silent.
func (e *evidence) connected(a *asked) (best Fate, open bool) {
	for i := range a.attempts {
		switch t := &a.attempts[i]; t.state {
		case answered:
			best = Answers
		case refused:
			best = max(best, SaysNo)
		case failed:
			if t.fault == nil || t.fault.Code != Timeout || e.age(t.at, t.at+t.took) >= e.wait {
				best = max(best, Silent)
			}
		case void:
			best = max(best, NotAsked)
		case underWay, planned:
			open = true
		}
	}
	return best, open || len(a.attempts) == 0
}

// quiet tells whether a connection has had as long to be answered as an echo
// request has.
func (j *Judge) quiet(i int) bool {
	for _, a := range j.ev.targets[i].addrs {
		for k := range a.attempts {
			if t := &a.attempts[k]; t.state == underWay && j.ev.age(t.at, j.now) >= j.ev.wait {
				return true
			}
		}
	}
	return false
}

// giveUp takes connections for silent that may still be answered, if waiting
// longer is of no use: when echo requests have told that the tunnel is dead, or
// the very host, and when the time is up. If one address of a name says no, that
// is more.
func (j *Judge) giveUp() {
	dead := j.pingsTellDown()
	for i, t := range j.plan.Targets {
		if j.fates[i] == NotKnown && t.Endpoint.Scheme != ICMP && j.quiet(i) &&
			(j.stopped || dead && t.Role == Far || !dead && j.hostIsSilent(i)) {
			j.fates[i] = Silent
			for _, a := range j.ev.targets[i].addrs {
				best, _ := j.ev.connected(a)
				j.fates[i] = max(j.fates[i], best)
			}
		}
	}
}

// hostIsSilent tells whether an address of a target is that of a far target which
// answers no echo request.
func (j *Judge) hostIsSilent(i int) bool {
	for k, t := range j.plan.Targets {
		if t.Role == Far && j.fates[k] == Silent && t.Endpoint.Scheme == ICMP && j.chosen[k] != nil &&
			j.ev.targets[i].address(j.chosen[k].addr) != nil {
			return true
		}
	}
	return false
}

// pingsTellDown tells whether there are far icmp targets, and all that are not
// known yet are connections that would have to make up for them.
func (j *Judge) pingsTellDown() bool {
	pinged := false
	for i, t := range j.plan.Targets {
		if t.Role != Far {
			continue
		}
		switch {
		case j.fates[i] == Answers && j.plan.Limits.MinFar <= 1:
			return false
		case t.Endpoint.Scheme != ICMP:
		case j.fates[i] == NotKnown:
			return false
		default:
			pinged = pinged || j.fates[i] == Silent
		}
	}
	up, _ := j.count(Far, Answers)
	return pinged && up < j.plan.Limits.MinFar
}

// count counts the targets of a role that have a fate, and all of them.
func (j *Judge) count(r Role, f Fate) (n, total int) {
	for i, t := range j.plan.Targets {
		if t.Role == r {
			total++
			if j.fates[i] == f {
				n++
			}
		}
	}
	return n, total
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
	for i, t := range j.plan.Targets {
		if t.Role != Far {
			continue
		}
		if s.firstFar < 0 && j.chosen[i] != nil {
			s.firstFar = i
		}
		switch j.fates[i] {
		case Answers:
			s.up++
		case NotKnown:
			s.perhaps++
		case NotAsked:
			s.unasked++
		case Silent:
			s.silent++
		}
	}
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
	for i, t := range j.plan.Targets {
		if j.fates[i] == NotKnown && (!j.sum.down || !j.settledWithout(i, t)) {
			return true
		}
	}
	return !j.sum.down && (!j.loss.over || j.size.open || j.choosing() || j.measuring())
}

// measuring tells whether the first look at a target that answers goes on. One
// answer is enough to judge a gateway by, but its figures are of all packets.
func (j *Judge) measuring() bool {
	for i, t := range j.plan.Targets {
		if t.Endpoint.Scheme == ICMP && t.Role != Far && j.fates[i] == Answers && j.firstLook(j.chosen[i]) == lookGoesOn {
			return true
		}
	}
	return false
}

// choosing tells whether it is not clear yet by which of its addresses a far
// icmp target is measured.
func (j *Judge) choosing() bool {
	for i, t := range j.plan.Targets {
		r := j.ev.targets[i]
		if t.Role == Far && t.Endpoint.Scheme == ICMP && len(r.addrs) > 1 && j.fates[i] != NotAsked && !j.oneChosen(r) {
			return true
		}
	}
	return false
}

// settledWithout tells whether the verdict on a dead tunnel does not wait for a
// target: further far ones, and what is behind the tunnel if it had as long to
// answer as an echo request has.
func (j *Judge) settledWithout(i int, t Target) bool {
	switch {
	case t.Role == Far:
		return true
	case !t.Role.ThroughTunnel || j.sum.otherwise:
		return false
	case t.Endpoint.Scheme == ICMP:
		first := j.chosen[i] != nil && j.firstLook(j.chosen[i]) != lookGoesOn
		return first && j.ev.age(j.lastSent(i), j.now) >= j.ev.wait
	}
	return j.quiet(i)
}

func (j *Judge) lastSent(i int) (last time.Duration) {
	for k := range j.chosen[i].packets {
		if p := &j.chosen[i].packets[k]; p.look == FirstLook {
			last = max(last, p.sent)
		}
	}
	return last
}

// closed tells whether what is asked last of all has been asked: routes may have
// changed meanwhile, and counters tell what passed.
func (j *Judge) closed() bool {
	for _, l := range j.ask.last() {
		switch l.Kind {
		case AskRoute:
			if j.address(l.Target, l.Addr).routesAsked < 2 {
				return false
			}
		case Count:
			if j.ev.gone[l.Interface] == nil && len(j.ev.counts[l.Interface]) < 2 {
				return false
			}
		}
	}
	return true
}

func (j *Judge) address(target int, addr netip.Addr) *asked {
	return j.ev.targets[target].address(addr)
}
