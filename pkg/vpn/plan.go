package vpn

import (
	"time"

	"checkvpn/pkg/nagios"
)

// Plan is what is asked and by what it is judged. It does not change once it is
// made.
type Plan struct {
	Targets []Target
	Limits  Limits

	Packets    int           // echo requests of the first look at each icmp target; at least 1
	MaxPackets int           // of the first look and the loss look together; Packets, or at least 15 more
	Interval   time.Duration // between the echo requests of the first look
	MTU        int           // bytes of whole IP packets that must pass to far targets in one piece; 0 asks for nothing
	End        time.Duration // by when all must be known, since the check began
	// Routes asks for the route to each far target, to show it.
	Routes bool
	// Descriptors is how many file descriptors the looks may hold together.
	Descriptors int
}

// Limits are what a tunnel is judged by.
type Limits struct {
	Warning, Critical nagios.Pair
	MinFar            int          // far targets that must answer; at least 1
	MinPeer           int          // peers that must answer; 0 asks for nothing
	Partial           nagios.State // if traffic passes, but not to or from every far target
	Via               Via          // the way that traffic behind the tunnel must leave by
}

// anyRTA tells whether something is so of any limit of the round-trip average.
func (l *Limits) anyRTA(is func(nagios.Limit) bool) bool {
	return is(l.Warning.RTA) || is(l.Critical.RTA)
}

const (
	// Answers count for at least minWait, and for extraWait more than the
	// critical round-trip time, so that a slow answer is seen to be slow.
	minWait   = 600 * time.Millisecond
	extraWait = 100 * time.Millisecond
	// maxWait is beyond any -t.
	maxWait = time.Hour

	// recheckDelay is how long after the last packet of the first look its
	// answers are waited for before more is asked.
	recheckDelay = 250 * time.Millisecond
	// LossPackets is how many packets the loss look usually has, and
	// MinLossPackets the fewest that the test of loss.go can work with.
	LossPackets    = 35
	MinLossPackets = 15
)

// Wait is for how long after its packet an answer counts.
func (p *Plan) Wait() time.Duration {
	rta, known := p.Limits.Critical.RTA.Top()
	if !known {
		return minWait
	}
	critical := min(time.Duration(rta*float64(time.Millisecond)), maxWait)
	return max(minWait, critical+extraWait)
}

// lossGap is the time between the packets of the loss look.
func (p *Plan) lossGap() time.Duration { return max(100*time.Millisecond, p.Interval) }
