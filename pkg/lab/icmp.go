package lab

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// The relay's own addresses: where its ICMP errors come from.
var (
	relay4 = netip.MustParseAddr("192.0.2.254")
	relay6 = netip.MustParseAddr("2001:db8::fe")
)

// icmpProhibited answers p with "communication administratively prohibited".
func icmpProhibited(p packet) packet {
	if p.isIPv4() {
		return icmp4(p, 3, 13, 0)
	}
	return icmp6(p, 1, 1, 0)
}

// icmpTooBig answers p with the largest packet that passes.
func icmpTooBig(p packet, largest int) packet {
	if p.isIPv4() {
		return icmp4(p, 3, 4, uint32(largest))
	}
	return icmp6(p, 2, 0, uint32(largest))
}

// icmp4 builds an error about p (RFC 792), which quotes p's beginning. The
// packet stays within the 576 bytes that every host takes.
func icmp4(p packet, kind, code byte, info uint32) packet {
	quote := p[:min(len(p), 576-28)]
	e := make(packet, 28, 28+len(quote))
	e = append(e, quote...)

	e[0], e[8], e[9] = 0x45, 64, unix.IPPROTO_ICMP
	binary.BigEndian.PutUint16(e[2:], uint16(len(e)))
	copy(e[12:16], relay4.AsSlice())
	copy(e[16:20], p[12:16])
	binary.BigEndian.PutUint16(e[10:], Checksum(e[:20]))

	e[20], e[21] = kind, code
	binary.BigEndian.PutUint32(e[24:], info)
	binary.BigEndian.PutUint16(e[22:], Checksum(e[20:]))
	return e
}

// icmp6 is the same for IPv6 (RFC 4443), within the least packet size of 1280.
func icmp6(p packet, kind, code byte, info uint32) packet {
	quote := p[:min(len(p), 1280-48)]
	e := make(packet, 48, 48+len(quote))
	e = append(e, quote...)

	e[0], e[6], e[7] = 0x60, unix.IPPROTO_ICMPV6, 64
	binary.BigEndian.PutUint16(e[4:], uint16(len(e)-40))
	copy(e[8:24], relay6.AsSlice())
	copy(e[24:40], p[8:24])

	e[40], e[41] = kind, code
	binary.BigEndian.PutUint32(e[44:], info)
	// Addresses, length and protocol are part of the sum.
	pseudo := binary.BigEndian.AppendUint32(append([]byte(nil), e[8:40]...), uint32(len(e)-40))
	pseudo = append(pseudo, 0, 0, 0, unix.IPPROTO_ICMPV6)
	binary.BigEndian.PutUint16(e[42:], Checksum(append(pseudo, e[40:]...)))
	return e
}

// Checksum is the internet checksum (RFC 1071); 0 if b holds a right one.
func Checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
