package probe

// How it is found out why a target is silent.
//
// Whoever cannot pass a packet on may say so in an ICMP message to the sender.
// The kernel keeps such messages, with the address of who sent them, in the
// error queue of the socket that the packet was from. pro-bing's sockets ask
// for no such queue, and those that connect are gone when they fail. So a
// datagram of our own is sent the same way: to the port of traceroute, which
// firewalls often let pass and on which nobody listens.
//
// What comes back is about that datagram. A firewall may treat it otherwise
// than an echo request or a connection, so it is a hint, and it is used only
// where nothing was answered. It is not authenticated, but the kernel drops
// what does not quote the random port of our socket.
//
// Routers bound how many messages they send: Linux says of its routes five times
// at once and then once a second to each address, whatever it is asked. The
// packets that were not answered have used these up, or some of them. So the
// first datagram is sent before the packets of a second look, and the last one
// when those of a usual second look have been sent.

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	whyPort = 33434
	maxTold = 16 // entries of an error queue that are read
)

// whyDatagram says to who captures it what it is for.
var whyDatagram = []byte("check_vpn: can you be reached?")

// whyWaits are the times to wait after each datagram; 0 is until the end.
var whyWaits = [...]time.Duration{100 * time.Millisecond, 700 * time.Millisecond, 0}

// askWhy asks who says why an address is silent. It returns when the first
// datagram is sent; the rest goes on in the background until ctx ends.
func (p *Probe) askWhy(ctx context.Context, r *record) {
	sent := make(chan struct{})
	asked := sync.OnceFunc(func() { close(sent) })
	p.prober.spawn(func() {
		defer asked()
		d := &dialer{path: p.path, addr: r.addr}
		var told *ToldError
		if errors.As(d.why(ctx, asked), &told) {
			p.note(func() { r.told = told })
		}
	})
	<-sent
}

// why returns a *ToldError when somebody on the way says why the address
// cannot be reached, the error where this machine cannot even send, and nil
// where nobody has said anything when ctx ends. It calls asked after each datagram.
func (d *dialer) why(ctx context.Context, asked func()) error {
	conn, err := d.dialUDP(ctx, whyPort)
	if err != nil {
		return unlessOver(ctx, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	q, err := newErrorQueue(conn, d.addr)
	if err != nil {
		return unlessOver(ctx, err)
	}
	for _, wait := range whyWaits {
		var until time.Time
		if wait > 0 {
			until = time.Now().Add(wait)
		}
		_, failed := conn.Write(whyDatagram)
		asked()
		told, err := q.next(until, failed == nil)
		switch {
		case told != nil:
			return told
		case failed != nil:
			return unlessOver(ctx, failed)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return unlessOver(ctx, err)
		}
	}
	return nil
}

func unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// leaves tells whether this machine has a way to the address. To connect a UDP
// socket looks for one, and sends nothing.
func (d *dialer) leaves(ctx context.Context) bool {
	conn, err := d.dialUDP(ctx, whyPort)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// vague tells whether the error of a connection that got no answer leaves open
// who is to blame: the kernel gives the same for its own routes as for an ICMP
// message, of which the sender is not known.
func vague(err error) bool {
	var told *ToldError
	if errors.As(err, &told) {
		return false
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return true
	}
	switch errno {
	case syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EACCES, syscall.ETIMEDOUT:
		return true
	}
	return false
}

// errorQueue is what is said about the datagrams of one connected socket.
type errorQueue struct {
	conn  net.Conn
	raw   syscall.RawConn
	asked netip.Addr
	left  int // entries that are still read
}

// newErrorQueue turns a socket's error queue on.
func newErrorQueue(conn net.Conn, asked netip.Addr) (*errorQueue, error) {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	outer := raw.Control(func(fd uintptr) { err = setErrorQueue(int(fd), asked, true) })
	return &errorQueue{conn: conn, raw: raw, asked: asked, left: maxTold}, errors.Join(outer, err)
}

// next gives the next thing that was told; if it is to wait, until a time. Both
// are nil where too many entries of the queue told nothing. The poller wakes it
// once for each change, so that what else comes in, and is never read, does not
// make it spin.
func (q *errorQueue) next(until time.Time, wait bool) (told *ToldError, err error) {
	if err := q.conn.SetReadDeadline(until); err != nil {
		return nil, err
	}
	err = q.raw.Read(func(fd uintptr) (done bool) {
		for q.left > 0 && told == nil {
			control, err := readQueue(int(fd))
			if err != nil {
				return !wait
			}
			q.left--
			told = q.name(parseTold(control))
		}
		return true
	})
	return told, err
}

// weigh says what an error of the socket comes to: nil where it may pass, as
// the kernel too sees it where no queue is on; what was told, where somebody
// else than the target said it; else the error.
func (q *errorQueue) weigh(err error) error {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	q.left = maxTold
	told, failed := q.next(time.Time{}, false)
	switch {
	case failed != nil, told == nil, told.By == Target:
		return err
	case told.mayPass():
		return nil
	}
	return told
}

func readQueue(fd int) ([]byte, error) {
	var payload [64]byte
	var control [512]byte
	for {
		_, n, _, _, err := unix.Recvmsg(fd, payload[:], control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return control[:n], err
		}
	}
}

// name tells who said it. The target may be this machine: then it is the
// target that speaks.
func (q *errorQueue) name(told *ToldError) *ToldError {
	if told == nil {
		return nil
	}
	local := q.conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	switch told.From {
	case q.asked.WithZone(""):
		told.By = Target
	case local.WithZone(""):
		told.By = Itself
	}
	return told
}
