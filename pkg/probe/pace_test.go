package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"checkvpn/pkg/vpn"
)

// TestTurns has first looks at 300 targets and a second look: they have their
// turn in the order in which they are wanted, and all leave no faster than agreed.
// Every fourth is not wanted any more, and costs nothing.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const looks, packets = 300, 5
		p, began := newPace(), time.Now()
		var mu sync.Mutex
		var order []int
		var times []time.Duration
		for i := range looks {
			turn := p.queue(packets)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%4 == 3 {
				cancel()
			}
			go func() {
				defer turn.over()
				if turn.wait(ctx); ctx.Err() != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				order, times = append(order, i), append(times, time.Since(began))
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(order) != looks*3/4 || !slices.IsSorted(order) {
			t.Errorf("%d looks have had their turn: %v", len(order), order)
		}
		for i, at := range times {
			want := time.Duration(max(0, (i+1)*packets-maxBurst)) * time.Second / maxRate
			if at.Round(ms) != want.Round(ms) {
				t.Fatalf("look %d begins after %v, want %v", i, at, want)
			}
		}
	})
}

// TestTurnEnds has a check that ends while looks wait.
func TestTurnEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := newPace(), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first, second := p.queue(1000*maxRate), p.queue(1)
		go func() {
			first.wait(ctx)
			first.over()
			first.over() // changes nothing
		}()
		second.wait(ctx)
		if took := time.Since(began); took != time.Second {
			t.Errorf("ends after %v", took)
		}
	})
}

func TestPrice(t *testing.T) {
	for k, want := range map[vpn.LookKind]int{vpn.FirstLook: 14, vpn.Silence: 5, vpn.Path: 14, vpn.Connect: 0, vpn.Resolving: 0} {
		if got := priceOf(vpn.Look{Kind: k, Packets: 14}); got != want {
			t.Errorf("%s: %d, want %d", k, got, want)
		}
	}
}

func TestShortage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s shortage
		full := fmt.Errorf("no: %w", syscall.ENOBUFS)
		for _, step := range []struct {
			wait time.Duration
			err  error
			want bool
		}{
			{0, nil, false}, {0, errors.New("other"), false}, {0, full, true}, {maxShortage - 1, syscall.EMFILE, true}, {1, full, false}, {time.Hour, full, false},
		} {
			time.Sleep(step.wait)
			if got := s.mayPass(step.err); got != step.want {
				t.Errorf("%v after %v: %t", step.err, step.wait, got)
			}
		}
		if s.over(); !s.mayPass(full) {
			t.Error("it has passed and came again")
		}
	})
}

// asked notes the names that are looked up.
type asked struct {
	mu    sync.Mutex
	names []string
	ended int
}

func (a *asked) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	a.mu.Lock()
	a.names = append(a.names, host)
	a.mu.Unlock()
	<-ctx.Done()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended++
	return nil, ctx.Err()
}

// TestWant has lists of looks, one after the other.
func TestWant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resolver := &asked{}
		var questions []Question
		for _, name := range strings.Split("abcd", "") {
			questions = append(questions, Question{Endpoint: vpn.Endpoint{Host: name}})
		}
		p := New(Settings{Questions: questions, Family: IPv4, Resolver: resolver, Now: func() time.Duration { return 0 }, Emit: func(e vpn.Event) { t.Errorf("got %+v", e) }})
		for _, step := range []struct {
			looks, started string
			ended          int
		}{
			{"", "", 0}, {"ab", "ab", 0}, {"ab", "ab", 0}, {"cab", "abc", 0}, {"b", "abc", 2}, {"ba", "abc", 2}, {"bd", "abcd", 2}, {"", "abcd", 4},
		} {
			var looks []vpn.Look
			for _, name := range step.looks {
				looks = append(looks, vpn.Look{Kind: vpn.Resolving, Target: int(name - 'a')})
			}
			p.Want(t.Context(), looks)
			clear(looks) // the list is the caller's
			synctest.Wait()
			slices.Sort(resolver.names)
			if got := strings.Join(resolver.names, ""); got != step.started || resolver.ended != step.ended {
				t.Errorf("want %q: started %q, ended %d", step.looks, got, resolver.ended)
			}
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resolver := &asked{}
		p := New(Settings{Questions: make([]Question, 1), Family: IPv4, Resolver: resolver, Now: func() time.Duration { return 0 }, Emit: func(vpn.Event) {}})
		p.Want(t.Context(), []vpn.Look{{Kind: vpn.Resolving}})
		synctest.Wait()
		p.Close()
		synctest.Wait()
		if resolver.ended != 1 {
			t.Error("a look goes on")
		}
	})
}

type broken struct{}

func (broken) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { panic("a bug") }

// TestPanic: a bug is an event, and not the end of the program.
func TestPanic(t *testing.T) {
	for name, look := range map[string]vpn.Look{"in a library": {Kind: vpn.Resolving}, "in a look": {Kind: "none"}} {
		heard := make(chan vpn.Event, 1)
		p := New(Settings{Questions: make([]Question, 1), Family: IPv4, Resolver: broken{}, Now: func() time.Duration { return 7 }, Emit: func(e vpn.Event) { heard <- e }})
		p.Want(t.Context(), []vpn.Look{look})
		if e := <-heard; e.Kind != vpn.Panicked || e.Fault.Code != vpn.Bug || !strings.HasPrefix(e.Fault.Words, "internal error: ") || e.At != 7 {
			t.Errorf("%s: got %+v", name, e)
		}
		p.Close()
	}
}

// BenchmarkWant is a list of 1,000 looks that does not change, and one that does.
func BenchmarkWant(b *testing.B) {
	var looks []vpn.Look
	for i := range 1000 {
		looks = append(looks, vpn.Look{Kind: vpn.Resolving, Target: 0, First: i})
	}
	for name, step := range map[string]int{"same": 0, "changed": 1} {
		b.Run(name, func(b *testing.B) {
			p := New(Settings{Questions: make([]Question, 1), Resolver: &asked{}, Now: func() time.Duration { return 0 }, Emit: func(vpn.Event) {}})
			defer p.Close()
			for i := 0; b.Loop(); i++ {
				p.Want(b.Context(), looks[i*step%2:])
			}
		})
	}
}
