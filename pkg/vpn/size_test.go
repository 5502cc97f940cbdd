package vpn

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/nagios"
)

func TestEnough(t *testing.T) {
	for _, test := range []struct{ sent, received, want int }{
		{5, 5, 8}, {20, 20, 8}, {10, 9, 8}, {10, 8, 10}, {13, 9, 13}, {5, 4, 12}, {20, 10, 20}, {0, 0, 20}, {20, 9, 23}, {20, 0, 297},
	} {
		if got := enough(test.sent, test.received); got != test.want {
			t.Errorf("%d of %d answered: %d packets are enough, want %d", test.received, test.sent, got, test.want)
		}
	}
}

func answersAfter(d time.Duration) way {
	return func(sentPacket) Event { return Event{Kind: Answered, Took: d} }
}

// drops has packets over a limit vanish.
func drops(limit int, w way) way {
	return func(p sentPacket) Event {
		if p.bytes > limit {
			return Event{}
		}
		return w(p)
	}
}

// says has somebody call packets over a limit too big.
func says(limit int, from string, w way) way {
	return func(p sentPacket) Event {
		if p.bytes <= limit {
			return w(p)
		}
		m := &ICMPMessage{Type: unreachable4, Code: needsFragment, MTU: limit}
		if p.Addr.Is6() {
			m.Type, m.Code = tooBig6, 0
		}
		if from != "" {
			m.From = netip.MustParseAddr(from)
		}
		return Event{Kind: ICMPError, Took: 2 * ms, ICMP: m}
	}
}

// loses has a share of all packets vanish.
func loses(share float64, random *rand.Rand, w way) way {
	return func(p sentPacket) Event {
		if random.Float64() < share {
			return Event{}
		}
		return w(p)
	}
}

// losesFirst has the first big packet vanish.
func losesFirst(w way) way {
	lost := false
	return func(p sentPacket) Event {
		if p.bytes > 1000 && !lost {
			lost = true
			return Event{}
		}
		return w(p)
	}
}

// limits has all packets over so many a second vanish, after a burst, whatever
// their size.
func limits(rate float64, burst int, w way) way {
	var last time.Duration
	tokens := float64(burst)
	return func(p sentPacket) Event {
		tokens = min(tokens+rate*(p.at-last).Seconds(), float64(burst))
		last = p.at
		if tokens < 1 {
			return Event{}
		}
		tokens--
		return w(p)
	}
}

func only(addr string, a, b way) way {
	return func(p sentPacket) Event {
		if p.Addr == netip.MustParseAddr(addr) {
			return a(p)
		}
		return b(p)
	}
}

const (
	a4, b4, c4 = "10.0.0.1", "10.0.0.2", "10.0.0.3"
	a6         = "fd00:2::1"
)

func TestSizes(t *testing.T) {
	fine := answersAfter(20 * ms)
	unsent := func(p sentPacket) Event {
		if p.bytes > 1000 {
			return Event{Kind: LocalError, Fault: &Fault{Code: OtherFault, Words: "message too long"}}
		}
		return fine(p)
	}
	list := func(s ...string) []string { return s }
	tests := []struct {
		name     string
		mtu      int
		far      []string
		way      way
		cause    Cause
		headline string // its beginning
		packets  int    // of sizes to the first, at most
		took     time.Duration
	}{
		{"all pass", 1400, list(a4), fine, Up, "up: host", 1, 101 * ms},
		{"all pass, to three", 1400, list(a4, b4, c4), fine, Up, "up: 3 of 3", 1, 101 * ms},
		{"slow", 1400, list(a4), answersAfter(400 * ms), Up, "up: host", 1, 481 * ms},
		{"later than answers count", 1400, list(a4), answersAfter(800 * ms), Degraded, "degraded: rta 800 ms (limit 500 ms)", 1, 2500 * ms},
		{"they vanish", 1400, list(a4), drops(1328, fine), BlackHole, "up, but packets over 1328 bytes vanish: bulk traffic hangs", 105, 3 * time.Second},
		{"one byte too many", 1400, list(a4), drops(1399, fine), BlackHole, "up, but packets over 1399 bytes vanish", 105, 3 * time.Second},
		{"nothing but small ones", 1400, list(a4), drops(52, fine), BlackHole, "up, but packets over 52 bytes vanish", 105, 3 * time.Second},
		{"just more", 1400, list(a4), drops(53, fine), BlackHole, "up, but packets over 53 bytes vanish", 105, 3 * time.Second},
		{"the largest", 65535, list(a4), drops(1300, fine), BlackHole, "up, but packets over 1300 bytes vanish", 155, 4 * time.Second},
		{"slow, and they vanish", 1400, list(a4), drops(1328, answersAfter(400*ms)), BlackHole, "up, but packets over 1328 bytes vanish", 105, 5 * time.Second},
		{"IPv6", 1500, list(a6), drops(1280, fine), BlackHole, "up, but packets over 1280 bytes vanish", 105, 3 * time.Second},
		{"IPv6, just more than small ones", 1500, list(a6), drops(73, fine), BlackHole, "up, but packets over 73 bytes vanish", 105, 3 * time.Second},
		{"a router says it", 1400, list(a4), says(1372, "10.3.0.1", fine), BlackHole, "up, but packets over 1372 bytes do not fit, says 10.3.0.1", 9, 500 * ms},
		{"a router says it, one byte too many", 1400, list(a4), says(1399, "10.3.0.1", fine), BlackHole, "up, but packets over 1399 bytes do not fit", 9, 500 * ms},
		{"this host says it", 9000, list(a4), says(1500, "", fine), BlackHole, "up, but packets over 1500 bytes do not fit, says this host", 9, 500 * ms},
		{"a router says it, IPv6", 1500, list(a6), says(1420, "fd00::1", fine), BlackHole, "up, but packets over 1420 bytes do not fit, says fd00::1", 9, 500 * ms},
		{"a router says more than passes", 1500, list(a4), says(1420, "10.3.0.1", drops(1300, fine)), BlackHole, "up, but packets over 1300 bytes vanish: bulk", 105, 3 * time.Second},
		{"they cannot be sent", 1400, list(a4), unsent, BlackHole, "up, but packets of 1400 bytes cannot be sent: message too long", 7, 400 * ms},
		{"one of three is stuck", 1400, list("a="+a4, "b="+b4, "c="+c4), only(a4, drops(1300, fine), fine), Partial, "up, but packets of 1400 bytes do not pass to 1 of 3 hosts: a", 105, 3 * time.Second},
		{"all of three are stuck", 1400, list(a4, b4, c4), drops(1300, fine), BlackHole, "up, but packets over 1300 bytes vanish", 105, 3 * time.Second},
		{"a limit on packets, as nft has it", 1300, list(a4), limits(1, 5, fine), Up, "up: host", 17, time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(sizePlan(t, test.mtu, test.far...), test.way)
			v := w.run(t)
			if got := v.Headline(1000); v.Lead().Cause != test.cause || !strings.HasPrefix(got, test.headline) {
				t.Errorf("got %s, %q, want %s, %q", v.Lead().Cause, got, test.cause, test.headline)
			}
			if n := w.count(v.Findings[0].Addr.String()); n > test.packets || w.now > test.took {
				t.Errorf("%d packets in %v, want at most %d in %v", n, w.now, test.packets, test.took)
			}
			if v.CutShort {
				t.Error("it ended by the time")
			}
			t.Log(w.now, w.count(v.Findings[0].Addr.String()), v.Headline(1000), v.Findings[0].Size.words())
		})
	}
}

// TestBigThatNeverLeave has a host that has no room for big packets: nothing is
// known of the way then, and none of it is lost.
func TestBigThatNeverLeave(t *testing.T) {
	v := newWorld(sizePlan(t, 1400, a4), func(p sentPacket) Event {
		if p.bytes > 1000 {
			return Event{Kind: LocalError, Fault: &Fault{Code: QueueFull, Words: "send queue full", Own: true}}
		}
		return Event{Kind: Answered, Took: 20 * ms}
	}).run(t)
	if got := v.Findings[0].Size.words(); v.Lead().Cause != Up || got != "packets of 1400 bytes not tested" {
		t.Errorf("got %s, %q", v.Lead().Cause, got)
	}
}

// TestBigAfterFirstLook has the first big packet leave behind the first look, and
// pairs only when the loss test is over. If that one is answered, there are none.
func TestBigAfterFirstLook(t *testing.T) {
	for _, limit := range []int{1300, 1400} {
		lossy := drops(limit, answersAfter(20*ms))
		w := newWorld(sizePlan(t, 1400, a4), func(p sentPacket) Event {
			if p.number == 2 { // so that there is a loss look
				return Event{}
			}
			return lossy(p)
		})
		w.run(t)
		pairs, loss := 0, 0
		for _, p := range w.sent {
			if p.Kind == Sizes && (p.at < 80*ms || p.Packets > 1 && loss < 10) {
				t.Errorf("a packet of %d bytes at %v, after %d of the loss look", p.bytes, p.at, loss)
			}
			if p.Kind == LossLook && p.at < w.now {
				loss++
				if pairs > 0 {
					t.Errorf("a packet of the loss look at %v, after pairs", p.at)
				}
			}
			if p.Packets == 2 {
				pairs++
			}
		}
		if pairs > 0 != (limit < 1400) {
			t.Errorf("%d packets in pairs, of up to %d bytes that pass", pairs, limit)
		}
	}
}

// TestLimitsOnPackets has limits on packets of all rates. None is taken for a
// limit of size.
func TestLimitsOnPackets(t *testing.T) {
	for rate := 2.0; rate < 120; rate *= 1.01 {
		for _, burst := range []int{1, 5, 6, 7, 12} {
			for _, far := range [][]string{{a4}, {a4, b4, c4}} {
				w := newWorld(sizePlan(t, 1400, far...), limits(rate, burst, answersAfter(5*ms)))
				if v := w.run(t); v.Has(BlackHole) || v.unevenSize != nil {
					t.Fatalf("%.1f packets a second after %d: %s", rate, burst, v.Headline(1000))
				}
			}
		}
	}
}

// TestOrderOfPairs has limits on packets in the simplest form: each packet of the
// pairs brings a share of what one of them costs.
func TestOrderOfPairs(t *testing.T) {
	for rate := 0.02; rate < 1; rate += 0.002 {
		for begin := 0.0; begin < 1; begin += 0.05 {
			left, big, small := begin, 0, 0
			for n := range mostPairs {
				for i := range 2 {
					if left += rate; left < 1 {
						continue
					}
					left--
					if isSmall := smallFirst>>n&1 == 1 == (i == 0); isSmall {
						small++
					} else {
						big++
					}
				}
				if big < 3 && n+1 >= enough(n+1, small) {
					t.Fatalf("of %d pairs at a rate of %.3f, %d big and %d small ones pass", n+1, rate, big, small)
				}
			}
		}
	}
}

// TestSizesWithLoss has a way that loses 30%, or 5%, and passes big packets or not.
func TestSizesWithLoss(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const runs = 400
	for _, loss := range []float64{0.05, 0.3} {
		wrong, missed, most := 0, 0, 0
		for range runs {
			w := newWorld(sizePlan(t, 1400, a4), loses(loss, random, answersAfter(20*ms)))
			if v := w.run(t); v.Has(BlackHole) {
				t.Fatalf("loss %v: %s", loss, v.Headline(1000))
			}
			limit := 600 + random.IntN(800)
			w = newWorld(sizePlan(t, 1400, a4), loses(loss, random, drops(limit, answersAfter(20*ms))))
			v := w.run(t)
			s := v.Findings[0].Size
			switch {
			case s.Largest > limit:
				t.Fatalf("%d bytes cannot have passed a limit of %d", s.Largest, limit)
			case s.Exact && s.Largest != limit:
				wrong++
			case !v.Has(BlackHole):
				missed++
			}
			most = max(most, w.count(a4))
		}
		t.Logf("loss %v: %d wrong, %d missed, at most %d packets", loss, wrong, missed, most)
		if wrong > 0 || missed > runs/20 || most > 160 {
			t.Errorf("loss %v: %d wrong, %d missed, at most %d packets", loss, wrong, missed, most)
		}
	}
}

// TestSizesInAPause has the program not run for a while: answers that came
// meanwhile are read later.
func TestSizesInAPause(t *testing.T) {
	for from := time.Duration(0); from < 1500*ms; from += 7 * ms {
		for _, long := range []time.Duration{300 * ms, 2 * time.Second} {
			w := newWorld(sizePlan(t, 1400, a4), answersAfter(20*ms))
			w.paused = span{from, from + long}
			if v := w.run(t); v.Lead().Cause != Up || w.count(a4) > 1 {
				t.Fatalf("paused from %v for %v: %s, %d packets", from, long, v.Headline(1000), w.count(a4))
			}
			w = newWorld(sizePlan(t, 1400, a4), losesFirst(answersAfter(90*ms)))
			w.paused = span{from, from + long}
			if v := w.run(t); v.Lead().Cause != Up || !v.Findings[0].Size.Passes {
				t.Fatalf("paused from %v for %v: %s", from, long, v.Headline(1000))
			}
			w = newWorld(sizePlan(t, 1400, a4), drops(1300, answersAfter(20*ms)))
			w.paused = span{from, from + long}
			if v := w.run(t); v.Lead().Cause != BlackHole || v.Findings[0].Size.Largest != 1300 {
				t.Fatalf("paused from %v for %v: %s", from, long, v.Headline(1000))
			}
		}
	}
}

// TestSizesAtTheEnd says what is known if the time runs out.
func TestSizesAtTheEnd(t *testing.T) {
	seen := []string{}
	for end := 300 * ms; end < 4*time.Second; end += 10 * ms {
		p := sizePlan(t, 1400, a4)
		p.End = end
		w := newWorld(p, drops(1300, answersAfter(20*ms)))
		if words := w.run(t).Findings[0].Size.words(); !slices.Contains(seen, words) {
			seen = append(seen, words)
		}
		if w.now > end+ms {
			t.Errorf("ended after %v, not %v", w.now, end)
		}
	}
	t.Log(strings.Join(seen, "\n"))
	if seen[0] != "packets of 1400 bytes not tested" || seen[1] != "packets of 1400 bytes vanish" || seen[len(seen)-1] != "packets over 1300 bytes vanish" {
		t.Errorf("got %q", seen)
	}
}

// TestManyHosts bounds how many hosts are sent pairs, and how many at once.
func TestManyHosts(t *testing.T) {
	var far []string
	for i := range 100 {
		far = append(far, fmt.Sprintf("10.0.1.%d", i))
	}
	w := newWorld(sizePlan(t, 1400, far...), drops(1300, answersAfter(20*ms)))
	v := w.run(t)
	if v.Lead().Cause != BlackHole || len(v.Lead().Targets) != maxSeries || v.CutShort {
		t.Errorf("got %s of %d, after %v", v.Headline(1000), len(v.Lead().Targets), w.now)
	}
	searched, total := 0, 0
	for i, f := range v.Findings {
		total += w.count(far[i])
		if f.Size.Largest > 0 {
			searched++
		}
	}
	if searched != maxSearches || total > 100+maxSeries*16+2*100 {
		t.Errorf("%d searched, %d packets in %v", searched, total, w.now)
	}
	second := make([]int, 100)
	for _, p := range w.sent {
		if p.Kind == Sizes && p.bytes == 1400 {
			second[p.at/(100*ms)]++
		}
	}
	if most := slices.Max(second[4:]); most > 20 {
		t.Errorf("%d big packets in a tenth of a second: %v", most, second)
	}
}

// TestDeadTunnelIsNotAskedForSizes has a silent host: it gets the first big packet
// and no other.
func TestDeadTunnelIsNotAskedForSizes(t *testing.T) {
	w := newWorld(sizePlan(t, 1400, a4), func(sentPacket) Event { return Event{} })
	w.run(t)
	if n := w.count(a4); n > 1 {
		t.Errorf("%d big packets to a silent host", n)
	}
}

// TestSizeWake has one host that waits for nothing but events beside others.
func TestSizeWake(t *testing.T) {
	s := sizeTest{}
	for _, at := range []time.Duration{0, 7, 5, 0, 6} {
		s.wakeAt(at)
	}
	if s.wake != 5 {
		t.Errorf("got %v", s.wake)
	}
}

func TestBytesOf(t *testing.T) {
	for want, l := range map[string]Look{
		"[1400]":        {Packets: 1, Bytes: 1400, To: 1400},
		"[52 1400]":     {Packets: 2, Bytes: 52, To: 1400},
		"[1400 52]":     {Packets: 2, Bytes: 1400, To: 52},
		"[100 150 200]": {Packets: 3, Bytes: 100, To: 200},
		"[100 101]":     {Packets: 2, Bytes: 100, To: 101},
	} {
		var list []int
		for i := range l.Packets {
			list = append(list, l.BytesOf(i))
		}
		if got := fmt.Sprint(list); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestSizeWords(t *testing.T) {
	plan := sizePlan(t, 1500, a4)
	from := func(addr string) *ICMPMessage { return &ICMPMessage{From: netip.MustParseAddr(addr)} }
	for _, test := range []struct {
		size         Size
		words, mends string
	}{
		{Size{}, "packets of 1500 bytes not tested", ""},
		{Size{Limited: true}, "packets of 1500 bytes not judged: others beside them were lost too", ""},
		{Size{Known: true, Passes: true}, "packets of 1500 bytes pass", ""},
		{Size{Known: true}, "packets of 1500 bytes vanish", "to what passes at both ends"},
		{Size{Known: true, Largest: 1300}, "packets of 1500 bytes vanish, 1300 pass", "to 1300 bytes at both ends"},
		{Size{Known: true, Largest: 1380, Exact: true}, "packets over 1380 bytes vanish", "to 1380 bytes at both ends"},
		{Size{Known: true, Largest: 1420, Exact: true, TooBig: from("10.3.0.1")}, "packets over 1420 bytes do not fit, says 10.3.0.1", "correct --mtu"},
		{Size{Known: true, Largest: 65534, Exact: true, TooBig: from("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")}, "packets over 65534 bytes do not fit, says 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "correct --mtu"},
		{Size{Known: true, TooBig: &ICMPMessage{}}, "packets of 1500 bytes do not fit, says this host", "correct --mtu"},
		{Size{Known: true, Fault: &Fault{Words: "interface gone"}}, "packets of 1500 bytes cannot be sent: interface gone", "correct --mtu"},
	} {
		test.size.Asked = 1500
		if got := test.size.words(); got != test.words {
			t.Errorf("got %q, want %q", got, test.words)
		}
		if !test.size.Vanishes() {
			continue
		}
		p := Problem{Cause: BlackHole, State: nagios.Critical, Targets: []int{0}}
		v := Verdict{Plan: plan, Problems: []Problem{p}, Findings: []Finding{{Size: &test.size}}}
		if got := v.Headline(1000); len(got) > 150-len("CRITICAL: licensing VPN ") || strings.Contains(got, "hangs") == test.size.adapts() {
			t.Errorf("%s", got)
		}
		if got := strings.Join(v.Advice(), "\n"); !strings.Contains(got, test.mends) {
			t.Errorf("got %q, want %q in it", got, test.mends)
		}
	}
}

// TestMostKnown takes the host that most is known of.
func TestMostKnown(t *testing.T) {
	findings := []Finding{{Size: &Size{Known: true}}, {Size: &Size{Known: true, Largest: 1300}}, {Size: &Size{Known: true, Largest: 1280, Exact: true}}, {Size: &Size{Known: true, Passes: true}}, {}}
	v := Verdict{Findings: findings}
	if best := v.mostKnown([]int{0, 1, 2, 3, 4}); best != findings[2].Size {
		t.Errorf("got %+v", best)
	}
}

// limitsBytes has packets vanish that are more than so many bytes a second, after
// a burst: the small ones find room if no big one does.
func limitsBytes(rate float64, burst int, w way) way {
	var last time.Duration
	left := float64(burst)
	return func(p sentPacket) Event {
		left = min(left+rate*(p.at-last).Seconds(), float64(burst))
		if last = p.at; left < float64(p.bytes) {
			return Event{}
		}
		left -= float64(p.bytes)
		return w(p)
	}
}

// TestLimitsOnBytes has a policer. It passes big packets to somebody now and
// then, so those that have no luck are not named. With less than some 100 kbit/s,
// the small packets of several hosts leave no room for any big one.
func TestLimitsOnBytes(t *testing.T) {
	bad, all := 0, 0
	for bits := 128e3; bits < 10e6; bits *= 1.07 {
		for _, burst := range []int{1500, 3000, 6000, 15000} {
			for _, hosts := range []int{1, 2, 3, 4, 8, 14} {
				var far []string
				for i := range hosts {
					far = append(far, fmt.Sprintf("10.0.1.%d", i))
				}
				w := newWorld(sizePlan(t, 1400, far...), limitsBytes(bits/8, burst, answersAfter(5*ms)))
				all++
				if v := w.run(t); v.Has(BlackHole) || v.unevenSize != nil {
					bad++
					t.Logf("%.0f bit/s after %d bytes, %d hosts: %s", bits, burst, hosts, v.Headline(1000))
				}
			}
		}
	}
	if bad > 0 {
		t.Errorf("%d of %d", bad, all)
	}
}
