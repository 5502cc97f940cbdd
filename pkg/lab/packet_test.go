package lab

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// udp4 is an IPv4 packet with UDP ports and data.
func udp4(from, to uint16, data ...byte) packet {
	p := make(packet, 28)
	p[0], p[9] = 0x45, 17
	p[20], p[21], p[22], p[23] = byte(from>>8), byte(from), byte(to>>8), byte(to)
	return append(p, data...)
}

func udp6(from, to uint16, data ...byte) packet {
	p := make(packet, 40)
	p[0], p[6] = 0x60, 17
	return append(p, udp4(from, to, data...)[20:]...)
}

func change(p packet, at int, b byte) packet {
	p[at] = b
	return p
}

func TestIsTunnel(t *testing.T) {
	marker, key := []byte{0, 0, 0, 0, 1}, []byte{0, 0, 0, 1, 1}
	for name, test := range map[string]struct {
		p    packet
		want bool
	}{
		"WireGuard":               {udp4(51820, 1), true},
		"WireGuard, to":           {udp4(1, 51820), true},
		"WireGuard, second":       {udp4(1, 51821), true},
		"WireGuard over IPv6":     {udp6(1, 51820), true},
		"next port":               {udp4(1, wireGuardPort+maxTunnels), false},
		"OpenVPN":                 {udp4(1194, 1), true},
		"IKE":                     {udp4(500, 500, key...), false},
		"IKE through NAT":         {udp4(4500, 4500, marker...), false},
		"ESP through NAT":         {udp4(4500, 4500, key...), true},
		"keepalive through NAT":   {udp4(4500, 4500, 0xff), false},
		"ESP":                     {change(udp4(0, 0), 9, 50), true},
		"ESP over IPv6":           {change(udp6(0, 0), 6, 50), true},
		"TCP":                     {change(udp4(51820, 51820), 9, 6), false},
		"later fragment":          {change(udp4(51820, 51820), 7, 1), false},
		"with options":            {append(change(udp4(0, 0), 0, 0x46)[:24], udp4(1, 51820)[20:]...), true},
		"cut short":               {udp4(51820, 1)[:24], false},
		"header longer than that": {change(udp4(51820, 1), 0, 0x4f), false},
		"nothing":                 {nil, false},
	} {
		if got := test.p.isTunnel(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestICMPErrors(t *testing.T) {
	host4, host6 := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")
	long := make([]byte, 2000)
	for _, size := range []int{0, 1, 100, 2000} {
		p := udp4(1, 2, long[:size]...)
		copy(p[12:], host4.AsSlice())
		for _, e := range []packet{icmpProhibited(p), icmpTooBig(p, 1300)} {
			if len(e) > 576 || e.source() != relay4 || e.destination() != host4 || Checksum(e[:20]) != 0 || Checksum(e[20:]) != 0 {
				t.Errorf("about %d bytes: %x", len(p), e[:28])
			}
			m, err := icmp.ParseMessage(1, e[20:])
			if err != nil || m.Type != ipv4.ICMPTypeDestinationUnreachable {
				t.Errorf("about %d bytes: %v %v", len(p), m, err)
			}
		}

		p = udp6(1, 2, long[:size]...)
		copy(p[8:], host6.AsSlice())
		for kind, e := range map[ipv6.ICMPType]packet{
			ipv6.ICMPTypeDestinationUnreachable: icmpProhibited(p),
			ipv6.ICMPTypePacketTooBig:           icmpTooBig(p, 1300),
		} {
			if len(e) > 1280 || e.source() != relay6 || e.destination() != host6 {
				t.Errorf("about %d bytes: %x", len(p), e[:48])
			}
			m, err := icmp.ParseMessage(58, e[40:])
			if err != nil || m.Type != kind {
				t.Errorf("about %d bytes: %v %v", len(p), m, err)
			}
		}
	}
}

func TestJudge(t *testing.T) {
	p := udp4(51820, 51820, make([]byte, 100)...)
	random := rand.New(rand.NewPCG(1, 1))
	for _, test := range []struct {
		c    Conditions
		nth  int
		want verdict
	}{
		{Conditions{}, 1, pass},
		{Conditions{Cut: true, Prohibited: true}, 1, drop},
		{Conditions{CutTunnels: true}, 1, drop},
		{Conditions{Prohibited: true}, 1, prohibited},
		{Conditions{MaxPacket: 128}, 1, pass},
		{Conditions{MaxPacket: 127}, 1, drop},
		{Conditions{MaxPacket: 127, TooBig: true}, 1, tooBig},
		{Conditions{DropEvery: 3}, 2, pass},
		{Conditions{DropEvery: 3}, 3, drop},
		{Conditions{DropEvery: 3}, 6, drop},
		{Conditions{Loss: 1}, 1, drop},
	} {
		if got := test.c.judge(p, test.nth, random); got != test.want {
			t.Errorf("%+v, packet %d: %d, want %d", test.c, test.nth, got, test.want)
		}
	}
}
