package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// askConnection makes one attempt, and a second one where the first failed in
// another way than by silence: the kernel has repeated a silent connection by
// itself, and repeated half-connections make databases block a host.
//
// Where there is no answer for a while, or one that leaves open who gave it, it
// is asked why. That lasts no longer than the attempts do.
func (p *Probe) askConnection(ctx context.Context, r *record) {
	ctx, done := context.WithCancel(ctx)
	defer done()
	askWhy := sync.OnceFunc(func() { p.askWhy(ctx, r) })
	slow := p.attempt(ctx, r, askWhy)
	p.note(func() { r.firstLook = 1 })
	if ctx.Err() != nil || p.answeredAll(r) || slow {
		return
	}
	sleep(ctx, doubt)
	if ctx.Err() == nil {
		p.attempt(ctx, r, askWhy)
	}
}

// attempt connects, or asks for a page, once. An attempt that the end of ctx
// cuts short stays pending: it might still have been answered. It is slow where
// all its time was used up.
func (p *Probe) attempt(ctx context.Context, r *record, askWhy func()) (slow bool) {
	var i int
	began := p.prober.Now()
	p.note(func() {
		i = len(r.attempts)
		r.attempts = append(r.attempts, Attempt{At: began})
	})
	limited, cancel := context.WithTimeoutCause(ctx, p.prober.set.Attempt, errSlow)
	defer cancel()
	d := &dialer{path: p.path, addr: r.addr}
	defer time.AfterFunc(doubt, func() {
		if !d.connected.Load() {
			askWhy()
		}
	}).Stop()
	answer, took, err := d.try(limited, p.endpoint)
	if err != nil && ctx.Err() != nil {
		return false
	}
	own := unable(err)
	connected := d.connected.Load()
	outcome, reason := judgeAttempt(err, connected)
	slow = err != nil && (isTimeout(err) || context.Cause(limited) == errSlow && !refused(err))
	switch {
	case slow && connected:
		reason = fmt.Errorf("connected, but %w", within(p.prober.set.Attempt))
	case slow:
		reason = within(p.prober.set.Attempt)
	case errors.Is(err, syscall.EACCES) && d.leaves(ctx):
		reason = &explained{"administratively prohibited", err} // by ICMPv6
	}
	told, known := errors.AsType[*ToldError](reason)
	if outcome == Silent && own == nil && vague(reason) {
		askWhy()
	}
	p.note(func() {
		if known {
			r.told = told
		}
		if own != nil {
			r.err = own
		}
		r.attempts[i] = Attempt{At: began, Took: took, Outcome: outcome, Answer: answer, Err: reason}
	})
	return slow
}

// try makes the attempt of the endpoint's scheme. It gives what was answered,
// where that has a name, and how long it took.
func (d *dialer) try(ctx context.Context, e Endpoint) (answer string, took time.Duration, err error) {
	began := time.Now()
	switch e.Scheme {
	case IKE:
		if answer, took, err = d.tryIKE(ctx, e.Port); err == nil {
			return answer, took, nil
		}
	case TCP:
		err = d.tryConnect(ctx, e.Port)
	default:
		err = d.tryPage(ctx, e)
	}
	return "", time.Since(began), err
}

var errSlow = errors.New("attempt took too long")

// judgeAttempt tells a target that said no, or that was connected to and then
// failed, from silence.
func judgeAttempt(err error, connected bool) (Outcome, error) {
	switch {
	case err == nil:
		return Answered, nil
	case connected, refused(err):
		return Refused, explain(err)
	}
	return Silent, explain(err)
}

// dialer connects to one address by a path, whatever the name that a library
// wants to connect to.
type dialer struct {
	path      Path
	addr      netip.Addr
	connected atomic.Bool // also read while a library still dials
}

func (d *dialer) tryConnect(ctx context.Context, port uint16) error {
	conn, err := d.dial(ctx, port)
	switch {
	case err != nil && d.connected.Load():
		return nil
	case err != nil:
		return err
	}
	conn.Close()
	return nil
}

func (d *dialer) dial(ctx context.Context, port uint16) (net.Conn, error) {
	w := &witness{addr: d.addr}
	defer w.close()
	nd := net.Dialer{KeepAlive: -1, ControlContext: func(ctx context.Context, network, address string, c syscall.RawConn) error {
		return errors.Join(d.control(ctx, network, address, c), w.watch(ctx, network, address, c))
	}}
	if d.path.Source.IsValid() {
		nd.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(d.path.Source, 0))
	}
	conn, err := nd.DialContext(ctx, "tcp", netip.AddrPortFrom(d.addr, port).String())
	if err == nil {
		d.connected.Store(true)
		return conn, nil
	}
	// A reset of an attempt is ECONNREFUSED. ECONNRESET is that of a connection
	// that stood already and was reset before connect() was heard to succeed.
	if errors.Is(err, syscall.ECONNRESET) {
		d.connected.Store(true)
		return nil, err
	}
	if told := w.other(); told != nil && ctx.Err() == nil {
		return nil, told
	}
	return nil, err
}

// control binds a socket to the path's interface and marks its packets.
// Binding to an interface needs no privilege since Linux 5.7.
func (d *dialer) control(_ context.Context, network, _ string, c syscall.RawConn) error {
	var err error
	outer := c.Control(func(fd uintptr) {
		if d.path.Interface != "" {
			err = os.NewSyscallError("setsockopt", unix.BindToDevice(int(fd), d.path.Interface))
		}
		if d.path.DSCP != 0 && err == nil {
			level, option := unix.IPPROTO_IP, unix.IP_TOS
			if strings.HasSuffix(network, "6") {
				level, option = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
			}
			err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), level, option, int(d.path.DSCP)<<2))
		}
	})
	return errors.Join(outer, err)
}
