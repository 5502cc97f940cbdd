package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"math"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// Big packets leave by a socket of our own. pro-bing forbids fragments in a way
// that obeys the kernel's memory of path MTUs: for ten minutes after a way has
// been repaired nothing larger would even be sent. Nor does it say who called a
// packet too big, and it sends one size only.
//
// Here the kernel heeds the MTU of its interface alone (IP_PMTUDISC_PROBE, as
// RFC 4821 needs it), and the error queue holds what was said of which packet.

// sizer sends echo requests of several sizes to one address. It belongs to one
// goroutine.
type sizer struct {
	file   *os.File
	raw    syscall.RawConn
	addr   netip.Addr
	header bool // IPv4 raw sockets receive the IP header too
	id     int  // of raw sockets; the kernel chooses that of others
	cookie [16]byte
	buffer []byte

	known   sizes
	packets []packet // by their sequence number
	fits    int      // what the kernel said last that its interface takes
}

type packet struct {
	size     int
	answered bool
}

func (d *dialer) openSizer(ctx context.Context, privileged bool, known sizes) (*sizer, error) {
	domain, kind, protocol, network := unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP, "icmp4"
	if d.addr.Is6() {
		domain, protocol, network = unix.AF_INET6, unix.IPPROTO_ICMPV6, "icmp6"
	}
	if privileged {
		kind = unix.SOCK_RAW
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &sizer{file: os.NewFile(uintptr(fd), network), addr: d.addr, known: known,
		header: privileged && d.addr.Is4(), buffer: make([]byte, d.path.MTU+60)}
	rand.Read(s.cookie[:])
	if privileged {
		s.id = int(binary.NativeEndian.Uint16(s.cookie[:])) | 1 // not 0
	}
	if s.raw, err = s.file.SyscallConn(); err == nil {
		err = errors.Join(d.control(ctx, network, "", s.raw), d.prepareSizer(s.raw))
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// prepareSizer sets the socket's options and its addresses.
func (d *dialer) prepareSizer(raw syscall.RawConn) (err error) {
	level, queue, discover, probe := unix.IPPROTO_IP, unix.IP_RECVERR, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE
	if d.addr.Is6() {
		level, queue, discover, probe = unix.IPPROTO_IPV6, unix.IPV6_RECVERR, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE
	}
	outer := raw.Control(func(fd uintptr) {
		err = errors.Join(
			os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), level, queue, 1)),
			os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), level, discover, probe)))
		if err == nil && d.path.Source.IsValid() {
			err = os.NewSyscallError("bind", unix.Bind(int(fd), sockaddr(d.path.Source)))
		}
		if err == nil {
			err = os.NewSyscallError("connect", unix.Connect(int(fd), sockaddr(d.addr)))
		}
	})
	return errors.Join(outer, err)
}

func sockaddr(addr netip.Addr) unix.Sockaddr {
	if addr.Is4() {
		return &unix.SockaddrInet4{Addr: addr.As4()}
	}
	to := &unix.SockaddrInet6{Addr: addr.As16()}
	if i, err := net.InterfaceByName(addr.Zone()); err == nil {
		to.ZoneId = uint32(i.Index)
	}
	return to
}

func (s *sizer) close() { s.file.Close() }

// round sends a packet of each size, spacing apart, and listens as long as
// patience says after the last. It ends sooner when it has heard enough.
func (s *sizer) round(ctx context.Context, sizes []int, spacing time.Duration, patience func() time.Duration, enough func() bool) {
	for i, size := range sizes {
		if ctx.Err() != nil || enough() {
			return
		}
		s.send(size)
		if i == len(sizes)-1 {
			spacing = patience()
		}
		s.listen(ctx, time.Now().Add(spacing), enough)
	}
}

// send sends one packet. An error may be that of an earlier one, which the
// kernel tells once: then it is sent again.
func (s *sizer) send(size int) {
	kind := icmp.Type(ipv4.ICMPTypeEcho)
	if s.addr.Is6() {
		kind = ipv6.ICMPTypeEchoRequest
	}
	data := make([]byte, size-headers(s.addr))
	copy(data, s.cookie[:])
	message := icmp.Message{Type: kind, Body: &icmp.Echo{ID: s.id, Seq: len(s.packets) & 0xffff, Data: data}}
	b, err := message.Marshal(nil)
	if err != nil {
		panic(err) // an echo request always has a form
	}
	s.packets = append(s.packets, packet{size: size})
	s.known.of(size).Sent++
	_ = s.raw.Control(func(fd uintptr) {
		for range 2 {
			if _, err = unix.Write(int(fd), b); err == nil {
				return
			}
			s.fits = 0
			s.drain(int(fd))
		}
		if err == unix.EMSGSIZE {
			s.tooBig(size, &ToldError{What: tooBig, By: Itself}, s.fits)
		}
	})
}

const tooBig = "too big"

func (s *sizer) tooBig(bytes int, told *ToldError, mtu int) {
	size := s.known.of(bytes)
	size.TooBig++
	size.told, size.mtu = told, mtu
}

// listen takes what comes in until a time, or until it has heard enough.
func (s *sizer) listen(ctx context.Context, until time.Time, enough func() bool) {
	if err := s.file.SetReadDeadline(until); err != nil {
		sleep(ctx, time.Until(until))
	}
	defer context.AfterFunc(ctx, func() { _ = s.file.SetReadDeadline(time.Unix(1, 0)) })()
	for ctx.Err() == nil && !enough() {
		if err := s.raw.Read(func(fd uintptr) bool { return s.drain(int(fd)) }); err == nil {
			continue
		} else if !errors.Is(err, os.ErrDeadlineExceeded) {
			sleep(ctx, time.Until(until)) // never silence for want of listening
		}
		// What has come in in time counts, if it is only read now.
		_ = s.raw.Control(func(fd uintptr) { s.drain(int(fd)) })
		return
	}
}

// drain takes in what the socket holds and tells whether there was anything.
func (s *sizer) drain(fd int) (any bool) {
	const bound = 64 // of what is read at once, whoever sends so much
	for range bound {
		n, from, err := unix.Recvfrom(fd, s.buffer, unix.MSG_DONTWAIT)
		if err == nil {
			any = true
			s.reply(s.buffer[:n], from)
		}
		told := s.readError(fd)
		any = any || told
		if err == unix.EAGAIN && !told {
			break
		}
	}
	return any
}

// reply takes in a packet that may be an answer.
func (s *sizer) reply(b []byte, from unix.Sockaddr) {
	protocol := unix.IPPROTO_ICMP
	if s.addr.Is6() {
		protocol = unix.IPPROTO_ICMPV6
	}
	if s.header && len(b) >= 20 {
		b = b[min(len(b), int(b[0]&0xf)*4):]
	}
	m, err := icmp.ParseMessage(protocol, b)
	if err != nil || m.Type != ipv4.ICMPTypeEchoReply && m.Type != ipv6.ICMPTypeEchoReply || !s.isTarget(from) {
		return
	}
	echo, ok := m.Body.(*icmp.Echo)
	if !ok || s.id != 0 && echo.ID != s.id || !bytes.HasPrefix(echo.Data, s.cookie[:]) || echo.Seq >= len(s.packets) {
		return
	}
	p := &s.packets[echo.Seq]
	if !p.answered && len(echo.Data) == p.size-headers(s.addr) {
		p.answered = true
		s.known.of(p.size).Answered++
	}
}

func (s *sizer) isTarget(from unix.Sockaddr) bool {
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(from.Addr) == s.addr
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(from.Addr) == s.addr.WithZone("")
	}
	return false
}

// readError takes in an entry of the error queue and tells whether there was
// one. Those of ICMP errors quote the packet from its ICMP header on.
func (s *sizer) readError(fd int) bool {
	var quote, control [512]byte
	n, nc, _, _, err := unix.Recvmsg(fd, quote[:], control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return err == unix.EINTR
	}
	origin, mtu, from := parseTooBig(control[:nc])
	switch {
	case origin == unix.SO_EE_ORIGIN_LOCAL:
		s.fits = mtu
	case origin != unix.SO_EE_ORIGIN_NONE && n >= 8 && (s.id == 0 || int(binary.BigEndian.Uint16(quote[4:])) == s.id):
		if seq := int(binary.BigEndian.Uint16(quote[6:])); seq < len(s.packets) {
			s.tooBig(s.packets[seq].size, &ToldError{What: tooBig, From: from, By: s.speaker(from)}, mtu)
		}
	}
	return true
}

func (s *sizer) speaker(from netip.Addr) Speaker {
	if from == s.addr.WithZone("") {
		return Target
	}
	return Another
}

// parseTooBig reads the control messages of an entry of the error queue. Where
// that says that a packet was too big, it gives who noticed it, what would fit
// and the address of who said so.
func parseTooBig(control []byte) (origin uint8, mtu int, from netip.Addr) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0, 0, from
	}
	for _, m := range messages {
		if len(m.Data) < extendedErr || syscall.Errno(binary.NativeEndian.Uint32(m.Data)) != syscall.EMSGSIZE {
			continue
		}
		from, _ = parseOffender(m.Data[extendedErr:])
		return m.Data[4], int(min(binary.NativeEndian.Uint32(m.Data[8:]), math.MaxUint16)), from
	}
	return 0, 0, from
}
