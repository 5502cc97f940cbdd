package lab

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Packet is an IP packet. IPv6 extension headers are not followed.
type Packet struct {
	From, To netip.Addr
	Protocol byte
	Body     []byte // what follows the IP header; none of a fragment that is not the first
	wire     []byte // as it came
}

// ParsePacket reads what a TUN device gives; ok is false for what is neither IPv4
// nor IPv6. The packet shares b.
func ParsePacket(b []byte) (p Packet, ok bool) {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		p = Packet{From: netip.AddrFrom4([4]byte(b[12:16])), To: netip.AddrFrom4([4]byte(b[16:20])), Protocol: b[9], wire: b}
		header, offset := int(b[0]&0xf)*4, binary.BigEndian.Uint16(b[6:])&0x1fff
		if header <= len(b) && offset == 0 {
			p.Body = b[header:]
		}
	case len(b) >= 40 && b[0]>>4 == 6:
		p = Packet{netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[6], b[40:], b}
	}
	return p, p.wire != nil
}

// Unreachable is how somebody who cannot pass p on tells its sender (RFC 792, RFC
// 4443), from an address of p's family, with the code of IPv4 or of IPv6. It quotes
// p's beginning, within what every host takes.
func (p Packet) Unreachable(from []netip.Addr, code4, code6 byte) Packet {
	e := Packet{To: p.From, Protocol: unix.IPPROTO_ICMP, Body: []byte{3, code4, 0, 0, 0, 0, 0, 0}}
	longest := 576 - 28
	if p.From.Is6() {
		e.Protocol, e.Body[0], e.Body[1] = unix.IPPROTO_ICMPV6, 1, code6
		longest = 1280 - 48
	}
	for _, a := range from {
		if a.Is4() == p.From.Is4() {
			e.From = a
		}
	}
	e.Body = append(e.Body, p.wire[:min(len(p.wire), longest)]...)
	return e
}

// Raw is the packet as it stands on the wire, with its checksum if it is of ICMP.
func (p Packet) Raw() []byte {
	if len(p.Body) >= 4 && (p.Protocol == unix.IPPROTO_ICMP || p.Protocol == unix.IPPROTO_ICMPV6) {
		p.Body = slices.Clone(p.Body)
		p.Body[2], p.Body[3] = 0, 0
		covered := p.Body
		if p.From.Is6() { // the addresses too
			covered = slices.Concat(p.From.AsSlice(), p.To.AsSlice(), binary.BigEndian.AppendUint32(nil, uint32(len(p.Body))), []byte{0, 0, 0, p.Protocol}, p.Body)
		}
		binary.BigEndian.PutUint16(p.Body[2:], Checksum(covered))
	}
	if p.From.Is4() {
		h := make([]byte, 20, 20+len(p.Body))
		h[0], h[8], h[9] = 0x45, 64, p.Protocol
		binary.BigEndian.PutUint16(h[2:], uint16(20+len(p.Body)))
		copy(h[12:], p.From.AsSlice())
		copy(h[16:], p.To.AsSlice())
		binary.BigEndian.PutUint16(h[10:], Checksum(h))
		return append(h, p.Body...)
	}
	h := make([]byte, 40, 40+len(p.Body))
	h[0], h[6], h[7] = 0x60, p.Protocol, 64
	binary.BigEndian.PutUint16(h[4:], uint16(len(p.Body)))
	copy(h[8:], p.From.AsSlice())
	copy(h[24:], p.To.AsSlice())
	return append(h, p.Body...)
}

// IsEcho tells whether the packet is an echo request.
func (p Packet) IsEcho() bool {
	return len(p.Body) >= 8 && (p.Protocol == unix.IPPROTO_ICMP && p.Body[0] == 8 || p.Protocol == unix.IPPROTO_ICMPV6 && p.Body[0] == 128)
}

// isTunnel reports whether the packet carries a tunnel's traffic.
func (p Packet) isTunnel() bool {
	if p.Protocol != unix.IPPROTO_UDP || len(p.Body) < 8 {
		return p.Protocol == unix.IPPROTO_ESP
	}
	from, to, data := binary.BigEndian.Uint16(p.Body), binary.BigEndian.Uint16(p.Body[2:]), p.Body[8:]
	return isTunnelPort(from, data) || isTunnelPort(to, data)
}

const natTraversalPort = 4500 // of IPsec

func isTunnelPort(port uint16, data []byte) bool {
	switch port {
	case openVPNPort:
		return true
	case natTraversalPort:
		// RFC 3948: IKE begins with four zero bytes here, ESP never does.
		return len(data) >= 4 && binary.BigEndian.Uint32(data) != 0
	}
	return port >= wireGuardPort && port < wireGuardPort+maxTunnels
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
