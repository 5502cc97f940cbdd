package lab

import (
	"math/rand/v2"
	"sync"
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
	Loss      float64 // chance, from 0 to 1, that a packet vanishes, each on its own; where odds are the subject

	Delay time.Duration // on the way
}

// verdict is what becomes of a packet.
type verdict int

const (
	pass verdict = iota
	drop
	prohibited
	tooBig
)

// judge decides on one packet, the nth on its way since these conditions hold.
func (c Conditions) judge(p Packet, nth int) verdict {
	long := c.MaxPacket > 0 && len(p.wire) > c.MaxPacket
	switch {
	case c.Cut, c.CutTunnels && p.isTunnel():
		return drop
	case c.Prohibited:
		return prohibited
	case long && c.TooBig:
		return tooBig
	case long, c.DropEvery > 0 && nth%c.DropEvery == 0, c.Loss > 0 && rand.Float64() < c.Loss:
		return drop
	}
	return pass
}

// pathQueue is how many packets may be under way in one direction. More are
// dropped, as a router would.
const pathQueue = 4096

// path is the way from one site to another, in that direction only.
type path struct {
	from, to *Site
	queue    chan underway

	mu         sync.Mutex
	conditions Conditions
	changed    chan struct{} // closed when conditions change
	sent       int           // since then
}

// underway is a packet on its way.
type underway struct {
	packet Packet
	since  time.Time
}

func newPath(from, to *Site) *path {
	return &path{from: from, to: to, queue: make(chan underway, pathQueue), changed: make(chan struct{})}
}

func (p *path) set(c Conditions) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conditions, p.sent = c, 0
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *path) now() (Conditions, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conditions, p.changed
}

// send puts a packet on its way, or does what the conditions say.
func (p *path) send(b Packet) {
	p.mu.Lock()
	p.sent++
	c, nth := p.conditions, p.sent
	p.mu.Unlock()
	is4 := b.From.Is4()
	switch v := c.judge(b, nth); {
	case v == prohibited && is4:
		p.from.wire.Write(b.Error(relay4, 3, 13, 0).Raw())
	case v == prohibited:
		p.from.wire.Write(b.Error(relay6, 1, 1, 0).Raw())
	case v == tooBig && is4:
		p.from.wire.Write(b.Error(relay4, 3, 4, uint32(c.MaxPacket)).Raw())
	case v == tooBig:
		p.from.wire.Write(b.Error(relay6, 2, 0, uint32(c.MaxPacket)).Raw())
	case v == pass:
		select {
		case p.queue <- underway{b, time.Now()}:
		default:
		}
	}
}

// deliver hands packets over in order, each when its time has come, until stop
// is closed.
func (p *path) deliver(stop <-chan struct{}) {
	for {
		select {
		case u := <-p.queue:
			if !p.await(u, stop) {
				return
			}
			p.to.wire.Write(u.packet.wire)
		case <-stop:
			return
		}
	}
}

// await waits until u is due. Conditions that change meanwhile count at once,
// so that a long delay ends when it is taken away.
func (p *path) await(u underway, stop <-chan struct{}) bool {
	for {
		c, changed := p.now()
		wait := time.Until(u.since.Add(c.Delay))
		if wait <= 0 {
			return true
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			return true
		case <-changed:
			timer.Stop()
		case <-stop:
			timer.Stop()
			return false
		}
	}
}
