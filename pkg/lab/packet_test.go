package lab

import (
	"net/netip"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// udp is a packet of UDP, by IPv4 or IPv6.
func udp(version int, from, to uint16, data ...byte) []byte {
	header := make([]byte, 20)
	if header[0], header[9] = 0x45, 17; version == 6 {
		header = make([]byte, 40)
		header[0], header[6] = 0x60, 17
	}
	return append(append(header, byte(from>>8), byte(from), byte(to>>8), byte(to), 0, 0, 0, 0), data...)
}

func changed(p []byte, at int, b byte) []byte {
	p[at] = b
	return p
}

func TestIsTunnel(t *testing.T) {
	marker, key := []byte{0, 0, 0, 0, 1}, []byte{0, 0, 0, 1, 1}
	for name, test := range map[string]struct {
		p    []byte
		want bool
	}{
		"WireGuard":               {udp(4, 51820, 1), true},
		"WireGuard, to":           {udp(4, 1, 51820), true},
		"WireGuard, second":       {udp(4, 1, 51821), true},
		"WireGuard over IPv6":     {udp(6, 1, 51820), true},
		"next port":               {udp(4, 1, wireGuardPort+maxTunnels), false},
		"OpenVPN":                 {udp(4, 1194, 1), true},
		"IKE":                     {udp(4, 500, 500, key...), false},
		"IKE through NAT":         {udp(4, 4500, 4500, marker...), false},
		"ESP through NAT":         {udp(4, 4500, 4500, key...), true},
		"keepalive through NAT":   {udp(4, 4500, 4500, 0xff), false},
		"ESP":                     {changed(udp(4, 0, 0), 9, 50), true},
		"ESP over IPv6":           {changed(udp(6, 0, 0), 6, 50), true},
		"TCP":                     {changed(udp(4, 51820, 51820), 9, 6), false},
		"later fragment":          {changed(udp(4, 51820, 51820), 7, 1), false},
		"with options":            {append(changed(udp(4, 0, 0), 0, 0x46)[:24], udp(4, 1, 51820)[20:]...), true},
		"cut short":               {udp(4, 51820, 1)[:24], false},
		"header longer than that": {changed(udp(4, 51820, 1), 0, 0x4f), false},
		"nothing":                 {nil, false},
	} {
		if p, _ := ParsePacket(test.p); p.isTunnel() != test.want {
			t.Errorf("%s: %v", name, !test.want)
		}
	}
}

// TestError holds the errors against another reader of them.
func TestError(t *testing.T) {
	for _, size := range []int{0, 1, 100, 2000} {
		for version, test := range map[int]struct {
			protocol, header, longest int
			from                      netip.Addr
			want                      icmp.Type
		}{
			4: {1, 20, 576, relay4, ipv4.ICMPTypeDestinationUnreachable},
			6: {58, 40, 1280, relay6, ipv6.ICMPTypeDestinationUnreachable},
		} {
			p, ok := ParsePacket(udp(version, 1, 2, make([]byte, size)...))
			raw := p.Error(test.from, map[int]byte{4: 3, 6: 1}[version], 1, 0).Raw()
			e, _ := ParsePacket(raw)
			m, err := icmp.ParseMessage(test.protocol, raw[test.header:])
			if !ok || len(raw) > test.longest || e.From != test.from || e.To != p.From || err != nil || m.Type != test.want {
				t.Errorf("about %d bytes: %x, %v %v", size, raw[:test.header+8], m, err)
			}
			if version == 4 && (Checksum(raw[:20]) != 0 || Checksum(raw[20:]) != 0) {
				t.Errorf("about %d bytes: a wrong checksum: %x", size, raw[:28])
			}
		}
	}
}

func TestJudge(t *testing.T) {
	p, _ := ParsePacket(udp(4, 51820, 51820, make([]byte, 100)...))
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
		if got := test.c.judge(p, test.nth); got != test.want {
			t.Errorf("%+v, packet %d: %d, want %d", test.c, test.nth, got, test.want)
		}
	}
}
