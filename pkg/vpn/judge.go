// Package vpn is the judgement: a tunnel's targets and what is known of each
// go in, a verdict comes out. It is pure: no clock, no network, no printing.
package vpn

import (
	"errors"
	"slices"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
)

// Cause is what broke, or that nothing did.
type Cause string

// The causes, in the order in which they are looked for: the first match wins.
const (
	Misuse       Cause = "misuse"        // bad arguments, or no permission to ask
	Failed       Cause = "failed"        // a panic, or ended before the first look was over
	RefusedBy    Cause = "refused"       // something far answers, but says no
	NearDown     Cause = "near-down"     // our own side
	ResolverDown Cause = "resolver-down" // no far target has an address
	PeerDown     Cause = "peer-down"     // the other end's internet side
	TunnelDown   Cause = "tunnel-down"   // both ends alive, nothing passes
	Down         Cause = "down"          // nothing passes, and no peer was asked
	Bypassed     Cause = "bypassed"      // traffic leaves outside the tunnel
	BlackHole    Cause = "black-hole"    // no packet of the size of --mtu passes
	Degraded     Cause = "degraded"      // loss or round-trip time beyond the limits
	Partial      Cause = "partial"       // some machines, not the tunnel
	ServiceDown  Cause = "service-down"  // the tunnel is well, what it is for is not
	Up           Cause = "up"            // everything asked for holds
)

// Limits are what a tunnel is judged by.
type Limits struct {
	Warning, Critical nagios.Pair
	MinFar            int          // far targets that must answer; at least 1
	Partial           nagios.State // when the tunnel passes traffic, but not to or from every far target
	Via               probe.Via    // the way that traffic to far targets must leave by
}

// Observation is a target and what is known of it.
type Observation struct {
	Target Target
	Result probe.Result
}

// Finding is the judgement of one target on its own.
type Finding struct {
	Observation
	Answers bool         // it answered; near and peer by a refusal too
	State   nagios.State // of this target alone
	OffWay  *probe.Route // a route to it that does not leave by --via; nil where all do
	Loss    float64      // percent of its packets or attempts; 100 where it did not answer
	RTA     time.Duration
}

// Verdict is the judgement of the tunnel. Its state is that before the impact,
// which each plugin adds.
type Verdict struct {
	Cause    Cause
	State    nagios.State
	Findings []Finding // in the order of the observations
	Limits   Limits

	FarUp, FarTotal int
	Loss            float64       // percent, of the packets to all answering far targets; 100 where none answers
	RTA             time.Duration // mean over the same packets; 0 where nothing was measured
	Reason          error         // for Misuse and Failed: what went wrong
}

// Failed is the verdict when the check itself failed, with what was found so
// far.
func (v Verdict) Failed(reason error, state nagios.State) Verdict {
	v.Cause, v.State, v.Reason = Failed, state, reason
	return v
}

// Down tells whether the tunnel passes no traffic, for whatever cause.
func (v Verdict) Down() bool {
	switch v.Cause {
	case RefusedBy, NearDown, ResolverDown, PeerDown, TunnelDown, Down:
		return true
	}
	return false
}

// Role counts the targets of a role: how many answer, and how many there are.
func (v Verdict) Role(r Role) (answering, asked int) {
	for _, f := range v.Findings {
		if f.Target.Role == r {
			asked++
			if f.Answers {
				answering++
			}
		}
	}
	return answering, asked
}

// silent tells whether a role was asked and nothing of it answers. A target
// that could not be asked, for want of an address or of permission, tells
// nothing.
func (v Verdict) silent(r Role) bool {
	asked := 0
	for _, f := range v.Findings {
		if f.Target.Role == r && f.Result.Addr.IsValid() && f.Result.Err == nil {
			asked++
		}
	}
	answering, _ := v.Role(r)
	return asked > 0 && answering == 0
}

// Judge weighs the evidence. A pending attempt counts neither as answered nor
// as lost.
func Judge(l Limits, evidence []Observation) Verdict {
	v := Verdict{Limits: l, Findings: make([]Finding, len(evidence))}
	for i, o := range evidence {
		v.Findings[i] = assess(l, o)
	}
	v.FarUp, v.FarTotal = v.Role(Far)
	v.pool()
	v.Cause, v.State, v.Reason = v.judge()
	for i := range v.Findings {
		if f := &v.Findings[i]; v.Cause == BlackHole && f.stuck() {
			f.State = nagios.Critical
		}
	}
	return v
}

// pool counts the packets of all answering far targets together: more samples
// make a surer verdict. Connections are no packets, and stay out.
func (v *Verdict) pool() {
	var sent, received int
	var took time.Duration
	for _, f := range v.Findings {
		if f.Target.Role == Far && f.Answers && f.Target.Endpoint.Scheme == probe.ICMP {
			sent += f.Result.Sent()
			received += f.Result.Received()
			took += f.Result.Took()
		}
	}
	if v.FarUp == 0 {
		v.Loss = 100
	}
	if received > 0 {
		v.Loss = lossOf(sent, received)
		v.RTA = took / time.Duration(received)
	}
}

// lossOf is exact where the percentage is a whole number, so that one packet
// of five is 20 and not a little more.
func lossOf(sent, received int) float64 {
	return float64(100*(sent-received)) / float64(sent)
}

func (v *Verdict) judge() (Cause, nagios.State, error) {
	if err := v.unable(); err != nil {
		var own *probe.UnableError
		if errors.As(err, &own) && own.Remedy != "" {
			return Misuse, nagios.Unknown, err
		}
		return Failed, nagios.Unknown, err
	}
	if !v.firstLookOver() {
		return Failed, nagios.Unknown, errors.New("ended before the first look was over")
	}
	if v.FarUp < v.Limits.MinFar {
		return v.whyDown(), nagios.Critical, nil
	}
	if slices.ContainsFunc(v.Findings, Finding.bypasses) {
		return Bypassed, nagios.Critical, nil
	}
	if stuck := v.stuck(); len(stuck) > 0 && !slices.ContainsFunc(v.Findings, Finding.passesBig) {
		return BlackHole, nagios.Critical, nil
	}
	switch ms := milliseconds(v.RTA); {
	case v.Limits.Critical.Alert(ms, v.RTA > 0, v.Loss):
		return Degraded, nagios.Critical, nil
	case v.Limits.Warning.Alert(ms, v.RTA > 0, v.Loss):
		return Degraded, nagios.Warning, nil
	}
	partial := v.worstFar() != nagios.OK
	failing := len(v.failing(Service)) + len(v.failing(Replication)) + len(v.failing(Public))
	switch {
	// Where silent machines are no problem of this check, they must not hide one.
	case partial && (v.Limits.Partial != nagios.OK || failing == 0):
		return Partial, v.Limits.Partial, nil
	case failing > 0:
		return ServiceDown, nagios.Warning, nil
	}
	return Up, nagios.OK, nil
}

// whyDown tells the causes of a dead tunnel apart.
func (v *Verdict) whyDown() Cause {
	peers, _ := v.Role(Peer)
	switch {
	case len(v.refusing()) > 0:
		return RefusedBy
	case v.silent(Near):
		return NearDown
	case v.unresolved():
		return ResolverDown
	case v.silent(Peer):
		return PeerDown
	case peers > 0:
		return TunnelDown
	}
	return Down
}

// unable is the first reason for which a far target could not be asked.
func (v *Verdict) unable() error {
	for _, f := range v.Findings {
		var own *probe.UnableError
		if f.Target.Role == Far && errors.As(f.Result.Err, &own) {
			return own
		}
	}
	return nil
}

func (v *Verdict) firstLookOver() bool {
	for _, f := range v.Findings {
		if !f.Result.FirstLookOver {
			return false
		}
	}
	return true
}

// unresolved tells whether no far target has an address.
func (v *Verdict) unresolved() bool {
	for _, f := range v.Findings {
		if f.Target.Role == Far && f.Result.Addr.IsValid() {
			return false
		}
	}
	return true
}

// refusing are the far targets that said no themselves.
func (v *Verdict) refusing() (list []Finding) {
	for _, f := range v.Findings {
		if f.Target.Role == Far && f.Result.Outcome() == probe.Refused {
			list = append(list, f)
		}
	}
	return list
}

// failing are the targets of a role that do not answer.
func (v *Verdict) failing(r Role) (list []Finding) {
	for _, f := range v.Findings {
		if f.Target.Role == r && !f.Answers {
			list = append(list, f)
		}
	}
	return list
}

func (v *Verdict) worstFar() nagios.State {
	worst := nagios.OK
	for _, f := range v.Findings {
		if f.Target.Role == Far {
			worst = nagios.Worst(worst, f.State)
		}
	}
	return worst
}

// assess judges one target on its own.
func assess(l Limits, o Observation) Finding {
	f := Finding{Observation: o, Loss: 100}
	outcome := o.Result.Outcome()
	gateway := o.Target.Role == Near || o.Target.Role == Peer
	f.Answers = outcome == probe.Answered || gateway && outcome == probe.Refused
	if received := o.Result.Received(); received > 0 {
		f.Loss = lossOf(o.Result.Sent(), received)
		f.RTA = o.Result.Took() / time.Duration(received)
	}
	for _, r := range o.Result.Routes {
		if o.Target.Role == Far && !l.Via.Holds(r) {
			f.OffWay = &r
		}
	}
	f.State = stateOf(l, f, outcome)
	return f
}

// bypasses tells whether traffic to a far target passes, but not this way.
func (f Finding) bypasses() bool { return f.Answers && f.OffWay != nil }

// stateOf: a gateway that is silent is UNKNOWN, because it may filter; whether
// it matters is for the tunnel's verdict. Limits are for far icmp targets.
func stateOf(l Limits, f Finding, outcome probe.Outcome) nagios.State {
	gateway := f.Target.Role == Near || f.Target.Role == Peer
	var own *probe.UnableError
	switch {
	case errors.As(f.Result.Err, &own), outcome == probe.Pending:
		return nagios.Unknown
	case !f.Answers && gateway:
		return nagios.Unknown
	case !f.Answers:
		return nagios.Critical
	case f.bypasses():
		return nagios.Critical
	case f.Target.Role != Far, f.Target.Endpoint.Scheme != probe.ICMP:
		return nagios.OK
	}
	switch ms := milliseconds(f.RTA); {
	case l.Critical.Alert(ms, true, f.Loss):
		return nagios.Critical
	case l.Warning.Alert(ms, true, f.Loss), f.stuck():
		return nagios.Warning
	}
	return nagios.OK
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
