package probe

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestPay has first looks at 300 targets, and a second look that is wanted as
// soon as they wait: it comes after them, and all leave no faster than agreed.
func TestPay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const targets, first, second = 300, 5, 15
		p, began := newPace(1), time.Now()
		var mu sync.Mutex
		var looks []time.Duration
		for range targets {
			go func() {
				p.pay(t.Context(), first)
				mu.Lock()
				defer mu.Unlock()
				looks = append(looks, time.Since(began))
			}()
		}
		synctest.Wait()
		p.pay(t.Context(), second)
		took := time.Since(began)
		mu.Lock()
		defer mu.Unlock()
		if len(looks) != targets {
			t.Fatalf("a second look comes after %d of %d first ones", len(looks), targets)
		}
		slices.Sort(looks)
		for i, at := range append(looks, took) {
			packets := (i + 1) * first
			if i == targets {
				packets = targets*first + second
			}
			if want := timeOf(packets); at.Round(time.Millisecond) != want.Round(time.Millisecond) {
				t.Fatalf("look %d begins after %v, want %v", i, at, want)
			}
		}
	})
}

// TestPayEnds has a run that ends while looks wait.
func TestPayEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := newPace(1), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p.pay(ctx, 1000*maxRate)
		if took := time.Since(began); took != time.Second {
			t.Errorf("ends after %v", took)
		}
	})
}

// TestSeats has more addresses to ask than there are seats.
func TestSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const seats, addresses = 3, 20
		p, began := newPace(seats), time.Now()
		var all sync.WaitGroup
		for range addresses {
			all.Go(func() {
				leave := p.sit(t.Context())
				time.Sleep(time.Second)
				leave()
				leave() // changes nothing
			})
		}
		all.Wait()
		if took, want := time.Since(began), 7*time.Second; took != want {
			t.Errorf("%d take %v with %d seats, want %v", addresses, took, seats, want)
		}
	})
}
