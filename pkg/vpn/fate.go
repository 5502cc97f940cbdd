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
	f := &a.first
	switch {
	case a.heard():
		return Answers
	case !j.stopped && j.anotherMayAnswer(i):
		return NotKnown
	case a.icmp != nil && a.icmp.From == a.addr.WithZone(""):
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
