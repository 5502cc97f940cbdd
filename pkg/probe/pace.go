package probe

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How much is under way at once, and how fast echo requests leave, all targets
// together.
//
// An answer is seen when this process gets to it, and until then its round-trip
// time grows. So requests leave no faster than their answers can be read without
// a queue. Each look pays for its packets before the first of them, and looks
// get their turn in the order in which they ask: all first looks come before the
// second ones. To wait for an answer costs nothing, so silent targets hold
// nobody up.
//
// Sockets are bounded by seats. An address has one while it is asked, and leaves
// it between its looks.

const (
	// maxRate is how many echo requests leave in a second, and maxBurst how many
	// of them at once: those of the first looks at a hundred targets, as usual.
	// So short a queue does no harm.
	maxRate  = 3000
	maxBurst = 500
)

type pace struct {
	packets *rate.Limiter
	seats   chan struct{}
	starts  chan struct{} // held by the pinger that starts
}

func newPace(seats int) *pace {
	return &pace{rate.NewLimiter(maxRate, maxBurst), make(chan struct{}, seats), make(chan struct{}, 1)}
}

// pay waits until so many packets may leave.
func (p *pace) pay(ctx context.Context, packets int) {
	for packets > 0 && ctx.Err() == nil {
		n := min(packets, maxBurst)
		if delay := p.packets.ReserveN(time.Now(), n).Delay(); delay > 0 {
			sleep(ctx, delay)
		}
		packets -= n
	}
}

// timeOf is how long it takes until the last of so many packets may leave.
func timeOf(packets int) time.Duration {
	return time.Duration(max(0, packets-maxBurst)) * time.Second / maxRate
}

// sit waits for a seat, and returns what leaves it. The seat is not there where
// ctx has ended.
func (p *pace) sit(ctx context.Context) (leave func()) {
	select {
	case p.seats <- struct{}{}:
		return sync.OnceFunc(func() { <-p.seats })
	case <-ctx.Done():
		return func() {}
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
