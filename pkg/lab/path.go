package lab

import (
	"hash/fnv"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

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
	random     *rand.Rand
	sent       int
}

// underway is a packet on its way. Its share of the jitter is drawn when it
// sets out.
type underway struct {
	packet  packet
	since   time.Time
	jitters float64
}

func newPath(from, to *Site, seed uint64) *path {
	p := &path{from: from, to: to, queue: make(chan underway, pathQueue), changed: make(chan struct{})}
	p.seed(seed)
	return p
}

// seed gives each path its own sequence, the same whatever else goes on.
func (p *path) seed(seed uint64) {
	h := fnv.New64a()
	io.WriteString(h, p.from.Name+"\x00"+p.to.Name)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.random = rand.New(rand.NewPCG(seed, h.Sum64()))
	p.sent = 0
}

func (p *path) set(c Conditions) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conditions = c
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *path) now() (Conditions, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conditions, p.changed
}

// send puts a packet on its way, or does what the conditions say.
func (p *path) send(b packet) {
	p.mu.Lock()
	p.sent++
	c := p.conditions
	v := c.judge(b, p.sent, p.random)
	jitters := p.random.Float64()
	p.mu.Unlock()

	switch v {
	case prohibited:
		p.from.wire.Write(icmpProhibited(b))
	case tooBig:
		p.from.wire.Write(icmpTooBig(b, c.MaxPacket))
	case pass:
		select {
		case p.queue <- underway{b, time.Now(), jitters}:
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
			p.to.wire.Write(u.packet)
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
		wait := time.Until(u.since.Add(c.Delay + time.Duration(u.jitters*float64(c.Jitter))))
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
