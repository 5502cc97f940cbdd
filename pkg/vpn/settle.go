package vpn

import (
	"time"

	"checkvpn/pkg/probe"
)

// Settled tells whether nothing that is still pending can change the cause,
// the state or what the impact depends on. An answer counts until wait after
// its packet.
//
// The test is sequential, and its two sides differ: all is well as soon as the
// packets that are under way cannot spoil it, but an alarm stands only when all
// the packets that may follow could not lift it. The first look must be over, so
// that the figures are whole; only what else is asked for behind a dead tunnel
// is not waited for.
func Settled(l Limits, evidence []Observation, wait time.Duration) bool {
	suppose := func(change func(probe.Result) probe.Result) Verdict {
		supposed := make([]Observation, len(evidence))
		for i, e := range evidence {
			supposed[i] = Observation{e.Target, change(e.Result)}
		}
		return Judge(l, supposed)
	}
	best := suppose(probe.Result.Best)
	for _, e := range evidence {
		if !e.Result.FirstLookOver && !(e.Target.Role.Behind() && best.Down()) {
			return false
		}
		// The cause is known then; what people need to mend it is not.
		if e.Result.MTU != nil && e.Result.MTU.Searching {
			return false
		}
	}
	late := suppose(func(r probe.Result) probe.Result { return r.Assume(probe.Answered, wait) })
	lost := suppose(func(r probe.Result) probe.Result { return r.Assume(probe.Silent, 0) })
	return best.same(late) && best.same(lost)
}

// same tells whether two verdicts differ in nothing that changes the state,
// before or after the impact.
func (v Verdict) same(w Verdict) bool {
	roles := []Role{Service, Replication, Public}
	if v.Down() {
		roles = []Role{Public}
	}
	for _, r := range roles {
		a, _ := v.Role(r)
		b, _ := w.Role(r)
		if a != b {
			return false
		}
	}
	return v.Cause == w.Cause && v.State == w.State
}
