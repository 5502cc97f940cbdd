package lab

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// packet is an IP packet, as a TUN device gives it.
type packet []byte

func (p packet) isIPv4() bool { return len(p) >= 20 && p[0]>>4 == 4 }
func (p packet) isIPv6() bool { return len(p) >= 40 && p[0]>>4 == 6 }

func (p packet) source() netip.Addr {
	switch {
	case p.isIPv4():
		return netip.AddrFrom4([4]byte(p[12:16]))
	case p.isIPv6():
		return netip.AddrFrom16([16]byte(p[8:24]))
	}
	return netip.Addr{}
}

func (p packet) destination() netip.Addr {
	switch {
	case p.isIPv4():
		return netip.AddrFrom4([4]byte(p[16:20]))
	case p.isIPv6():
		return netip.AddrFrom16([16]byte(p[24:40]))
	}
	return netip.Addr{}
}

// payload returns the protocol number and what follows the IP header. Of a
// fragment that is not the first it returns nothing. IPv6 extension headers
// are not followed.
func (p packet) payload() (protocol byte, rest []byte) {
	switch {
	case p.isIPv4():
		header := int(p[0]&0xf) * 4
		offset := binary.BigEndian.Uint16(p[6:]) & 0x1fff
		if header > len(p) || offset != 0 {
			return p[9], nil
		}
		return p[9], p[header:]
	case p.isIPv6():
		return p[6], p[40:]
	}
	return 0, nil
}

// isTunnel reports whether the packet carries a tunnel's traffic.
func (p packet) isTunnel() bool {
	protocol, rest := p.payload()
	if protocol == unix.IPPROTO_ESP {
		return true
	}
	if protocol != unix.IPPROTO_UDP || len(rest) < 8 {
		return false
	}
	return isTunnelPort(binary.BigEndian.Uint16(rest), rest[8:]) ||
		isTunnelPort(binary.BigEndian.Uint16(rest[2:]), rest[8:])
}

func isTunnelPort(port uint16, data []byte) bool {
	const openVPN, natTraversal = 1194, 4500
	switch port {
	case openVPN:
		return true
	case natTraversal:
		// RFC 3948: IKE begins with four zero bytes here, ESP never does.
		return len(data) >= 4 && binary.BigEndian.Uint32(data) != 0
	}
	return port >= wireGuardPort && port < wireGuardPort+maxTunnels
}
