package vpn

import "slices"

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
	for i, r := range j.ev.targets {
		switch {
		case j.chosen[i] != nil && r.target.Endpoint.Scheme == ICMP:
			j.fates[i] = j.pinged(i)
		case j.chosen[i] != nil:
			j.fates[i] = j.connected(i)
		case !r.resolved:
			j.fates[i] = NotKnown
		case r.fault.isOwn():
			j.fates[i] = NotAsked
		default: // its name has no address
			j.fates[i] = Silent
		}
	}
	j.giveUp()
}

// pinged is the fate of a target that is asked by echo requests.
func (j *Judge) pinged(i int) Fate {
	a := j.chosen[i]
	f := &a.first
	switch {
	case a.heard():
		return Answers
	case !j.stopped && j.anotherMayAnswer(i):
		return NotKnown
	case a.saidItself(a.icmp):
		return SaysNo
	case f.sent() == 0 && a.own != nil && (f.void >= j.plan.Packets || j.stopped):
		return NotAsked
	case j.isSilent(i), j.stopped && f.lost == f.sent() && f.sent() >= j.plan.Packets:
		return Silent
	}
	return NotKnown
}

// anotherMayAnswer tells whether an address of a name that it is not judged by has
// not been asked in full, or may still answer in time.
func (j *Judge) anotherMayAnswer(i int) bool {
	return slices.ContainsFunc(j.ev.targets[i].addrs, func(a *asked) bool {
		return a != j.chosen[i] && a.own == nil && (j.firstLook(a) == lookGoesOn || a.first.known < a.first.sent())
	})
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
	best, open := j.bestOf(i)
	if open && best < Answers {
		return NotKnown
	}
	return best
}

// bestOf is the best that became of the attempts to connect to a target, and
// whether one is still open or to follow.
func (j *Judge) bestOf(i int) (best Fate, open bool) {
	for _, a := range j.ev.targets[i].addrs {
		fate, goesOn := j.ev.connected(a)
		best = max(best, fate)
		open = open || goesOn || fate > NotAsked && fate < Answers && j.ask.again(a)
	}
	return best, open
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
	isQuiet := func(t attempt) bool { return t.state == underWay && j.ev.age(t.at, j.now) >= j.ev.wait }
	return slices.ContainsFunc(j.ev.targets[i].addrs, func(a *asked) bool { return slices.ContainsFunc(a.attempts, isQuiet) })
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
			best, _ := j.bestOf(i)
			j.fates[i] = max(Silent, best)
		}
	}
}

// hostIsSilent tells whether an address of a target is that of a far target which
// answers no echo request.
func (j *Judge) hostIsSilent(i int) bool {
	return j.any(func(k int, t *Target) bool {
		return t.IsFarPinged() && j.fates[k] == Silent && j.chosen[k] != nil &&
			j.ev.targets[i].address(j.chosen[k].addr) != nil
	})
}

// pingsTellDown tells whether there are far icmp targets, and all that are not
// known yet are connections that would have to make up for them.
func (j *Judge) pingsTellDown() bool {
	pinged, up := false, 0
	for i := range j.plan.Targets {
		switch t, fate := &j.plan.Targets[i], j.fates[i]; {
		case t.Role != Far:
		case fate == Answers:
			up++
		case t.Endpoint.Scheme != ICMP:
		case fate == NotKnown:
			return false
		default:
			pinged = pinged || fate == Silent
		}
	}
	return pinged && up < j.plan.Limits.MinFar
}
