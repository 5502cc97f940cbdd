package probe

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"checkvpn/pkg/lab"
)

func TestEnough(t *testing.T) {
	tests := []struct{ sent, received, want int }{
		{0, 0, 20}, // nothing is known of the loss
		{5, 5, 8},
		{20, 20, 8},
		{10, 9, 8},
		{10, 8, 10},
		{5, 4, 12},
		{20, 10, 20},
		{20, 1, 20},
	}
	for _, test := range tests {
		if got := enough(test.sent, test.received); got != test.want {
			t.Errorf("%d of %d answered: %d packets are enough, want %d", test.received, test.sent, got, test.want)
		}
	}
}

// way is one that a search is made on.
type way struct {
	known  sizes
	random *rand.Rand
	limit  int     // larger packets do not pass
	loss   float64 // chance that another does not, either
	says   int     // what somebody says to fit, of larger ones; 0: nobody does
	rounds int     // that there is time for
	sent   int
}

func (w *way) round(list []int, _ time.Duration) bool {
	if w.rounds--; w.rounds < 0 {
		return false
	}
	for _, bytes := range list {
		w.sent++
		s := w.known.of(bytes)
		s.Sent++
		switch {
		case w.says > 0 && bytes > w.says:
			s.TooBig++
			s.told, s.mtu = &ToldError{What: tooBig}, w.says
		case bytes <= w.limit && w.random.Float64() >= w.loss:
			s.Answered++
		}
	}
	return true
}

func TestSearch(t *testing.T) {
	const v4, v6 = 52, 72
	tests := []struct {
		name         string
		asked, least int
		limit, says  int
		rounds       int
		want         int
		exact        bool
		packets      int // at most
	}{
		{"one byte too many", 1500, v4, 1499, 0, 9, 1499, true, 72},
		{"two bytes too many", 1500, v4, 1498, 0, 9, 1498, true, 78},
		{"somewhere", 1500, v4, 1372, 0, 9, 1372, true, 78},
		{"nothing but the small ones", 1500, v4, 52, 0, 9, 52, true, 78},
		{"just more", 1500, v4, 53, 0, 9, 53, true, 78},
		{"IPv6", 1500, v6, 1280, 0, 9, 1280, true, 78},
		{"large packets", 9000, v4, 8972, 0, 9, 8972, true, 102},
		{"the largest packets", 65535, v4, 1300, 0, 9, 1300, true, 126},
		{"somebody says it", 1500, v4, 1380, 1380, 9, 1380, true, 4},
		{"somebody says what the next is smaller than", 1500, v4, 1300, 1420, 9, 1300, true, 78},
		{"somebody says it, one byte too many", 1500, v4, 1499, 1499, 9, 1499, true, 2},
		{"no time", 1500, v4, 1372, 0, 0, 0, false, 0},
		{"time for one round", 1500, v4, 1372, 0, 1, 1277, false, 24},
		{"time for two", 1500, v4, 1372, 0, 2, 1370, false, 48},
		{"no time to confirm", 1500, v4, 1372, 0, 3, 1372, false, 72},
		{"not so small after all", 600, v4, 53, 0, 9, 53, true, 78},
		{"nothing between", 53, v4, 52, 0, 9, 52, true, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := &way{known: sizes{}, random: rand.New(rand.NewPCG(1, 1)), limit: test.limit, says: test.says, rounds: test.rounds}
			if w.says > 0 { // of the packets of the full size too
				w.known.of(test.asked).told, w.known.of(test.asked).mtu = &ToldError{What: tooBig}, w.says
			}
			got, exact := search{w.known, test.asked, test.least, w.round}.largest()
			if got != test.want || exact != test.exact || w.sent > test.packets {
				t.Errorf("got %d, exact %t, with %d packets; want %d, %t, at most %d", got, exact, w.sent, test.want, test.exact, test.packets)
			}
		})
	}
}

// TestSearchWithLoss has a tenth of the packets lost.
func TestSearchWithLoss(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	wrong := 0
	const runs = 2000
	for range runs {
		w := &way{known: sizes{}, random: random, limit: 600 + random.IntN(899), loss: 0.1, rounds: 99}
		got, exact := search{w.known, 1500, 52, w.round}.largest()
		if got > w.limit {
			t.Fatalf("%d bytes cannot have passed a limit of %d", got, w.limit)
		}
		if exact && got != w.limit {
			wrong++
		}
	}
	if wrong > runs/1000 {
		t.Errorf("%d of %d searches were sure of what is wrong", wrong, runs)
	}
}

// TestSearchIsBounded has so much lost that sizes seem to pass and not to pass
// in turn.
func TestSearchIsBounded(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 4))
	cut := 0
	for range 500 {
		w := &way{known: sizes{}, random: random, limit: 1372, loss: 0.7, rounds: 99}
		if _, exact := (search{w.known, 1500, 52, w.round}).largest(); !exact {
			cut++
		}
		if w.sent > maxSearched {
			t.Fatalf("%d packets", w.sent)
		}
	}
	if cut == 0 {
		t.Error("no search was cut")
	}
}

func TestTooBigWhileSearching(t *testing.T) {
	// A way that calls the larger ones too big and swallows some that fit.
	w := &way{known: sizes{}, random: rand.New(rand.NewPCG(1, 3)), limit: 1300, says: 1420, rounds: 9}
	w.known.of(1500).told, w.known.of(1500).mtu = &ToldError{What: tooBig}, 1420
	got, exact := search{w.known, 1500, 52, w.round}.largest()
	if got != 1300 || !exact || w.known.told(1301) != nil {
		t.Errorf("got %d, %t, and of the next was told %v", got, exact, w.known.told(1301))
	}
}

func TestMTUOfLoopback(t *testing.T) {
	for _, privileged := range []bool{false, true} {
		for _, address := range []string{"127.0.0.1", "::1"} {
			t.Run(fmt.Sprintf("%s, privileged %t", address, privileged), func(t *testing.T) { sizeLoopback(t, address, privileged) })
		}
	}
}

// lonely is a place in the lab with nothing around it.
func lonely(t *testing.T) *lab.Site {
	t.Helper()
	i, err := lab.NewInternet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() })
	site, err := i.AddSite(lab.SiteConfig{Name: "lonely", Public: []netip.Addr{netip.MustParseAddr("192.0.2.1")}})
	if err != nil {
		t.Fatal(err)
	}
	return site
}

func sizeLoopback(t *testing.T, address string, privileged bool) {
	d := &dialer{addr: netip.MustParseAddr(address), path: Path{MTU: 65535}}
	known := sizes{}
	// In a network of its own, where both kinds of socket are allowed.
	var s *sizer
	err := lonely(t).Do(func() (err error) {
		s, err = d.openSizer(t.Context(), privileged, known)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	list := []int{headers(d.addr) + 16, 576, 1500, 9000, 65535}
	s.round(t.Context(), list, 0, func() time.Duration { return time.Second }, func() bool {
		return known.passing(list, 0) == 65535
	})
	for _, size := range known.list() {
		if size.Sent != 1 || size.Answered != 1 {
			t.Errorf("got %+v", size)
		}
	}
}

// TestReply has answers that somebody else might send.
func TestReply(t *testing.T) {
	for _, address := range []string{"10.2.0.1", "fd00:2::1"} {
		for _, header := range []bool{false, true} {
			addr := netip.MustParseAddr(address)
			if header && addr.Is6() {
				continue
			}
			s := &sizer{addr: addr, header: header, id: 7, known: sizes{}, packets: []packet{{size: 600}, {size: 700}}, cookie: [16]byte{1, 2, 3}}
			answer := func(kind icmp.Type, id, seq, size int, cookie [16]byte) []byte {
				data := make([]byte, size-headers(addr))
				copy(data, cookie[:])
				b, err := (&icmp.Message{Type: kind, Body: &icmp.Echo{ID: id, Seq: seq, Data: data}}).Marshal(nil)
				if err != nil {
					t.Fatal(err)
				}
				if header {
					b = append(append([]byte{0x46}, make([]byte, 23)...), b...)
				}
				return b
			}
			reply, request := icmp.Type(ipv4.ICMPTypeEchoReply), icmp.Type(ipv4.ICMPTypeEcho)
			other := netip.MustParseAddr("10.2.0.2")
			if addr.Is6() {
				reply, request, other = ipv6.ICMPTypeEchoReply, ipv6.ICMPTypeEchoRequest, netip.MustParseAddr("fd00:2::2")
			}
			s.reply(answer(reply, 7, 0, 600, s.cookie), sockaddr(other))
			s.reply(answer(request, 7, 0, 600, s.cookie), sockaddr(addr))
			s.reply(answer(reply, 8, 0, 600, s.cookie), sockaddr(addr))
			s.reply(answer(reply, 7, 1, 600, s.cookie), sockaddr(addr))
			s.reply(answer(reply, 7, 2, 600, s.cookie), sockaddr(addr))
			s.reply(answer(reply, 7, 0, 599, s.cookie), sockaddr(addr))
			s.reply(answer(reply, 7, 0, 600, [16]byte{}), sockaddr(addr))
			if list := slices.Collect(maps.Values(s.known)); len(list) > 0 {
				t.Errorf("%s: somebody else's answer counts: %+v", address, list)
			}
			for range 2 {
				s.reply(answer(reply, 7, 0, 600, s.cookie), sockaddr(addr))
			}
			if n := s.known.of(600).Answered; n != 1 {
				t.Errorf("%s: an answer counts %d times", address, n)
			}
		}
	}
}

// TestOneAddressInFull has a name with two addresses: when one has answered in
// full the other is cut short, and must not hold up the result.
func TestOneAddressInFull(t *testing.T) {
	answered, pending := Attempt{Outcome: Answered, Took: time.Millisecond}, Attempt{At: time.Hour}
	failed := &MTU{Asked: 1500, Outcome: Silent}
	full := record{addr: netip.MustParseAddr("10.2.0.1"), attempts: []Attempt{answered, answered}, firstLook: 2, mtu: &MTU{Outcome: Answered}}
	for name, cut := range map[string]record{
		"a packet is under way":  {attempts: []Attempt{answered, pending}, firstLook: 2},
		"a packet has not left":  {attempts: []Attempt{answered}},
		"nothing has left":       {},
		"big ones are under way": {attempts: []Attempt{answered, answered}, firstLook: 2, mtu: &MTU{}},
	} {
		for _, list := range [][]*record{{&cut, &full}, {&full, &cut}} {
			p := NewProber(Settings{Wait: time.Second}).New(Endpoint{Scheme: ICMP}, Path{})
			p.records = list
			if r := p.Result(); r.Addr != full.addr || !r.FirstLookOver {
				t.Errorf("%s: got %+v", name, r)
			}
		}
	}
	stuck := full
	stuck.addr, stuck.mtu = netip.MustParseAddr("fd00:2::1"), failed
	p := NewProber(Settings{Wait: time.Second}).New(Endpoint{Scheme: ICMP}, Path{})
	p.records = []*record{&stuck, &full}
	if r := p.Result(); r.Addr != stuck.addr || !r.FirstLookOver || r.MTU != failed {
		t.Errorf("of equals the earlier one: got %+v", r)
	}
}

// FuzzErrorEntry reads what no kernel would write.
func FuzzErrorEntry(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, control []byte) {
		if _, mtu, _ := parseTooBig(control); mtu < 0 || mtu > 65535 {
			t.Errorf("%d bytes fit", mtu)
		}
	})
}

// FuzzReply has a sizer that reads what nobody should send: it counts nothing
// that does not carry its cookie.
func FuzzReply(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0, 0}, false)
	f.Add([]byte{0x4f, 0, 0, 0, 0, 1, 0, 0}, true)
	f.Fuzz(func(t *testing.T, b []byte, header bool) {
		s := &sizer{addr: netip.MustParseAddr("127.0.0.1"), header: header, known: sizes{}, packets: []packet{{size: 52}}, cookie: [16]byte{15: 1}}
		s.reply(b, sockaddr(s.addr))
		if s.packets[0].answered && len(b) < 24 {
			t.Errorf("%x is taken for an answer", b)
		}
	})
}
