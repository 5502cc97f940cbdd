package probe

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// toldControl is what the kernel puts beside an entry of an error queue.
func toldControl(origin, kind, code uint8, from netip.Addr) []byte {
	level, option := uint32(unix.IPPROTO_IP), uint32(unix.IP_RECVERR)
	offender := binary.NativeEndian.AppendUint16(nil, unix.AF_INET)
	offender = append(append(append(offender, 0, 0), from.AsSlice()...), make([]byte, 8)...)
	if from.Is6() {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVERR
		offender = binary.NativeEndian.AppendUint16(nil, unix.AF_INET6)
		offender = append(append(append(offender, make([]byte, 6)...), from.AsSlice()...), 0, 0, 0, 0)
	}
	data := append([]byte{113, 0, 0, 0, origin, kind, code, 0, 0, 0, 0, 0, 0, 0, 0, 0}, offender...)
	b := binary.NativeEndian.AppendUint64(nil, uint64(unix.CmsgLen(len(data))))
	b = binary.NativeEndian.AppendUint32(b, level)
	b = binary.NativeEndian.AppendUint32(b, option)
	return append(append(b, data...), make([]byte, 8)...)[:unix.CmsgSpace(len(data))]
}

func TestToldWords(t *testing.T) {
	const four, six, local = unix.SO_EE_ORIGIN_ICMP, unix.SO_EE_ORIGIN_ICMP6, unix.SO_EE_ORIGIN_LOCAL
	for _, test := range []struct {
		origin, kind, code uint8
		want               string // empty: not told
	}{
		{four, 3, 0, "network unreachable"},
		{four, 3, 1, "host unreachable"},
		{four, 3, 2, "protocol unreachable"},
		{four, 3, 3, "port unreachable"},
		{four, 3, 4, ""}, // too big
		{four, 3, 9, "network administratively prohibited"},
		{four, 3, 10, "host administratively prohibited"},
		{four, 3, 13, "administratively prohibited"},
		{four, 3, 77, ""},
		{four, 11, 0, "time exceeded (a routing loop?)"},
		{four, 11, 1, ""}, // a fragment is missing
		{four, 5, 1, ""},  // redirect
		{four, 1, 1, ""},
		{six, 1, 0, "no route"},
		{six, 1, 1, "administratively prohibited"},
		{six, 1, 2, "beyond the scope of the source address"},
		{six, 1, 3, "address unreachable"},
		{six, 1, 4, "port unreachable"},
		{six, 1, 5, "source address fails the policy"},
		{six, 1, 6, "rejected by a route"},
		{six, 2, 0, ""}, // too big
		{six, 3, 0, "time exceeded (a routing loop?)"},
		{six, 4, 1, "protocol unreachable"},
		{six, 3, 3, ""},
		{local, 3, 13, ""},
	} {
		for _, from := range []string{"10.3.0.1", "fd00:3::1"} {
			addr := netip.MustParseAddr(from)
			told := parseTold(toldControl(test.origin, test.kind, test.code, addr))
			switch {
			case told == nil && test.want != "", told != nil && told.What != test.want:
				t.Errorf("origin %d, %d/%d: got %v, want %q", test.origin, test.kind, test.code, told, test.want)
			case told != nil && told.From != addr:
				t.Errorf("from %s, want %s", told.From, addr)
			}
		}
	}
}

func TestToldAlive(t *testing.T) {
	var nobody *ToldError
	from := netip.MustParseAddr("10.3.0.1")
	for _, test := range []struct {
		told  *ToldError
		text  string
		alive bool
	}{
		{&ToldError{What: portUnreachable, From: from, By: Target}, "alive: port unreachable, says the machine itself", true},
		{&ToldError{What: protocolUnreachable, From: from, By: Target}, "alive: protocol unreachable, says the machine itself", true},
		{&ToldError{What: unreachable4[13], From: from, By: Target}, "administratively prohibited, says the machine itself", false},
		{&ToldError{What: portUnreachable, From: from}, "port unreachable, says 10.3.0.1", false},
		{&ToldError{What: portUnreachable, From: from, By: Itself}, "port unreachable, says this machine", false},
	} {
		if got := test.told.Error(); got != test.text || test.told.Alive() != test.alive {
			t.Errorf("got %q, alive %v, want %q, %v", got, test.told.Alive(), test.text, test.alive)
		}
	}
	if nobody.Alive() {
		t.Error("nobody says that it is alive")
	}
}

// TestToldShows: what was told shows only where nothing was answered, and not
// in place of an error that says more.
func TestToldShows(t *testing.T) {
	told := &ToldError{What: unreachable4[13], From: netip.MustParseAddr("10.3.0.1")}
	lives := &ToldError{What: portUnreachable, By: Target}
	silent := Attempt{Outcome: Silent}
	failed := func(errno syscall.Errno) Attempt { return Attempt{Outcome: Silent, Err: explain(errno)} }
	for _, test := range []struct {
		name     string
		scheme   Scheme
		told     *ToldError
		attempts []Attempt
		want     Outcome
		reason   string
	}{
		{"silent", ICMP, told, []Attempt{silent}, Silent, told.Error()},
		{"answered later", ICMP, told, []Attempt{silent, {Outcome: Answered}}, Answered, ""},
		{"alive and answered later", ICMP, lives, []Attempt{silent, {Outcome: Answered}}, Answered, ""},
		{"this machine does not send", ICMP, told, []Attempt{silent, failed(syscall.ENETUNREACH)}, Silent, "network unreachable"},
		{"alive all the same", ICMP, lives, []Attempt{silent, failed(syscall.EPERM)}, Refused, lives.Error()},
		{"a connection that may mean the same", TCP, told, []Attempt{failed(syscall.EHOSTUNREACH)}, Silent, told.Error()},
		{"a connection that this machine blocks", TCP, told, []Attempt{failed(syscall.EPERM)}, Silent, "blocked by the firewall of this machine"},
		{"refused later", TCP, told, []Attempt{failed(syscall.EHOSTUNREACH), {Outcome: Refused, Err: explain(syscall.ECONNREFUSED)}}, Refused, "connection refused"},
		{"refused by a machine that is alive", TCP, lives, []Attempt{{Outcome: Refused, Err: explain(syscall.ECONNREFUSED)}}, Refused, "connection refused"},
	} {
		p := NewProber(Settings{}).New(Endpoint{Scheme: test.scheme}, Path{})
		p.records = []*record{{told: test.told, attempts: test.attempts, firstLook: 1}}
		t.Run(test.name, func(t *testing.T) { expect(t, p.Result(), test.want, test.reason) })
	}
}

// FuzzTold: whatever is told is in words of our own and names who said it.
func FuzzTold(f *testing.F) {
	f.Add([]byte{})
	for _, from := range []string{"10.3.0.1", "fd00:3::1"} {
		whole := toldControl(unix.SO_EE_ORIGIN_ICMP, 3, 13, netip.MustParseAddr(from))
		f.Add(whole)
		for cut := range whole {
			f.Add(whole[:cut])
		}
		f.Add(bytes.Repeat(whole, 3))
		for size := range 48 {
			short := bytes.Clone(whole)[:min(len(whole), unix.CmsgSpace(size))]
			binary.NativeEndian.PutUint64(short, uint64(unix.CmsgLen(size)))
			f.Add(short)
		}
	}
	f.Fuzz(func(t *testing.T, control []byte) {
		if told := parseTold(control); told != nil && (told.What == "" || !told.From.IsValid()) {
			t.Errorf("got %+v", told)
		}
	})
}
