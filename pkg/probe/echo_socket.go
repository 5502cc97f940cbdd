package probe

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"checkvpn/pkg/vpn"
)

// An echo socket of our own, for what pro-bing's cannot do: it is told who says
// what of which packet, sends packets of any size and any number of hops, and
// asks many targets.
//
//   - Packets are never cut into fragments, and the kernel's memory of path MTUs
//     is not obeyed (IP_PMTUDISC_PROBE, as RFC 4821 needs it): else nothing
//     larger would even be sent for ten minutes after a path was repaired.
//   - An error about one target makes the next call fail, whoever that is for.
//     So the queue is read and the call made again; see error_queue.go.
//   - A datagram socket needs no capability, but net.ipv4.ping_group_range must
//     include the process's group; the kernel chooses its id and gives it only
//     what carries that id. A raw socket needs CAP_NET_RAW and gets the echo
//     replies to everybody.
//   - The clock is read just before a packet leaves and just after one has come
//     in. Nothing here waits, except for packets.

// echoSocket sends echo requests of one family by one path and hears what
// becomes of them. All methods may be called from any goroutine, listen from
// one alone.
type echoSocket struct {
	family  Family
	file    *os.File
	raw     syscall.RawConn
	closed  atomic.Bool
	header  bool   // an IPv4 raw socket receives the IP header too
	replies []byte // the buffer of the goroutine that listens

	mu    sync.Mutex // held while a packet is sent, and while something is heard
	table *echoTable
	quote [64]byte // the buffer of the error queue
}

// echoRequest is one packet to send.
type echoRequest struct {
	To    netip.Addr
	Bytes int // of the whole IP packet; 0: small
	TTL   int // or hop limit; 0: the host's default

	// heard is called when the packet has left (vpn.Sent), and after that with what
	// becomes of it: one reply (vpn.Answered) at most, and one error (vpn.ICMPError)
	// at most, which alone has something said. It is called from any goroutine, but
	// one call after the other, and must not use the socket.
	heard func(kind vpn.Kind, at time.Time, said *vpn.ICMPMessage)
}

// openEchoSocket opens a socket of one family, IPv4 or IPv6, raw if it is
// privileged. Its errors are those of the system calls: *os.SyscallError for
// "socket", "setsockopt" and "bind".
func openEchoSocket(f Family, path Path, privileged bool) (*echoSocket, error) {
	fd, err := openICMP(f, privileged)
	if err != nil {
		return nil, err
	}
	s := &echoSocket{family: f, header: privileged && f != IPv6, table: newEchoTable(f), replies: make([]byte, math.MaxUint16)}
	if err := s.prepare(fd, path, privileged); err != nil {
		unix.Close(fd)
		return nil, err
	}
	s.file = os.NewFile(uintptr(fd), "icmp")
	// A deadline proves that Go's poller has taken the socket.
	err = s.file.SetReadDeadline(time.Time{})
	if err == nil {
		s.raw, err = s.file.SyscallConn()
	}
	if err != nil {
		s.file.Close()
		return nil, err
	}
	return s, nil
}

// prepare sets the options and addresses of a new socket. Its buffers are large:
// replies come in bursts, and packets to a neighbour that does not answer wait in
// the kernel for three seconds. The kernel gives as much as it may.
func (s *echoSocket) prepare(fd int, path Path, privileged bool) error {
	const buffer = 1 << 20
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, buffer)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
	// A datagram socket gets its id when it is bound, be it to no address. The
	// kernel calls it the port.
	if !path.Source.IsValid() {
		path.Source = s.table.unspecified
	}
	err := errors.Join(
		path.prepare(fd, s.family),
		mtuDiscovery.set(fd, s.family, unix.IP_PMTUDISC_PROBE),
		turnOnErrorQueue(fd, s.family))
	switch {
	case err != nil:
		return err
	case privileged:
		return onlyReplies(fd, s.family)
	}
	own, err := ownAddrOf(fd)
	s.table.id = int(own.Port())
	return err
}

// onlyReplies keeps everything but echo replies from a raw socket. In both
// filters a bit that is set holds a type back.
func onlyReplies(fd int, f Family) error {
	if f == IPv6 {
		var filter unix.ICMPv6Filter
		for i := range filter.Data {
			filter.Data[i] = math.MaxUint32
		}
		filter.Data[ipv6.ICMPTypeEchoReply/32] &^= 1 << (ipv6.ICMPTypeEchoReply % 32)
		const icmp6Filter = 1
		return os.NewSyscallError("setsockopt", unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, icmp6Filter, &filter))
	}
	const icmpFilter = 1
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_RAW, icmpFilter, ^(1<<ipv4.ICMPTypeEchoReply)))
}

// Close ends listen.
func (s *echoSocket) Close() error {
	s.closed.Store(true)
	return s.file.Close()
}

// send sends one packet. One that is too big for this host's own interface
// counts as one that has left, and an error event says what fits.
//
// An error is that of this packet, and nothing is heard of it then. If a queue
// of the kernel is full (EAGAIN, ENOBUFS) it may be sent again a moment later.
func (s *echoSocket) send(r echoRequest) error {
	r.Bytes = cmp.Or(r.Bytes, s.table.usual())
	if !r.To.IsValid() || !s.family.Has(r.To) || r.Bytes < s.table.least() || r.Bytes > math.MaxUint16 || r.TTL < 0 || r.TTL > math.MaxUint8 {
		return ownFault(fmt.Sprintf("no echo request to %s has %d bytes and %d hops", r.To, r.Bytes, r.TTL))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	packet := s.table.packet(r)
	var at time.Time
	var fits int
	err := onSocket(s.raw, func(fd int) (err error) {
		at, fits, err = s.transmit(fd, r, packet)
		return err
	})
	if err != nil && !errors.Is(err, unix.EMSGSIZE) {
		return err
	}
	p := s.table.add(r)
	p.heard(vpn.Sent, at, nil)
	if err != nil {
		p.failed = true
		p.heard(vpn.ICMPError, time.Now(), &vpn.ICMPMessage{Type: s.table.tooBig[0], Code: s.table.tooBig[1], MTU: fits})
	}
	return nil
}

// transmit sends a packet. An error is its own if it comes a second time while
// the error queue is empty; else it may be that of another. If the packet is too
// big for this host's interface, that puts what fits into the queue.
func (s *echoSocket) transmit(fd int, r echoRequest, packet []byte) (at time.Time, fits int, err error) {
	to, err := socketAddr(fd, r.To)
	if err == nil {
		err = hopLimit.set(fd, s.family, cmp.Or(r.TTL, -1))
	}
	if err != nil {
		return at, 0, err
	}
	const tries = 20
	own := 0
	for range tries {
		at = time.Now()
		_, err = unix.SendmsgN(fd, packet, nil, to, unix.MSG_DONTWAIT)
		if err == nil {
			return at, 0, nil
		}
		n, fits := s.drainErrors(fd)
		if err == unix.EMSGSIZE && fits > 0 {
			return at, fits, os.NewSyscallError("sendmsg", err)
		}
		if n > 0 {
			own = 0
		} else if own++; own == 2 {
			break
		}
	}
	return at, 0, os.NewSyscallError("sendmsg", err)
}

// listen hears what becomes of packets. It returns when the socket is closed; any
// other error means that nothing more is heard. The goroutine is the caller's,
// and so is whoever guards it against panics.
func (s *echoSocket) listen() error {
	for {
		err := s.raw.Read(func(fd uintptr) bool { return s.drain(int(fd)) })
		switch {
		case s.closed.Load():
			return nil
		case err != nil:
			return err
		}
	}
}

// atOnce bounds what is read from a queue in one go, whoever fills it.
const atOnce = 64

// drain reads both queues of the socket and tells whether it should be called
// again; else they are empty, and the poller says when that changes.
func (s *echoSocket) drain(fd int) (again bool) {
	s.mu.Lock()
	n, _ := s.drainErrors(fd)
	s.mu.Unlock()
	return s.drainReplies(fd) || n > 0
}

// drainReplies tells whether there was anything, be it the number of an error
// whose entry is in the other queue.
func (s *echoSocket) drainReplies(fd int) (some bool) {
	for range atOnce {
		n, from, err := unix.Recvfrom(fd, s.replies, unix.MSG_DONTWAIT)
		at := time.Now()
		if err == unix.EAGAIN {
			return some
		}
		some = true
		if err == nil {
			s.reply(s.replies[:n], addrPortOf(from).Addr(), at)
		}
	}
	return some
}

func (s *echoSocket) reply(b []byte, from netip.Addr, at time.Time) {
	if s.header {
		b = withoutIPHeader(b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.table.answers(b, from); p != nil {
		p.heard(vpn.Answered, at, nil)
	}
}

// drainErrors reads the error queue. It gives the number of entries, and what
// the last one of this host's own says to fit.
func (s *echoSocket) drainErrors(fd int) (n, fits int) {
	for ; n < atOnce; n++ {
		q, err := readErrorQueue(fd, s.quote[:])
		at := time.Now()
		if err != nil {
			break
		}
		if q.Origin == unix.SO_EE_ORIGIN_LOCAL {
			fits = q.MTU
			continue
		}
		if p := s.table.isAbout(q); p != nil {
			p.heard(vpn.ICMPError, at, &q.ICMPMessage)
		}
	}
	return n, fits
}
