package vpn

import (
	"slices"
	"time"
)

// How long a check takes, before it begins.

// Quickest is how long the first look at all icmp targets takes with the wait
// for its last answer.
func (p *Plan) Quickest() time.Duration {
	if !p.pings() {
		return 0
	}
	return p.sending() + p.Wait()
}

// UntilSilent is how long it takes to be sure that icmp targets are silent.
func (p *Plan) UntilSilent() time.Duration {
	return p.sending() + recheckDelay + (silencePackets-1)*silenceSpacing + p.Wait()
}

// sending is how long the packets of the first look take to leave.
func (p *Plan) sending() time.Duration { return time.Duration(p.Packets-1) * p.Interval }

// Longest is how long the check may take at the most. What is asked by a
// connection or a name, and the search for a size, may use up all the time.
func (p *Plan) Longest() time.Duration {
	for _, t := range p.Targets {
		if t.Endpoint.Scheme != ICMP || !t.Endpoint.Addr.IsValid() || p.MTU > 0 {
			return p.End
		}
	}
	loss := time.Duration(p.MaxPackets-p.Packets-1) * p.lossGap()
	return p.UntilSilent() + loss + p.Wait()
}

func (p *Plan) pings() bool {
	return slices.ContainsFunc(p.Targets, func(t Target) bool { return t.Endpoint.Scheme == ICMP })
}
