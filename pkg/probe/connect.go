package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"checkvpn/pkg/vpn"
)

// connect makes one attempt: to connect, to ask for a page, or to ask an IKE peer.
func (l *look) connect() {
	if f := l.refusal(); f != nil {
		l.localError(0, f)
		return
	}
	ctx, cancel := l.limited()
	defer cancel()
	began := l.set.Now()
	l.emit(vpn.Event{Kind: vpn.Sent, At: began, Seq: l.First})
	d := &dialer{path: l.Path, addr: l.Addr, guarded: l.guarded}
	r, err := retry(ctx, func() (reply, error) { return d.try(ctx, l.Endpoint, l.set.Status) })
	e := d.outcome(err, ctx.Err() != nil, l.Limit)
	e.At, e.Seq = l.set.Now(), l.First
	if e.Kind == vpn.Answered {
		e.Answer, e.Took = r.answer, r.took
	} else {
		e.Took = e.At - began
	}
	l.emit(e)
}

// reply is what an attempt was answered, in words of our own if that has a name,
// and how long it took.
type reply struct {
	answer string
	took   time.Duration
}

// try makes the attempt of the endpoint's scheme.
func (d *dialer) try(ctx context.Context, e vpn.Endpoint, status func(int) bool) (r reply, err error) {
	began := time.Now()
	switch e.Scheme {
	case vpn.IKE:
		return d.tryIKE(ctx, e.Port)
	case vpn.TCP:
		err = d.tryConnect(ctx, e.Port)
	default:
		err = d.tryPage(ctx, e, status)
	}
	return reply{took: time.Since(began)}, err
}

// outcome is what became of an attempt that ended with an error, or with none.
// If its time was over, that is the reason, whatever a library made of it.
//
// Whoever said no, or was connected to and then failed, is there: it has refused.
// What somebody else says, and silence, end the attempt. All else is of this host.
func (d *dialer) outcome(err error, over bool, limit time.Duration) vpn.Event {
	if err == nil {
		return vpn.Event{Kind: vpn.Answered}
	}
	f, said := faultOf(err), d.said.Load()
	if isOver(err, f, over) {
		f = &vpn.Fault{Code: vpn.Timeout, Words: fmt.Sprintf("no answer within %s", limit.Round(10*time.Millisecond))}
	}
	itself := said != nil && said.From == d.addr.WithZone("")
	switch {
	case f.Own:
		return vpn.Event{Kind: vpn.LocalError, Fault: f}
	case d.connected.Load():
		return vpn.Event{Kind: vpn.Refused, Fault: afterConnecting(f)}
	case f.Code == vpn.Timeout:
		return vpn.Event{Kind: vpn.AttemptOver, Fault: f, ICMP: said}
	case f.Code == vpn.Reset && (said == nil || itself):
		return vpn.Event{Kind: vpn.Refused, Fault: f, ICMP: said}
	case itself:
		return vpn.Event{Kind: vpn.Refused, Fault: unreachable, ICMP: said}
	case said != nil:
		return vpn.Event{Kind: vpn.AttemptOver, Fault: unreachable, ICMP: said}
	case f.Code == vpn.NoRoute, f.Code == vpn.NoInterface, f.Code == vpn.NoSource:
		return vpn.Event{Kind: vpn.LocalError, Fault: f}
	}
	return vpn.Event{Kind: vpn.AttemptOver, Fault: f}
}

// unreachable is the fault if there is an ICMP error, which says more.
var unreachable = &vpn.Fault{Code: vpn.OtherFault, Words: "unreachable, as an ICMP error says"}

// isOver tells whether an attempt failed because its time was over: then any other
// error may come of that. A timeout may be seen a moment before the context ends,
// but that of the kernel is another.
func isOver(err error, f *vpn.Fault, over bool) bool {
	switch f.Code {
	case vpn.Timeout:
		return !errors.Is(err, syscall.ETIMEDOUT)
	case vpn.BadAnswer, vpn.OtherFault:
		return over && !f.Own
	}
	return false
}

// afterConnecting is the fault of who was connected to.
func afterConnecting(f *vpn.Fault) *vpn.Fault {
	switch f.Code {
	case vpn.Reset, vpn.HTTPStatus, vpn.Forbidden, vpn.BadAnswer:
		return f
	}
	return &vpn.Fault{Code: vpn.BadAnswer, Words: "connected, but " + f.Words}
}

// dialer connects to one address by a path, whatever the name that a library
// wants to connect to.
type dialer struct {
	path      Path
	addr      netip.Addr
	guarded   func(func())
	dialing   sync.Mutex                      // held while a library dials, which it does in the background
	connected atomic.Bool                     // also read while a library still dials
	said      atomic.Pointer[vpn.ICMPMessage] // the last ICMP error that came to a socket of the attempt
}

// errDialerFailed is of a goroutine that has panicked, which is an event already.
var errDialerFailed = errors.New("the dialer has failed")

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
	nd := net.Dialer{KeepAlive: -1, Control: func(network, address string, c syscall.RawConn) error {
		return errors.Join(d.control(network, address, c), w.watch(c))
	}}
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
	if said := w.said(); said != nil {
		d.said.Store(said)
	}
	return nil, err
}

// control prepares a socket for the path, and gives it an error queue.
func (d *dialer) control(_, _ string, c syscall.RawConn) error {
	f := familyFor(d.addr)
	return onSocket(c, func(fd int) error { return errors.Join(d.path.prepare(fd, f), turnOnErrorQueue(fd, f)) })
}
