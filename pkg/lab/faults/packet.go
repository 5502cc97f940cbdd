package main

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// packet is an IP packet without options or extension headers.
type packet struct {
	from, to netip.Addr
	protocol byte
	body     []byte
}

// parsePacket reads what a device gives; ok is false for what is neither IPv4
// nor IPv6.
func parsePacket(b []byte) (p packet, ok bool) {
	switch {
	case len(b) >= 20 && b[0] == 0x45:
		return packet{netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9], b[20:]}, true
	case len(b) >= 40 && b[0]>>4 == 6:
		return packet{netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[6], b[40:]}, true
	}
	return packet{}, false
}

// reply is an answer to p with this body.
func (p packet) reply(body []byte) packet { return packet{p.to, p.from, p.protocol, body} }

// raw is the packet as it stands on the wire, with checksums that are right.
func (p packet) raw() []byte {
	if at := p.checksumAt(); at >= 0 && at+2 <= len(p.body) {
		p.body = slices.Clone(p.body)
		p.body[at], p.body[at+1] = 0, 0
		binary.BigEndian.PutUint16(p.body[at:], p.checksum())
	}
	return p.rawUnsealed()
}

// rawUnsealed leaves the checksum of the body as it is.
func (p packet) rawUnsealed() []byte {
	if p.from.Is4() {
		h := make([]byte, 20, 20+len(p.body))
		h[0], h[8], h[9] = 0x45, 64, p.protocol
		binary.BigEndian.PutUint16(h[2:], uint16(20+len(p.body)))
		copy(h[12:], p.from.AsSlice())
		copy(h[16:], p.to.AsSlice())
		binary.BigEndian.PutUint16(h[10:], sum(h))
		return append(h, p.body...)
	}
	h := make([]byte, 40, 40+len(p.body))
	h[0], h[6], h[7] = 0x60, p.protocol, 64
	binary.BigEndian.PutUint16(h[4:], uint16(len(p.body)))
	copy(h[8:], p.from.AsSlice())
	copy(h[24:], p.to.AsSlice())
	return append(h, p.body...)
}

func (p packet) checksumAt() int {
	switch p.protocol {
	case unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6:
		return 2
	case unix.IPPROTO_UDP:
		return 6
	case unix.IPPROTO_TCP:
		return 16
	}
	return -1
}

// checksum is that of the body. All but ICMP for IPv4 cover the addresses too.
func (p packet) checksum() uint16 {
	if p.protocol == unix.IPPROTO_ICMP {
		return sum(p.body)
	}
	pseudo := slices.Concat(p.from.AsSlice(), p.to.AsSlice())
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(p.body)))
	pseudo = append(pseudo, 0, 0, 0, p.protocol)
	return sum(append(pseudo, p.body...))
}

// sum is the internet checksum (RFC 1071).
func sum(b []byte) uint16 {
	var n uint32
	for ; len(b) >= 2; b = b[2:] {
		n += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		n += uint32(b[0]) << 8
	}
	for n > 0xffff {
		n = n>>16 + n&0xffff
	}
	return ^uint16(n)
}

func (p packet) isEcho() bool {
	return len(p.body) >= 8 && (p.protocol == unix.IPPROTO_ICMP && p.body[0] == 8 || p.protocol == unix.IPPROTO_ICMPV6 && p.body[0] == 128)
}

// echoReply answers an echo request.
func (p packet) echoReply() packet {
	body := slices.Clone(p.body)
	body[0] = 0
	if p.protocol == unix.IPPROTO_ICMPV6 {
		body[0] = 129
	}
	return p.reply(body)
}

// unreachable is what somebody says who cannot pass p on: the codes are those
// of IPv4 and of IPv6.
func (p packet) unreachable(from netip.Addr, code4, code6 byte) packet {
	quote := p.rawUnsealed()
	if p.from.Is4() {
		return packet{from, p.from, unix.IPPROTO_ICMP, append([]byte{3, code4, 0, 0, 0, 0, 0, 0}, quote...)}
	}
	return packet{from, p.from, unix.IPPROTO_ICMPV6, append([]byte{1, code6, 0, 0, 0, 0, 0, 0}, quote...)}
}

// udpPorts are the ports of a UDP packet; both are 0 for any other.
func (p packet) udpPorts() (from, to uint16) {
	if p.protocol != unix.IPPROTO_UDP || len(p.body) < 8 {
		return 0, 0
	}
	return binary.BigEndian.Uint16(p.body), binary.BigEndian.Uint16(p.body[2:])
}

// udpReply answers a UDP packet with this data.
func (p packet) udpReply(data []byte) packet {
	body := slices.Concat(p.body[2:4], p.body[0:2], []byte{0, 0, 0, 0}, data)
	binary.BigEndian.PutUint16(body[4:], uint16(len(body)))
	return p.reply(body)
}

func (p packet) isSYN() bool {
	return p.protocol == unix.IPPROTO_TCP && len(p.body) >= 20 && p.body[13]&0x12 == 0x02
}

// synAck takes up a connection, off by so many from the number that would be
// right.
func (p packet) synAck(off uint32) packet {
	body := slices.Concat(p.body[2:4], p.body[0:2], make([]byte, 16))
	binary.BigEndian.PutUint32(body[4:], 1000)
	binary.BigEndian.PutUint32(body[8:], binary.BigEndian.Uint32(p.body[4:])+1+off)
	body[12], body[13] = 5<<4, 0x12
	binary.BigEndian.PutUint16(body[14:], 65535)
	return p.reply(body)
}
