package vpn

import (
	"slices"
	"time"

	"checkvpn/pkg/nagios"
)

// finding is what is known of one target. Its state is set when the problems
// are known.
func (j *Judge) finding(i int) Finding {
	f := Finding{Target: j.plan.Targets[i], Fate: j.fates[i]}
	r, a := j.ev.targets[i], j.chosen[i]
	if a == nil {
		f.Reason = r.fault
		return f
	}
	f.Addr, f.Routes = a.addr, a.routes
	if f.Target.Endpoint.Scheme == ICMP {
		j.echoes(&f, a)
	} else {
		a.connections(&f)
	}
	f.OffWay = j.offWay(i)
	f.Uncertain = slices.ContainsFunc(a.routes, func(r Route) bool { return j.plan.Limits.Via.Holding(r) == CannotSay })
	f.Named = j.loss.named(i)
	f.Size = j.size.finding(i)
	if f.Fate == NotAsked {
		f.Reason = j.ownFault(i)
	}
	return f
}

// echoes are the figures of the first look at an icmp target, and why it does
// not answer. Of one that does not, each packet counts.
func (j *Judge) echoes(f *Finding, a *asked) {
	var sum time.Duration
	timed, unsent := 0, false
	for k := range a.packets {
		p := &a.packets[k]
		if p.look == Sizes || p.look == Path || p.state == planned || p.state == void {
			continue
		}
		f.Marks = append(f.Marks, j.mark(a, p))
		unsent = unsent || p.state == failed
		count(&f.Sent, f.Fate != Answers && j.ev.known(p, j.now))
		if p.look == FirstLook && p.state == answered && p.paused == 0 {
			sum, timed = sum+p.took, timed+1
		}
	}
	if f.Fate == Answers {
		f.Sent, f.Received = a.first.known, a.first.inTime
	}
	f.Figures = newFigures(f.Sent, f.Sent-f.Received, sum/time.Duration(max(timed, 1)))
	if f.Fate == Answers && f.Received == 0 {
		f.Late = a.first.answered
	}
	switch {
	case f.Fate < Answers && a.icmp != nil:
		f.Reason = &Fault{Code: OtherFault, Words: a.icmp.words(a.addr)}
	case f.Fate < Answers:
		f.Reason = a.fault
	case unsent:
		f.Unsent = a.fault
	}
}

func (j *Judge) mark(a *asked, p *packet) Mark {
	m := Mark{Fate: NotKnown, Took: p.took, At: p.sent}
	switch {
	case p.inTime():
		m.Fate = Answers
	case p.state == answered:
		m.Fate, m.Words = Silent, "late: "+Milliseconds(p.took)
	case j.ev.lost(p, j.now):
		m.Fate = Silent
	}
	if p.state == failed && a.fault != nil {
		m.Words = a.fault.Words
	}
	return m
}

// connections are the figures of a target that is asked by connections.
func (a *asked) connections(f *Finding) {
	for k := range a.attempts {
		t := &a.attempts[k]
		m := Mark{Fate: NotKnown, Took: t.took, At: t.at}
		switch {
		case t.state == answered:
			m.Fate, m.Words = Answers, t.answer
			f.Received++
			f.RTA, f.Answer = t.took, t.answer
		case t.state == refused:
			m.Fate = SaysNo
		case t.state == failed, t.state == underWay && f.Fate == Silent:
			m.Fate = Silent
		case t.state == void, t.state == planned:
			continue
		}
		if m.Fate != NotKnown {
			f.Sent++
		}
		if reason := t.reason(a); reason != nil && m.Fate != Answers {
			f.Reason, m.Words = reason, reason.Words
		}
		f.Marks = append(f.Marks, m)
	}
}

// reason is what became of one attempt, and nothing else.
func (t *attempt) reason(a *asked) *Fault {
	if t.icmp != nil && t.icmp.what(a.addr) != "" {
		return &Fault{Code: OtherFault, Words: t.icmp.words(a.addr)}
	}
	return t.fault
}

// setStates gives each finding the state that it has alone. A gateway that is
// silent is UNKNOWN, because it may filter, unless the verdict is that its silence
// is the outage.
func (v *Verdict) setStates() {
	filtered := v.Has(Filtered)
	blamed := map[Role]bool{Near: v.Has(NearDown), Peer: v.Has(PeerDown)}
	for i := range v.Findings {
		f := &v.Findings[i]
		gateway := f.Target.Role.IsGateway()
		switch {
		case v.blames(BlackHole, i), f.Fate == Silent && f.Addr.IsValid() && blamed[f.Target.Role]:
			f.State = nagios.Critical
		case f.Fate == NotKnown, f.Fate == NotAsked, !f.Answers() && gateway:
			f.State = nagios.Unknown
		case f.Fate == Answers && v.blames(Bypassed, i):
			f.State = nagios.Critical
		case f.Answers():
			f.State = v.quality(f)
		case filtered && f.Target.Role == Far:
			f.State = nagios.Warning
		default:
			f.State = nagios.Critical
		}
	}
}

// blames tells whether a problem of a cause is about a target.
func (v *Verdict) blames(c Cause, i int) bool {
	return slices.ContainsFunc(v.Problems, func(p Problem) bool { return p.Cause == c && slices.Contains(p.Targets, i) })
}

// quality is the state of a target that answers. What is judged of all together
// is said of each.
func (v *Verdict) quality(f *Finding) nagios.State {
	switch {
	case !f.Target.IsFarPinged():
		return nagios.OK
	case v.Alarm != nil:
		return v.Alarm.State
	case f.Named != "", f.Size != nil && f.Size.Vanishes():
		return nagios.Warning
	}
	return nagios.OK
}
