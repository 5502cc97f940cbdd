package vpn

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"checkvpn/pkg/nagios"
)

// Cause is what broke, or that nothing did.
type Cause string

// The causes, in the order in which they lead if their states are alike. Those
// from resolver-down to down exclude each other.
const (
	Misuse       Cause = "misuse"        // bad arguments, or no permission to ask
	Failed       Cause = "failed"        // a panic, or ended before anything was known
	ResolverDown Cause = "resolver-down" // no far target has an address
	Filtered     Cause = "filtered"      // traffic passes the tunnel, but what is asked is blocked
	RefusedBy    Cause = "refused"       // something far says no
	TooFew       Cause = "too-few"       // some far targets answer, but fewer than must
	NearDown     Cause = "near-down"     // our own side
	PeerDown     Cause = "peer-down"     // the far end's side on the internet
	TunnelDown   Cause = "tunnel-down"   // both ends live, nothing passes
	Down         Cause = "down"          // nothing passes, and no peer was asked
	Bypassed     Cause = "bypassed"      // traffic leaves outside the tunnel
	BlackHole    Cause = "black-hole"    // no packet of the size of --mtu passes
	Degraded     Cause = "degraded"      // packet loss or round-trip time beyond the limits
	Unprotected  Cause = "unprotected"   // traffic passes, but fewer peers answer than must
	Partial      Cause = "partial"       // some hosts, not the tunnel
	ServiceDown  Cause = "service-down"  // the tunnel is well, what it is for is not
	Up           Cause = "up"            // everything asked for holds
)

var causes = []Cause{Misuse, Failed, ResolverDown, Filtered, RefusedBy, TooFew, NearDown, PeerDown, TunnelDown, Down,
	Bypassed, BlackHole, Degraded, Unprotected, Partial, ServiceDown, Up}

// Problem is one thing that is wrong.
type Problem struct {
	Cause Cause
	// State is that before the impact, which each plugin adds.
	State   nagios.State
	Role    Role   // of service-down: whose targets fail
	Targets []int  // whom it is about, by their places in Plan.Targets; empty if it is the tunnel
	Reason  error  // of misuse and failed
	Impact  string // what it means for people, if the plugin has said so
}

// Verdict is the judgement of the tunnel.
type Verdict struct {
	// Problems are what is wrong, the worst first; never empty: one of the cause
	// Up is none.
	Problems []Problem
	Findings []Finding // in the order of the targets
	Plan     *Plan

	FarUp, FarTotal int
	Figures         Figures // of all answering far icmp targets together
	Alarm           *Alarm  // what the limits were passed by, if degraded; else nil
	Withheld        bool    // round-trip times may break a limit, but this program did not run all the time
	CutShort        bool    // a signal or -t ended the check
	Evidence        []string

	noInterface *Fault // the interface of --via is not there
	unevenSize  []int  // far targets that big packets do not pass to, though they do to others
}

// Figures are those of the first look: each target that answers has as much
// weight as any other, and what happened later changes nothing.
type Figures struct {
	Loss     float64       // percent, 0 to 100
	Measured bool          // whether Loss is known
	RTA      time.Duration // round-trip average; 0 if it was not measured
}

func newFigures(known, lost int, rta time.Duration) Figures {
	f := Figures{RTA: rta, Measured: known > 0}
	if f.Measured {
		f.Loss = percent(lost, known)
	}
	return f
}

// Finding is the judgement of one target on its own.
type Finding struct {
	Target Target
	Fate   Fate
	State  nagios.State // of this target alone
	Addr   netip.Addr   // that it is judged by; invalid if it has none
	Figures
	Sent, Received int    // packets of the first look, or attempts
	Late           int    // answers that came too late to count, if there were no others
	Named          string // what it lost more than others, as "lost 9 of 35"; empty if it did not
	Unsent         *Fault // why packets to it did not leave, though it answers others
	Reason         *Fault // why it does not answer, as far as known
	Answer         string // what it answered, if that has a name
	OffWay         *Route // a route to it that does not leave by --via
	Uncertain      bool   // it has several routes: --via cannot be told
	Routes         []Route
	Size           *Size // of --mtu; nil if that was not asked
	Marks          []Mark
	Privilege      string // how echo requests were sent: unprivileged or raw; empty if none were
}

// Mark is one packet or attempt, for people.
type Mark struct {
	Fate  Fate
	Took  time.Duration
	At    time.Duration
	Words string // why there was no answer, if known
}

// Lead is the worst problem: its cause and state are those of the verdict.
func (v Verdict) Lead() Problem { return v.Problems[0] }

// Sort puts the worst problem first, then as the causes are ordered.
func (v *Verdict) Sort() {
	slices.SortStableFunc(v.Problems, func(a, b Problem) int {
		return cmp.Or(nagios.Compare(a.State, b.State), cmp.Compare(slices.Index(causes, a.Cause), slices.Index(causes, b.Cause)))
	})
}

// Down tells whether the tunnel passes too little traffic, for whatever cause.
func (v Verdict) Down() bool {
	return slices.ContainsFunc(v.Problems, func(p Problem) bool { return p.Cause.Down() })
}

// Down tells whether the tunnel passes no traffic, or too little, by this cause.
func (c Cause) Down() bool {
	switch c {
	case ResolverDown, RefusedBy, TooFew, NearDown, PeerDown, TunnelDown, Down:
		return true
	}
	return false
}

// NotChecked tells whether nothing can be said of the tunnel, by this cause.
func (c Cause) NotChecked() bool { return c == Misuse || c == Failed }

// Has tells whether there is a problem of this cause.
func (v Verdict) Has(c Cause) bool {
	return slices.ContainsFunc(v.Problems, func(p Problem) bool { return p.Cause == c })
}

// Role counts the targets of a role: how many answer, and how many there are. A
// gateway that says no lives, so it counts.
func (v Verdict) Role(name string) (answering, asked int) {
	for _, f := range v.Findings {
		if f.Target.Role.Name == name {
			asked++
			if f.Answers() {
				answering++
			}
		}
	}
	return answering, asked
}

// Answers tells whether the target answered; a gateway also if it said no.
func (f Finding) Answers() bool {
	return f.Fate == Answers || f.Fate == SaysNo && f.Target.Role.IsGateway()
}

// Verdict is the judgement of what is known. It is final once Step has said
// that it is decided.
func (j *Judge) Verdict() Verdict {
	v := Verdict{Plan: j.plan, CutShort: j.stopped}
	for i := range j.plan.Targets {
		v.Findings = append(v.Findings, j.finding(i))
	}
	v.FarUp, v.FarTotal = v.Role(Far.Name)
	v.Figures = j.loss.figures()
	v.Withheld = j.loss.withheld
	v.Problems = j.problems(&v)
	v.Sort()
	v.setStates()
	v.Evidence = j.evidenceLines(&v)
	return v
}

// problems are all that is wrong. What excludes a problem is looked at before
// one is chosen, and none hides another.
func (j *Judge) problems(v *Verdict) (list []Problem) {
	if p, broken := j.broken(); broken {
		return []Problem{p}
	}
	down := j.sum.down
	cause := Cause("")
	if down {
		cause = j.whyDown(v)
		state := nagios.Critical
		if cause == Filtered {
			state = nagios.Warning
		}
		list = append(list, Problem{Cause: cause, State: state})
	}
	list = append(list, j.ownFaults()...)
	if j.sum.up >= j.plan.Limits.MinFar || cause == Filtered {
		list = append(list, j.passing(v, cause == Filtered)...)
	} else if cause == TooFew {
		list = append(list, j.passingToSome(v)...)
	}
	if j.stopped && !down && j.unfinished() {
		list = append(list, Problem{Cause: Failed, State: nagios.Unknown, Reason: j.whyStopped()})
	}
	if len(list) == 0 {
		list = append(list, Problem{Cause: Up, State: nagios.OK})
	}
	return list
}
