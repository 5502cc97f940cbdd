package probe

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"checkvpn/pkg/vpn"
)

// How fast echo requests leave, all targets together.
//
// An answer is seen when this process gets to it, and until then its round-trip
// time grows. So requests leave no faster than their answers can be read without
// a queue. Each look waits for all of its packets before the first of them, and
// looks get their turn in the order in which they are wanted: all first looks
// come before the others. To wait for an answer costs nothing, so silent targets
// hold nobody up.

const (
	// maxRate is how many echo requests leave in a second, and maxBurst how many
	// of them at once: those of the first looks at a hundred targets, as usual.
	// So short a queue does no harm.
	maxRate  = 3000
	maxBurst = 500
)

// priceOf is what the packets of a look cost: those to a silent target a third,
// because there are no answers to read.
func priceOf(l vpn.Look) int {
	switch l.Kind {
	case vpn.FirstLook, vpn.LossLook, vpn.Control, vpn.Sizes, vpn.Path:
		return l.Packets
	case vpn.Silence:
		return (l.Packets + 2) / 3
	}
	return 0
}

type pace struct {
	packets *rate.Limiter
	last    <-chan struct{} // closed when whoever queued last has had its turn
	starts  chan struct{}   // held by the pinger that starts
}

func newPace() *pace {
	nobody := make(chan struct{})
	close(nobody)
	return &pace{packets: rate.NewLimiter(maxRate, maxBurst), last: nobody, starts: make(chan struct{}, 1)}
}

// turn is a place in the queue of those who want to send.
type turn struct {
	pace    *pace
	packets int
	before  <-chan struct{}
	over    func() // lets the next one have its turn
}

// queue takes the last place, unless there are no packets to send. It is for one
// goroutine.
func (p *pace) queue(packets int) turn {
	if packets == 0 {
		return turn{over: func() {}}
	}
	mine := make(chan struct{})
	t := turn{p, packets, p.last, sync.OnceFunc(func() { close(mine) })}
	p.last = mine
	return t
}

// wait waits for the turn, and until so many packets may leave. Whoever is not
// wanted any more still waits, to let the next one pass in order.
func (t turn) wait(ctx context.Context) {
	if t.pace == nil {
		return
	}
	<-t.before
	for left := t.packets; left > 0 && ctx.Err() == nil; {
		n := min(left, maxBurst)
		if delay := t.pace.packets.ReserveN(time.Now(), n).Delay(); delay > 0 {
			sleep(ctx, delay)
		}
		left -= n
	}
}

// start waits until a pinger may start, and returns what lets the next one do
// so. It is one at a time, because to open a socket takes longer than to read an
// answer: a hundred of them would keep the first answers waiting. Between two of
// them is a moment, for Go looks for answers when it has nothing else to do.
func (p *pace) start(ctx context.Context) (started func()) {
	select {
	case p.starts <- struct{}{}:
		return sync.OnceFunc(func() { time.AfterFunc(20*time.Microsecond, func() { <-p.starts }) })
	case <-ctx.Done():
		return func() {}
	}
}

// shortage is how long this host has been out of descriptors or room in its send
// queue. Both may be there a moment later.
type shortage struct{ since time.Time }

const (
	maxShortage = 300 * time.Millisecond
	nextTry     = 20 * time.Millisecond
)

// mayPass tells whether to try again.
func (s *shortage) mayPass(err error) bool {
	f := faultOf(err)
	if f == nil || f.Code != vpn.NoDescriptors && f.Code != vpn.QueueFull {
		return false
	}
	if s.since.IsZero() {
		s.since = time.Now()
	}
	return time.Since(s.since) < maxShortage
}

// retry calls f, and again for as long as this host is out of something.
func retry[T any](ctx context.Context, f func() (T, error)) (T, error) {
	var short shortage
	got, err := f()
	for short.mayPass(err) && sleep(ctx, nextTry) {
		got, err = f()
	}
	return got, err
}

// over is when something was sent.
func (s *shortage) over() { s.since = time.Time{} }
