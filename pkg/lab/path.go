package lab

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Conditions are what happens to packets on their way from one site to
// another. The zero value is a perfect way.
type Conditions struct {
	Cut        bool // nothing passes
	CutTunnels bool // no tunnel traffic passes (WireGuard, ESP, OpenVPN); IKE, pings and the rest do
	Prohibited bool // each packet that is left is answered "administratively prohibited"

	MaxPacket int     // longer IP packets vanish; 0: no limit
	DropEvery int     // each packet with this number vanishes: 3 means the third, the sixth …; 0: none
	Loss      float64 // chance, from 0 to 1, that a packet vanishes, each on its own; where odds are the subject

	Delay time.Duration // on the way; a packet keeps that of when it set out
}

// drops tells whether a packet vanishes, the nth on its way since these conditions
// hold.
func (c Conditions) drops(p Packet, nth int) bool {
	return c.Cut || c.CutTunnels && p.isTunnel() ||
		c.MaxPacket > 0 && len(p.wire) > c.MaxPacket ||
		c.DropEvery > 0 && nth%c.DropEvery == 0 ||
		c.Loss > 0 && rand.Float64() < c.Loss
}

// path is the way from one site to another, in that direction only.
type path struct {
	from, to *Site
	queue    chan underway // more than it holds are dropped, as a router would

	mu         sync.Mutex
	conditions Conditions
	sent       int // since they hold
}

// underway is a packet on its way.
type underway struct {
	packet Packet
	due    time.Time
}

// relay are the internet's own addresses: where its ICMP errors come from.
var relay = Addrs("192.0.2.254", "2001:db8::fe")

// send puts a packet on its way, or does what the conditions say.
func (p *path) send(b Packet) {
	p.mu.Lock()
	p.sent++
	c, nth := p.conditions, p.sent
	p.mu.Unlock()
	switch {
	case c.drops(b, nth):
	case c.Prohibited:
		p.from.wire.Write(b.Unreachable(relay, 13, 1).Raw())
	default:
		select {
		case p.queue <- underway{b, time.Now().Add(c.Delay)}:
		default:
		}
	}
}

// deliver hands packets over in order, each when its time has come.
func (p *path) deliver() {
	for u := range p.queue {
		time.Sleep(time.Until(u.due))
		p.to.wire.Write(u.packet.wire)
	}
}
