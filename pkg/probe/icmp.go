package probe

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// How one address is pinged: a first look and, where that leaves a doubt, a
// second one. The packets are pinger.go's.
//
// An unprivileged datagram socket is tried first. It scales, and needs no
// capability, but net.ipv4.ping_group_range must include the process's group.
// Raw sockets are the fallback. Each of them receives a copy of every reply,
// so that only some are open at once.

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

// maxRaw bounds the raw sockets that are open at once.
const maxRaw = 64

type icmpMode struct {
	privileged bool
	slots      chan struct{} // bounds raw sockets; nil for unprivileged ones
}

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
			return icmpMode{privileged: true, slots: make(chan struct{}, maxRaw)}, nil
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
	if mode.slots != nil {
		select {
		case mode.slots <- struct{}{}:
			defer func() { <-mode.slots }()
		case <-ctx.Done():
			return
		}
	}

	awaitMTU := p.askMTU(ctx, r, mode)
	ctx, done := context.WithCancel(ctx)
	defer done()
	e := &echo{probe: p, record: r, mode: mode, done: done}
	first := make(chan struct{})
	sent := make(chan struct{})
	p.prober.spawn(func() {
		defer close(first)
		e.look(ctx, p.prober.set.Packets, p.prober.set.Interval, func() {
			p.note(func() { r.firstLook = len(r.attempts) })
			close(sent)
		})
	})
	if !e.clean(first, sent) && ctx.Err() == nil {
		spacing, quiet := e.beginSecond()
		if quiet {
			p.askWhy(ctx, r)
		}
		e.look(ctx, p.prober.set.MaxPackets-p.prober.set.Packets, spacing, func() {})
	}
	<-first
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
func (e *echo) clean(first, sent <-chan struct{}) bool {
	select {
	case <-first:
	case <-sent:
		select {
		case <-first:
		case <-time.After(doubt):
		}
	}
	return e.probe.answeredAll(e.record)
}

// look makes count attempts, spacing apart, and waits for their answers. A
// pinger that fails is followed by another: a route or an interface may come
// back within the look.
func (e *echo) look(ctx context.Context, count int, spacing time.Duration, sent func()) {
	allSent := sync.OnceFunc(sent)
	for left := count; left > 0 && ctx.Err() == nil; {
		pg := &pinger{echo: e, count: left, spacing: spacing, allSent: allSent}
		left -= pg.run(ctx)
		if left > 0 {
			sleep(ctx, spacing)
		}
	}
	if ctx.Err() == nil {
		allSent()
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
