package probe

import (
	"encoding/binary"
	"math"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"checkvpn/pkg/vpn"
)

// The kernel's error queue (IP_RECVERR in ip(7), IPV6_RECVERR in ipv6(7)).
//
// Whoever cannot pass a packet on may say so in an ICMP message to the sender.
// A socket with an error queue gets each of these with the address of who sent
// it and the beginning of the packet that it is about. Without a queue it gets
// an error number at most.
//
// The number is there too: whatever the socket does next fails with it once,
// although that has nothing to do with the packet in question. To read the
// queue takes the number away.

// queuedError is one entry of an error queue. Its numbers are the network's:
// nothing but their range is sure.
type queuedError struct {
	vpn.ICMPMessage
	Origin uint8 // unix.SO_EE_ORIGIN_ICMP, _ICMP6 or _LOCAL; 0 for an entry that is not understood
	Errno  syscall.Errno
	To     netip.Addr // whom the packet was for, without a zone
	Quote  []byte     // the packet's beginning, from its ICMP, TCP or UDP header on
}

// readErrorQueue takes one entry from the error queue of a socket. The error is
// EAGAIN if there is none. The quote is put into the buffer, as much of it as
// fits.
func readErrorQueue(fd int, buffer []byte) (queuedError, error) {
	var control [512]byte
	for {
		n, nc, _, to, err := unix.Recvmsg(fd, buffer, control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return queuedError{}, err
		}
		q := parseQueuedError(control[:nc])
		q.To, q.Quote = addrPortOf(to).Addr(), buffer[:n]
		return q, nil
	}
}

// parseQueuedError reads the control messages beside an entry: who says what,
// and to which of this host's addresses it was sent.
func parseQueuedError(control []byte) (q queuedError) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return q
	}
	var sentTo netip.Addr
	for _, m := range messages {
		switch [2]int32{m.Header.Level, m.Header.Type} {
		case [2]int32{unix.IPPROTO_IP, unix.IP_RECVERR}, [2]int32{unix.IPPROTO_IPV6, unix.IPV6_RECVERR}:
			q = parseExtendedError(m.Data)
		case [2]int32{unix.IPPROTO_IP, unix.IP_PKTINFO}:
			if len(m.Data) >= unix.SizeofInet4Pktinfo {
				sentTo = netip.AddrFrom4([4]byte(m.Data[8:]))
			}
		case [2]int32{unix.IPPROTO_IPV6, unix.IPV6_PKTINFO}:
			if len(m.Data) >= unix.SizeofInet6Pktinfo {
				sentTo = netip.AddrFrom16([16]byte(m.Data)).Unmap()
			}
		}
	}
	if q.From == sentTo {
		q.From = netip.Addr{}
	}
	return q
}

// parseExtendedError reads a struct sock_extended_err: the error number in four
// bytes, origin, type, code and a filler in one each, the MTU in four and four
// more. Behind it stands the address of the offender.
func parseExtendedError(b []byte) (q queuedError) {
	const size = 16
	if len(b) < size {
		return q
	}
	q.Errno = syscall.Errno(binary.NativeEndian.Uint32(b))
	q.Origin, q.Type, q.Code = b[4], b[5], b[6]
	if q.Errno == unix.EMSGSIZE {
		q.MTU = int(min(binary.NativeEndian.Uint32(b[8:]), math.MaxUint16))
	}
	if q.Origin != unix.SO_EE_ORIGIN_LOCAL {
		q.From = parseSockaddr(b[size:])
	}
	return q
}

// parseSockaddr reads a sockaddr_in or sockaddr_in6, without its zone.
func parseSockaddr(b []byte) netip.Addr {
	if len(b) < 2 {
		return netip.Addr{}
	}
	switch family := binary.NativeEndian.Uint16(b); {
	case family == unix.AF_INET && len(b) >= unix.SizeofSockaddrInet4:
		return netip.AddrFrom4([4]byte(b[4:]))
	case family == unix.AF_INET6 && len(b) >= unix.SizeofSockaddrInet6:
		return netip.AddrFrom16([16]byte(b[8:])).Unmap()
	}
	return netip.Addr{}
}
