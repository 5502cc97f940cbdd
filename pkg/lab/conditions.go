package lab

import (
	"math/rand/v2"
	"time"
)

// Conditions are what happens to packets on their way from one site to
// another. The zero value is a perfect way. Drops are judged in the order of
// the fields.
type Conditions struct {
	Cut        bool // nothing passes
	CutTunnels bool // no tunnel traffic passes (WireGuard, ESP, OpenVPN); IKE, pings and the rest do
	Prohibited bool // each packet is answered "administratively prohibited"

	MaxPacket int  // longer IP packets do not pass; 0: no limit
	TooBig    bool // they are answered "fragmentation needed" or "packet too big"; else they vanish

	DropEvery int     // each packet with this number vanishes: 3 means the third, the sixth …; 0: none
	Loss      float64 // chance, from 0 to 1, that a packet vanishes, each on its own

	Delay  time.Duration // on the way
	Jitter time.Duration // more delay, from none to this much, evenly spread; order is kept
}

// verdict is what becomes of a packet.
type verdict int

const (
	pass verdict = iota
	drop
	prohibited
	tooBig
)

// judge decides on one packet, the nth on its way.
func (c Conditions) judge(p packet, nth int, random *rand.Rand) verdict {
	switch {
	case c.Cut, c.CutTunnels && p.isTunnel():
		return drop
	case c.Prohibited:
		return prohibited
	case c.MaxPacket > 0 && len(p) > c.MaxPacket && c.TooBig:
		return tooBig
	case c.MaxPacket > 0 && len(p) > c.MaxPacket:
		return drop
	case c.DropEvery > 0 && nth%c.DropEvery == 0:
		return drop
	case c.Loss > 0 && random.Float64() < c.Loss:
		return drop
	}
	return pass
}
