package probe

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
	"time"
)

// How one address is pinged: a first look and, where that leaves a doubt, a
// second one. The packets are pinger.go's.
//
// An unprivileged datagram socket is tried first. It needs no capability, but
// net.ipv4.ping_group_range must include the process's group. Raw sockets are
// the fallback. The kernel looks at each of them for each reply.

// doubt is how long after the last packet of the first look its answers are
// awaited before the second look begins.
const doubt = 250 * time.Millisecond

// Spacing of the second look's packets: wider where the target has answered
// and a burst of loss should pass, narrow where it is only to be confirmed
// that it is silent.
const (
	spacingAnswered = 100 * time.Millisecond
	spacingSilent   = 30 * time.Millisecond
)

// priceOf is what the packets of a second look cost: those to a silent target a
// third, because there are no answers to read.
func priceOf(packets int, spacing time.Duration) int {
	if spacing == spacingSilent {
		return (packets + 2) / 3
	}
	return packets
}

type icmpMode struct{ privileged bool }

func (m icmpMode) String() string {
	if m.privileged {
		return "raw"
	}
	return "unprivileged"
}

// findMode opens a socket of each kind to find one that this process may have.
func findMode(f Family) (icmpMode, error) {
	domain, protocol := syscall.AF_INET, syscall.IPPROTO_ICMP
	if f == IPv6 {
		domain, protocol = syscall.AF_INET6, syscall.IPPROTO_ICMPV6
	}
	err := tryOpen(domain, syscall.SOCK_DGRAM, protocol)
	if err == nil {
		return icmpMode{}, nil
	}
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		if err = tryOpen(domain, syscall.SOCK_RAW, protocol); err == nil {
			return icmpMode{privileged: true}, nil
		}
	}
	return icmpMode{}, err
}

// NeedsRaw tells whether echo requests to any of the endpoints need a raw
// socket, and with it cap_net_raw. A name may lead to either family.
func NeedsRaw(f Family, endpoints []Endpoint) bool {
	for _, family := range []Family{IPv4, IPv6} {
		asked := slices.ContainsFunc(endpoints, func(e Endpoint) bool {
			if e.Addr.IsValid() {
				return e.Scheme == ICMP && family.Has(e.Addr)
			}
			return e.Scheme == ICMP && (f == AnyFamily || f == family)
		})
		if !asked {
			continue
		}
		if mode, err := findMode(family); err == nil && mode.privileged {
			return true
		}
	}
	return false
}

func tryOpen(domain, kind, protocol int) error {
	fd, err := syscall.Socket(domain, kind|syscall.SOCK_CLOEXEC, protocol)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	return syscall.Close(fd)
}

// unable turns a failure to open a socket into our own fault with advice, and
// leaves every other error alone: those of bind, connect and send are evidence.
func unable(err error) error {
	var call *os.SyscallError
	if !errors.As(err, &call) || call.Syscall != "socket" {
		return nil
	}
	switch {
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return nil
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return &UnableError{
			What:   "no permission to send ICMP",
			Remedy: "include the group of this user in sysctl net.ipv4.ping_group_range, or setcap cap_net_raw+ep on this program",
		}
	}
	return &UnableError{What: "cannot open a socket: " + call.Err.Error()}
}

// askICMP takes the first look at one address and, where that leaves a doubt,
// the second.
func (p *Probe) askICMP(ctx context.Context, r *record) {
	find := p.prober.icmp4
	if r.addr.Is6() {
		find = p.prober.icmp6
	}
	mode, err := find()
	if own := unable(err); own != nil {
		p.note(func() { r.err = own })
		return
	} else if err != nil {
		p.note(func() {
			r.attempts = append(r.attempts, Attempt{At: p.prober.Now(), Outcome: Silent, Err: explain(err)})
			r.firstLook = 1
		})
		return
	}
	p.note(func() { r.privilege = mode.String() })
	set, pace := p.prober.set, p.prober.pace
	pace.pay(ctx, set.Packets)
	leave := pace.sit(ctx)
	defer func() { leave() }()
	if ctx.Err() != nil {
		return
	}
	p.noteRoute(r)
	awaitMTU := p.askMTU(ctx, r, mode)
	ctx, done := context.WithCancel(ctx)
	defer done()
	e := &echo{probe: p, record: r, mode: mode, done: done}
	first := e.look(ctx, set.Packets, set.Interval)
	if ctx.Err() == nil {
		p.note(func() { r.firstLook = len(r.attempts) })
	}
	if more := set.MaxPackets - set.Packets; !e.clean(ctx, first) && more > 0 && ctx.Err() == nil {
		if p.path.MTU == 0 { // else the socket of the big packets is still open
			leave()
		}
		spacing, quiet := e.beginSecond()
		pace.pay(ctx, priceOf(more, spacing))
		if p.path.MTU == 0 {
			leave = pace.sit(ctx)
		}
		if quiet {
			p.askWhy(ctx, r)
		}
		e.look(ctx, more, spacing).await(ctx)
	}
	first.await(ctx)
	done()
	p.note(func() { r.over = true })
	awaitMTU()
}

// echo is the pinging of one address.
type echo struct {
	probe  *Probe
	record *record
	mode   icmpMode
	done   context.CancelFunc // ends both looks
	second bool               // the second look has begun; under the probe's lock
}

// beginSecond begins the second look and gives its spacing. It is quiet where
// packets left this machine and nothing came back.
func (e *echo) beginSecond() (spacing time.Duration, quiet bool) {
	e.probe.note(func() {
		e.second = true
		spacing = spacingSilent
		if slices.ContainsFunc(e.record.attempts, Attempt.answered) {
			spacing = spacingAnswered
		}
		quiet = !slices.ContainsFunc(e.record.attempts, func(a Attempt) bool { return a.answered() || a.Err != nil })
	})
	return spacing, quiet
}

// clean waits until the first look is answered in full, or until a doubt
// remains.
func (e *echo) clean(ctx context.Context, first *pinger) bool {
	soon, cancel := context.WithTimeout(ctx, doubt)
	defer cancel()
	first.await(soon)
	return e.probe.answeredAll(e.record)
}

// look makes count attempts, spacing apart, and returns the pinger that waits
// for the last answers; nil where nothing was to be sent. A pinger that fails is
// followed by another: a route or an interface may come back within the look.
func (e *echo) look(ctx context.Context, count int, spacing time.Duration) (last *pinger) {
	for left := count; left > 0 && ctx.Err() == nil; {
		if last != nil {
			sleep(ctx, spacing)
		}
		last = e.start(ctx, left, spacing)
		select {
		case <-last.sent:
		case <-last.over:
		case <-ctx.Done():
		}
		left -= last.attempts()
	}
	return last
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
