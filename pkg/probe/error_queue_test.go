package probe

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"checkvpn/pkg/vpn"
)

// controlMessage is one as the kernel writes it.
func controlMessage(level, kind int, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	if unix.CmsgLen(0) == 16 {
		binary.NativeEndian.PutUint64(b, uint64(unix.CmsgLen(len(data))))
	} else {
		binary.NativeEndian.PutUint32(b, uint32(unix.CmsgLen(len(data))))
	}
	header := unix.CmsgLen(0)
	binary.NativeEndian.PutUint32(b[header-8:], uint32(level))
	binary.NativeEndian.PutUint32(b[header-4:], uint32(kind))
	copy(b[header:], data)
	return b
}

// errorControl is what stands beside an entry: who says what, and to whom.
func errorControl(errno uint32, origin, kind, code uint8, info uint32, from, to netip.Addr) []byte {
	said := binary.NativeEndian.AppendUint32(nil, errno)
	said = append(said, origin, kind, code, 0)
	said = binary.NativeEndian.AppendUint32(said, info)
	said = append(said, 0, 0, 0, 0)
	if from.Is6() {
		said = binary.NativeEndian.AppendUint16(said, unix.AF_INET6)
		said = append(append(append(said, make([]byte, 6)...), from.AsSlice()...), 0, 0, 0, 0)
		return append(controlMessage(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, append(to.AsSlice(), 1, 0, 0, 0)),
			controlMessage(unix.IPPROTO_IPV6, unix.IPV6_RECVERR, said)...)
	}
	said = binary.NativeEndian.AppendUint16(said, unix.AF_INET)
	said = append(append(append(said, 0, 0), from.AsSlice()...), make([]byte, 8)...)
	return append(controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR, said),
		controlMessage(unix.IPPROTO_IP, unix.IP_PKTINFO, append(make([]byte, 8), to.AsSlice()...))...)
}

func TestErrorQueueParse(t *testing.T) {
	router, own := netip.MustParseAddr("10.3.0.1"), netip.MustParseAddr("10.1.0.2")
	router6, own6 := netip.MustParseAddr("fd00:3::1"), netip.MustParseAddr("fd00:1::2")
	const four, six, local = unix.SO_EE_ORIGIN_ICMP, unix.SO_EE_ORIGIN_ICMP6, unix.SO_EE_ORIGIN_LOCAL
	for _, test := range []struct {
		name    string
		control []byte
		want    queuedError
	}{
		{"host unreachable", errorControl(113, four, 3, 1, 7, router, own), queuedError{Origin: four, Errno: 113, ICMPMessage: vpn.ICMPMessage{Type: 3, Code: 1, From: router}}},
		{"address unreachable", errorControl(113, six, 1, 3, 7, router6, own6), queuedError{Origin: six, Errno: 113, ICMPMessage: vpn.ICMPMessage{Type: 1, Code: 3, From: router6}}},
		{"this host", errorControl(113, four, 3, 1, 0, own, own), queuedError{Origin: four, Errno: 113, ICMPMessage: vpn.ICMPMessage{Type: 3, Code: 1}}},
		{"this host", errorControl(113, six, 1, 3, 0, own6, own6), queuedError{Origin: six, Errno: 113, ICMPMessage: vpn.ICMPMessage{Type: 1, Code: 3}}},
		{"too big", errorControl(90, four, 3, 4, 1300, router, own), queuedError{Origin: four, Errno: 90, ICMPMessage: vpn.ICMPMessage{Type: 3, Code: 4, From: router, MTU: 1300}}},
		{"too big", errorControl(90, six, 2, 0, 1300, router6, own6), queuedError{Origin: six, Errno: 90, ICMPMessage: vpn.ICMPMessage{Type: 2, From: router6, MTU: 1300}}},
		{"more than any packet has", errorControl(90, six, 2, 0, 1<<31, router6, own6), queuedError{Origin: six, Errno: 90, ICMPMessage: vpn.ICMPMessage{Type: 2, From: router6, MTU: 65535}}},
		{"not sent at all", errorControl(90, local, 0, 0, 1400, router, own), queuedError{Origin: local, Errno: 90, ICMPMessage: vpn.ICMPMessage{MTU: 1400}}},
		{"nothing", nil, queuedError{}},
		{"no error", controlMessage(unix.IPPROTO_IP, unix.IP_TTL, []byte{1, 0, 0, 0}), queuedError{}},
		{"short", controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR, make([]byte, 15)), queuedError{}},
		{"no whole address", controlMessage(unix.IPPROTO_IPV6, unix.IPV6_RECVERR, append(make([]byte, 16), unix.AF_INET6, 0, 1, 2)), queuedError{}},
		{"cut off", errorControl(113, four, 3, 1, 0, router, own)[:30], queuedError{}},
	} {
		got := parseQueuedError(test.control)
		if got.Quote != nil || got.To.IsValid() {
			t.Errorf("%s: got %+v", test.name, got)
		}
		if got.Origin != test.want.Origin || got.Errno != test.want.Errno || got.Type != test.want.Type || got.Code != test.want.Code || got.MTU != test.want.MTU || got.From != test.want.From {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

// FuzzErrorQueueControl reads what no kernel would write: whatever it is, it
// makes no panic and no size that a packet cannot have.
func FuzzErrorQueueControl(f *testing.F) {
	f.Add([]byte{})
	for _, addr := range []string{"10.3.0.1", "fd00:3::1"} {
		from := netip.MustParseAddr(addr)
		whole := errorControl(90, unix.SO_EE_ORIGIN_ICMP, 3, 4, 1<<31, from, from.Next())
		for cut := range whole {
			f.Add(whole[:cut])
		}
		f.Add(bytes.Repeat(whole, 3))
	}
	for size := range 32 {
		address := binary.NativeEndian.AppendUint16(make([]byte, 16), unix.AF_INET6)
		f.Add(controlMessage(unix.IPPROTO_IPV6, unix.IPV6_RECVERR, append(address, make([]byte, size)...)))
	}
	for size := range 48 {
		f.Add(controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR, make([]byte, size)))
		f.Add(controlMessage(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, make([]byte, size)))
	}
	f.Fuzz(func(t *testing.T, control []byte) {
		q := parseQueuedError(control)
		if q.MTU < 0 || q.MTU > 65535 || q.MTU > 0 && q.Errno != unix.EMSGSIZE || q.From.Zone() != "" || q.From.Is4In6() {
			t.Errorf("got %+v", q)
		}
	})
}

// FuzzEchoMessage reads what nobody should send. A message is taken for an
// answer only if all of it fits, and an error for one about a packet only if the
// quote does, as far as it goes.
func FuzzEchoMessage(f *testing.F) {
	to := [2]netip.Addr{netip.MustParseAddr("10.2.0.1"), netip.MustParseAddr("fd00:2::1")}
	fixed := func(six bool) (*echoTable, netip.Addr, []byte) {
		table, addr := newEchoTable(IPv4), to[0]
		if six {
			table, addr = newEchoTable(IPv6), to[1]
		}
		table.id, table.next, table.cookie = 7, 9, [16]byte([]byte("check vpn cookie"))
		r := echoRequest{To: addr, Bytes: 80}
		packet := table.packet(r)
		table.add(r)
		return table, addr, packet
	}
	for _, six := range []bool{false, true} {
		_, _, request := fixed(six)
		reply := bytes.Clone(request)
		reply[0] = map[bool]byte{false: 0, true: 129}[six]
		for _, b := range [][]byte{request, reply, request[:8], request[:7], append(bytes.Clone(request[:8]), make([]byte, 20)...), nil} {
			f.Add(b, six, uint8(3), uint8(1))
			f.Add(append([]byte{0x45, 19: 0}, b...), six, uint8(11), uint8(0))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, six bool, kind, origin uint8) {
		withoutIPHeader(b)
		table, addr, request := fixed(six)
		ip := map[bool]int{false: 20, true: 40}[six]
		same := len(b) >= 8 && bytes.Equal(b[4:8], request[4:8])
		if p := table.answers(b, addr); p != nil {
			if !same || ip+len(b) != 80 || b[0] == request[0] || !bytes.Equal(b[8:24], request[8:24]) {
				t.Errorf("%x is taken for an answer", b)
			}
		}
		if table.answers(b, addr.Next()) != nil || table.answers(b, addr) != nil {
			t.Errorf("%x is taken for an answer of somebody else, or for a second one", b)
		}
		q := queuedError{Origin: origin, ICMPMessage: vpn.ICMPMessage{Type: kind}, To: addr, Quote: b}
		elsewhere := q
		elsewhere.To = addr.Next()
		if table.isAbout(elsewhere) != nil {
			t.Errorf("%x is taken for a quote of a packet to somebody else", b)
		}
		if table.isAbout(q) != nil {
			n := min(len(b), 24)
			if !same || b[0] != request[0] || kind == 5 || !bytes.Equal(b[8:n], request[8:n]) && len(bytes.Trim(b[8:], "\x00")) > 0 {
				t.Errorf("%x is taken for a quote", b)
			}
		}
	})
}
