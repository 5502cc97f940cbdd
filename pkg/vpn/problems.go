package vpn

import (
	"fmt"
	"slices"

	"checkvpn/pkg/nagios"
)

// broken is a check that cannot say anything: there was a panic, or it ended
// before any far target had been asked for as long as an answer counts.
func (j *Judge) broken() (Problem, bool) {
	for _, f := range j.ev.faults {
		if f.Code == Bug {
			return Problem{Cause: Failed, State: nagios.Unknown, Reason: f}, true
		}
	}
	if s := j.sum; j.stopped && s.up < j.plan.Limits.MinFar && s.perhaps > 0 && !s.down {
		return Problem{Cause: Failed, State: nagios.Unknown, Reason: j.whyStopped()}, true
	}
	return Problem{}, false
}

// unfinished tells whether the check ended while something could still have
// changed a verdict of a tunnel that passes traffic. The looks are made to fit
// into -t, so that its end leaves no doubt about what they have measured; a
// signal, or the end of a recording, comes at any time.
func (j *Judge) unfinished() bool {
	return j.cut || slices.Contains(j.fates, NotKnown) || !j.loss.firstKnown()
}

func (j *Judge) whyStopped() error {
	if len(j.ev.faults) > 0 {
		return j.ev.faults[0]
	}
	return &Fault{Code: NoTime, Words: "the time of -t ran out"}
}

// ownFaults are the targets that could not be asked for a fault of this host
// or of the arguments.
func (j *Judge) ownFaults() (list []Problem) {
	for i := range j.plan.Targets {
		if j.fates[i] != NotAsked {
			continue
		}
		fault := j.ownFault(i)
		cause := Failed
		if fault.Code == NoPermission || fault.Code == OwnAddress {
			cause = Misuse
		}
		if n := len(list); n > 0 && list[n-1].Cause == cause {
			list[n-1].Targets = append(list[n-1].Targets, i)
			continue
		}
		list = append(list, Problem{Cause: cause, State: nagios.Unknown, Targets: []int{i}, Reason: fault})
	}
	return list
}

// ownFault is why a target could not be asked.
func (j *Judge) ownFault(i int) *Fault {
	r := j.ev.targets[i]
	if r.fault.isOwn() {
		return r.fault
	}
	for _, a := range r.addrs {
		if a.own != nil {
			return a.own
		}
	}
	return &Fault{Code: NoTime, Words: "there was no time to ask", Own: true}
}

// whyDown tells the causes of a dead tunnel apart.
func (j *Judge) whyDown(v *Verdict) Cause {
	peers, peersAsked := j.lives(Peer)
	nears, nearsAsked := j.lives(Near)
	switch {
	case j.unresolved():
		return ResolverDown
	case j.sum.otherwise:
		return Filtered
	case v.FarUp == 0 && j.refusing():
		return RefusedBy
	case v.FarUp > 0:
		return TooFew
	case nearsAsked > 0 && nears == 0 && peers == 0:
		return NearDown
	case peersAsked > 0 && peers == 0:
		return PeerDown
	case peersAsked > 0:
		return TunnelDown
	}
	return Down
}

// lives counts the gateways of a role that answer or say no, and those that
// were asked. One that could not be asked tells nothing.
func (j *Judge) lives(r Role) (living, asked int) {
	living = len(j.of(r, SaysNo, Answers))
	silent := j.where(func(i int, t *Target) bool {
		return t.Role == r && j.fates[i] == Silent && len(j.ev.targets[i].addrs) > 0 // whose name has an address
	})
	return living, living + len(silent)
}

// unresolved tells whether no far target has an address.
func (j *Judge) unresolved() bool {
	return !j.any(func(i int, t *Target) bool { return t.Role == Far && (j.chosen[i] != nil || j.fates[i] == NotAsked) })
}

// passesOtherwise tells whether something came back through the tunnel though
// no far target answers what it is asked: an answer of what else is behind it,
// or an ICMP error that a far target itself sent. A reset is not enough, because
// firewalls forge it. What may leave by another way proves nothing, and neither
// does what does not leave this host.
func (j *Judge) passesOtherwise() bool {
	return j.any(func(i int, t *Target) bool {
		switch {
		case !t.Role.ThroughTunnel, j.offWay(i) != nil, j.chosen[i] != nil && j.chosen[i].addr.IsLoopback():
			return false
		case t.Role == Far:
			return j.fates[i] == SaysNo && j.rejects(i)
		}
		return j.fates[i] == Answers
	})
}

// rejects tells whether a target itself sent an ICMP error.
func (j *Judge) rejects(i int) bool {
	return slices.ContainsFunc(j.ev.targets[i].addrs, func(a *asked) bool {
		return a.saidItself(a.icmp) || slices.ContainsFunc(a.attempts, func(t attempt) bool { return a.saidItself(t.icmp) })
	})
}

// saidItself tells whether an ICMP error came from the very address that was asked.
func (a *asked) saidItself(m *ICMPMessage) bool { return m != nil && m.From == a.addr.WithZone("") }

// refusing tells whether far targets said no to a connection or a question.
func (j *Judge) refusing() bool {
	return j.any(func(i int, t *Target) bool {
		return t.Role == Far && j.fates[i] == SaysNo && !j.rejects(i) && j.offWay(i) == nil
	})
}

// offWay is a route to a target that leaves otherwise than by --via.
func (j *Judge) offWay(i int) *Route {
	if j.chosen[i] == nil || !j.plan.Targets[i].Role.ThroughTunnel {
		return nil
	}
	for k := range j.chosen[i].routes {
		if r := &j.chosen[i].routes[k]; j.plan.Limits.Via.Holding(*r) == Leaves {
			return r
		}
	}
	return nil
}

// passingToSome are the problems of a tunnel that passes traffic, though not to
// as many as must answer: an impact may make less of too few hosts than of any
// of these. What else fails is no wonder, so it is none.
func (j *Judge) passingToSome(v *Verdict) []Problem {
	return slices.DeleteFunc(j.passing(v, false), func(p Problem) bool {
		return p.Cause == Partial || p.Cause == ServiceDown
	})
}

// passing are the problems of a tunnel that passes traffic. If the far targets
// are filtered, their loss is not known.
func (j *Judge) passing(v *Verdict, filtered bool) (list []Problem) {
	add := func(c Cause, s nagios.State, r Role, targets []int) {
		list = append(list, Problem{Cause: c, State: s, Role: r, Targets: targets})
	}
	if off := j.bypassing(); len(off) > 0 {
		add(Bypassed, nagios.Critical, Far, off)
	}
	if !filtered {
		if stuck, hole := j.size.blackHole(); hole {
			add(BlackHole, nagios.Critical, Far, stuck)
		} else if len(stuck) > 0 {
			v.unevenSize = stuck
		}
		if v.Alarm = j.loss.alarm; v.Alarm != nil {
			add(Degraded, v.Alarm.State, Far, nil)
		} else if n := j.loss.unmeasured(); n > 0 {
			list = append(list, Problem{Cause: Failed, State: nagios.Unknown, Reason: &Fault{Code: NoTime,
				Words: fmt.Sprintf("no time to measure the loss of %d %s", n, plural(n, "host"))}})
		}
	}
	silent := j.of(Peer, Silent)
	// One that could not be asked may be alive; one without an address is of no use.
	if mayLive := len(j.of(Peer, NotKnown, NotAsked, SaysNo, Answers)); len(silent) > 0 && mayLive < j.plan.Limits.MinPeer {
		add(Unprotected, nagios.Warning, Peer, silent)
	}
	if some := j.partial(v); !filtered && len(some) > 0 {
		add(Partial, j.plan.Limits.Partial, Far, some)
	}
	for _, r := range j.roles() {
		if failing := j.of(r, Silent, SaysNo); len(failing) > 0 {
			add(ServiceDown, nagios.Warning, r, failing)
		}
	}
	return list
}

// of are the targets of a role that have one of these fates.
func (j *Judge) of(r Role, fates ...Fate) []int {
	return j.where(func(i int, t *Target) bool { return t.Role == r && slices.Contains(fates, j.fates[i]) })
}

// partial are the far targets that do not answer, or that the tests name.
func (j *Judge) partial(v *Verdict) []int {
	return j.where(func(i int, t *Target) bool {
		fails := t.Role == Far && (j.fates[i] == Silent || j.fates[i] == SaysNo)
		return fails || j.loss.stageOf(i) == foundLossy || slices.Contains(v.unevenSize, i)
	})
}

// roles are those that say what an outage means, in the order of their targets.
func (j *Judge) roles() (list []Role) {
	for _, t := range j.plan.Targets {
		if t.Role != Far && !t.Role.IsGateway() && !slices.Contains(list, t.Role) {
			list = append(list, t.Role)
		}
	}
	return list
}

// bypassing are the targets that answer though packets to them leave otherwise
// than by --via, as the kernel says. If the counters of the interface show that
// fewer packets left by it than were answered, the kernel could not be asked as
// the packets were routed, and all who answered are meant.
func (j *Judge) bypassing() []int {
	off := j.where(func(i int, t *Target) bool { return j.fates[i] == Answers && j.offWay(i) != nil })
	if len(off) == 0 && j.countersContradict() {
		return j.of(Far, Answers)
	}
	return off
}
