package probe

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
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

	mu      sync.Mutex // also held while a packet is sent and the error queue read
	table   *echoTable
	quote   [64]byte    // the buffer of the error queue
	pending []echoEvent // for the goroutine that listens
}

// echoRequest is one packet to send.
type echoRequest struct {
	To    netip.Addr
	Seq   int // the caller's own number; events repeat it
	Bytes int // of the whole IP packet; 0: small
	TTL   int // or hop limit; 0: the host's default
}

// echoEvent is what became of one packet. Each packet gets one reply and one
// error at most.
type echoEvent struct {
	Kind     echoKind
	To       netip.Addr // To, Seq and Bytes are those of the request
	Seq      int
	Bytes    int
	Sent, At time.Time

	From       netip.Addr // who says it; not valid if that is this host
	Type, Code uint8      // of the ICMP error
	MTU        int        // said to fit, of a packet that was too big; 0: not said
}

type echoKind uint8

const (
	echoReply echoKind = iota + 1
	echoError
)

// Close ends listen.
func (s *echoSocket) Close() error {
	s.closed.Store(true)
	return s.file.Close()
}

// send sends one packet. When it has left, and before anything is heard of it,
// left is called with the time; it must not use the socket. A packet that is too
// big for this host's own interface counts as one that has left, and an error
// event says what fits.
//
// An error is that of this packet, and nothing is heard of it then. If a queue
// of the kernel is full (EAGAIN, ENOBUFS) it may be sent again a moment later.
func (s *echoSocket) send(r echoRequest, left func(at time.Time)) error {
	if r.Bytes == 0 {
		r.Bytes = s.table.usual()
	}
	if !r.To.IsValid() || !s.family.Has(r.To) || r.Bytes < s.table.least() || r.Bytes > math.MaxUint16 || r.TTL < 0 || r.TTL > math.MaxUint8 {
		return ownFault(fmt.Sprintf("no echo request to %s has %d bytes and %d hops", r.To, r.Bytes, r.TTL))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	p, packet := s.table.add(r)
	var at time.Time
	var fits int
	var err error
	outer := s.raw.Control(func(fd uintptr) { at, fits, err = s.transmit(int(fd), r, packet) })
	if err = errors.Join(outer, err); err != nil && !errors.Is(err, unix.EMSGSIZE) {
		s.table.forgetLast()
		return err
	}
	p.at = at
	if left != nil {
		left(at)
	}
	if err != nil {
		p.failed = true
		s.heard(p, echoEvent{Kind: echoError, At: time.Now(), Type: s.table.tooBig[0], Code: s.table.tooBig[1], MTU: fits})
	}
	return nil
}

// wake lets the goroutine that listens look at the list of events.
func (s *echoSocket) wake() {
	if len(s.pending) > 0 {
		_ = s.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// transmit sends a packet. An error is its own if it comes a second time while
// the error queue is empty; else it may be that of another. If the packet is too
// big for this host's interface, that puts what fits into the queue.
func (s *echoSocket) transmit(fd int, r echoRequest, packet []byte) (at time.Time, fits int, err error) {
	to, err := socketAddr(fd, r.To)
	if err != nil {
		return at, 0, err
	}
	const tries = 20
	own := 0
	for range tries {
		at = time.Now()
		_, err = unix.SendmsgN(fd, packet, hopLimit(s.family, r.TTL), to, unix.MSG_DONTWAIT)
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

// heard puts an event about a packet on the list of the goroutine that listens.
func (s *echoSocket) heard(p *sentEcho, e echoEvent) {
	e.To, e.Seq, e.Bytes, e.Sent = p.To, p.Seq, p.Bytes, p.at
	s.pending = append(s.pending, e)
}

// listen calls heard, one call after the other, with what becomes of packets. It
// returns when the socket is closed; any other error means that nothing more is
// heard. The goroutine is the caller's, and so is whoever guards it against
// panics. heard may use the socket.
func (s *echoSocket) listen(heard func(echoEvent)) error {
	for {
		// send moves the deadline after it has put an event on the list, so none
		// is overlooked.
		err := s.file.SetReadDeadline(time.Time{})
		for _, e := range s.takePending() {
			heard(e)
		}
		if err == nil {
			err = s.raw.Read(func(fd uintptr) bool { return s.drain(int(fd)) })
		}
		switch {
		case s.closed.Load():
			return nil
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
	}
}

func (s *echoSocket) takePending() []echoEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending := s.pending
	s.pending = nil
	return pending
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
			s.reply(s.replies[:n], addrOf(from), at)
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
		s.heard(p, echoEvent{Kind: echoReply, At: at, From: from})
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
			s.heard(p, echoEvent{Kind: echoError, At: at, From: q.From, Type: q.Type, Code: q.Code, MTU: q.MTU})
		}
	}
	return n, fits
}
