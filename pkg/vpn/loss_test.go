package vpn

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/nagios"
)

func TestLossCases(t *testing.T) {
	dead := []int{1, 2, 3, 4, 5, 6, 7, 8}
	for _, test := range []struct {
		name   string
		k      int
		way    impairment
		adjust func(p *Plan)
		want   string
	}{
		{"nothing lost", 1, fixed(20 * ms), nil, "up"},
		{"a short outage at the beginning", 1, fixed(20*ms).outage(-10*ms, 690*ms), nil, "up"},
		{"one after the first packets", 1, fixed(20*ms).outage(30*ms, 530*ms), nil, "up"},
		{"as long as a silence look", 1, fixed(20*ms).outage(-10*ms, 1000*ms), nil, "up"}, // the late packet passes
		{"as long, of many", 14, fixed(20*ms).outage(-10*ms, 1000*ms), nil, "up"},
		{"a longer one at the beginning", 1, fixed(20*ms).outage(-10*ms, 1120*ms), nil, "down"},
		{"a longer one at the beginning, of many", 14, fixed(20*ms).outage(-10*ms, 1120*ms), nil, "down"},
		{"a longer one after the first packets", 1, fixed(20*ms).outage(30*ms, 1030*ms), nil, "degraded WARNING"},
		{"one host alone", 14, fixed(20*ms).outage(0, 1*ms, 3).outage(1000*ms, 1700*ms, 3), nil, "partial named [3]"},
		{"one host, then all", 14, fixed(20*ms).outage(0, 1*ms, 3).outage(1000*ms, 1700*ms), nil, "up"},
		{"one late answer", 1, func(_ *rand.Rand, _ int, sent time.Duration) (time.Duration, bool) {
			if sent == 60*ms {
				return 261 * ms, true
			}
			return 60 * ms, true
		}, nil, "up"},
		{"slow", 1, fixed(120 * ms), nil, "degraded WARNING"},
		{"slower than the recheck", 1, fixed(300 * ms), nil, "degraded WARNING"},
		{"slower than the wait", 1, fixed(650 * ms), nil, "degraded CRITICAL"},
		{"slow as a satellite", 1, fixed(800 * ms), nil, "degraded CRITICAL"},
		{"slow, and it may be", 1, fixed(800 * ms), func(p *Plan) { setLimits(p, "0:2000,20%", "0:5000,60%") }, "up"},
		{"half dead", 14, fixed(20*ms).outage(0, time.Hour, dead[:7]...), func(p *Plan) { p.Limits.MinFar = 7 }, "partial silent [1 2 3 4 5 6 7]"},
		{"too many dead", 14, fixed(20*ms).outage(0, time.Hour, dead...), func(p *Plan) { p.Limits.MinFar = 7 }, "too-few silent [1 2 3 4 5 6 7 8]"},
	} {
		p := simPlan(test.k)
		if test.adjust != nil {
			test.adjust(p)
		}
		s := simulation{plan: p, way: test.way, rng: rand.New(rand.NewPCG(1, 1))}
		v := s.run()
		if v.String() != test.want {
			t.Errorf("%s: %s at %v after %d packets %s, want %s", test.name, v, s.now, s.packets, v.words, test.want)
		}
	}
}

// check simulates one check by an adjusted plan.
func check(k int, w impairment, adjust func(s *simulation, p *Plan)) (*simulation, simVerdict) {
	s := &simulation{plan: simPlan(k), way: w, rng: rand.New(rand.NewPCG(1, 1))}
	if adjust != nil {
		adjust(s, s.plan)
	}
	v := s.run()
	return s, v
}

func (s *simulation) test() *lossTest {
	if j, whole := s.subject.(*wholeJudge); whole {
		return j.loss
	}
	return s.subject.(*bareTest).lossTest
}

// first is a way on which the first packets to some hosts are lost.
func (w impairment) first(hosts int) impairment {
	return w.outage(0, 1, upTo(hosts)...)
}

func upTo(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return append(list, -1) // none of all is not all
}

func TestWide(t *testing.T) {
	for _, c := range []struct {
		k, lost, packets int
		dead             bool // the last host
		want             bool
	}{
		{1, 1, 5, false, true},
		{10, 1, 5, false, false}, {10, 2, 5, false, true},
		{14, 5, 5, false, false}, {14, 6, 5, false, true},
		{100, 91, 5, false, false}, {100, 92, 5, false, true},
		{2, 0, 5, true, false},
		{2, 0, 3, true, false}, {2, 0, 2, true, true}, // too few to be sure
	} {
		w := fixed(20 * ms).first(c.lost)
		if c.dead {
			w = w.outage(0, time.Hour, c.k-1)
		}
		s, v := check(c.k, w, func(_ *simulation, p *Plan) { p.Packets = c.packets; p.MaxPackets = c.packets + LossPackets })
		if wide := s.test().pool != nil; wide != c.want {
			t.Errorf("%d hosts, %d lost: measured of all together: %v, want %v", c.k, c.lost, wide, c.want)
		}
		if want := map[bool]string{false: "up", true: "partial"}[c.dead]; v.cause != want {
			t.Errorf("%d hosts, %d lost: %s, want %s", c.k, c.lost, v, want)
		}
	}
}

// TestLetGo: after how many packets of the loss look a host is let go, of which
// so many of the first were lost.
func TestLetGo(t *testing.T) {
	for lost, want := range map[int]int{0: 11, 1: 16, 4: 31, 6: 35} {
		first := 310 * ms
		w := fixed(20*ms).first(1).outage(first, first+time.Duration(lost)*100*ms, 0)
		s, v := check(10, w, nil)
		if h := s.test().places[0]; v.cause != "up" || h.loss.sent() != want {
			t.Errorf("%d lost: %s after %d packets, want %d", lost, v, h.loss.sent(), want)
		}
	}
}

func TestLossLimits(t *testing.T) {
	half := steady(0).losing(1, .5)
	for _, c := range []struct {
		warning, critical string
		way               impairment
		want              string
	}{
		{"100,20%", "500,100%", half, "degraded WARNING"},
		{"100,0:20%", "500,0:60%", half, "degraded WARNING"},
		{"100,@25:75%", "500,100%", half, "degraded WARNING"},
		{"100,@70:75%", "500,@80:90%", half, "up"},
		{"100,0%", "500,100%", fixed(20 * ms), "up"},          // nothing lost asks for nothing more
		{"100,0%", "500,100%", fixed(20 * ms).first(1), "up"}, // an alarm needs five lost packets
		{"100,0%", "500,100%", half, "degraded WARNING"},
		{"100,100%", "500,100%", steady(0).losing(1, .9), "up"},
		{"@50:150,20%", "@200:300,60%", fixed(20 * ms), "up"},
		{"@50:150,20%", "@200:300,60%", fixed(120 * ms), "degraded WARNING"},
		{"@50:150,20%", "@200:300,60%", fixed(180 * ms), "up"},
		{"@50:150,20%", "@200:300,60%", fixed(250 * ms), "degraded CRITICAL"},
		{"10:,20%", "5:,60%", fixed(7 * ms), "degraded WARNING"},
		{"-", "-", half, "up"},
		{"-", "500,60%", steady(0).losing(1, .85), "degraded CRITICAL"},
	} {
		_, v := check(1, c.way, func(_ *simulation, p *Plan) { setLimits(p, c.warning, c.critical) })
		if v.String() != c.want {
			t.Errorf("-w %s -c %s: %s %s, want %s", c.warning, c.critical, v, v.words, c.want)
		}
	}
}

// TestPausesAlarmNobody: a program that did not run has lost nothing, and cannot
// say how long a packet took.
func TestPausesAlarmNobody(t *testing.T) {
	for _, k := range []int{1, 14} {
		for _, length := range []time.Duration{1 * time.Second, 3 * time.Second, 10 * time.Second} {
			for _, from := range []time.Duration{20 * ms, 50 * ms, 62 * ms, 100 * ms, 250 * ms, 320 * ms, 700 * ms, 1300 * ms} {
				for name, w := range map[string]impairment{"clean": fixed(95 * ms), "one lost": fixed(95 * ms).first(1), "all lost": fixed(95*ms).outage(0, 100*ms)} {
					_, v := check(k, w, func(s *simulation, _ *Plan) { s.pauses = []span{{from, from + length}} })
					if v.state != nagios.OK && !(length == 10*time.Second && name == "all lost" && v.cause == "failed") {
						t.Errorf("%d hosts, %s, paused for %v at %v: %s %s", k, name, length, from, v, v.words)
					}
				}
			}
		}
	}
}

func TestWithheldRTA(t *testing.T) {
	pause := func(s *simulation, _ *Plan) { s.pauses = []span{{50 * ms, 3050 * ms}} }
	s, v := check(1, fixed(95*ms), pause)
	if !s.test().withheld || v.cause != "up" || v.rta > 0 && v.rta != 95*ms {
		t.Errorf("paused: %s, rta %v, withheld %v", v, v.rta, s.test().withheld)
	}
	if s, v = check(1, fixed(95*ms), nil); s.test().withheld || v.rta != 95*ms {
		t.Errorf("%s, rta %v, withheld %v", v, v.rta, s.test().withheld)
	}
}

// TestLateName: a name that is found late goes the same way, and holds up nobody.
func TestLateName(t *testing.T) {
	for _, at := range []time.Duration{1 * ms, 200 * ms, 300 * ms, 500 * ms, 2000 * ms} {
		for _, c := range []struct {
			name string
			way  impairment
			want string
		}{
			{"clean", fixed(20 * ms), "up"},
			{"others clean, it is dead", fixed(20*ms).outage(0, time.Hour, 13), "partial silent [13]"},
			{"others clean, it loses half", steadyHalf(13), "partial named [13]"},
			{"another lost one", fixed(20 * ms).first(1), "up"},
			{"another is dead", fixed(20*ms).outage(0, time.Hour, 0), "partial silent [0]"},
			{"all are dead", fixed(20*ms).outage(0, time.Hour), "down"},
			{"only it answers", fixed(20*ms).outage(0, time.Hour, upTo(13)...), "partial silent [0 1 2 3 4 5 6 7 8 9 10 11 12]"},
		} {
			s, v := check(14, c.way, func(s *simulation, _ *Plan) { s.names = map[int]time.Duration{13: at} })
			if v.String() != c.want {
				t.Errorf("found at %v, %s: %s, want %s", at, c.name, v, c.want)
			}
			if h := s.test().places[0]; h.loss.done > 0 && h.asked.packets[h.look.First].sent > 350*ms {
				t.Errorf("found at %v, %s: the others are measured from %v on", at, c.name, h.asked.packets[h.look.First].sent)
			}
		}
	}
}

// steadyHalf is a way on which one host loses each second packet.
func steadyHalf(host int) impairment {
	n := 0
	return func(_ *rand.Rand, target int, _ time.Duration) (time.Duration, bool) {
		count(&n, target == host)
		return 20 * ms, target != host || n%2 == 0
	}
}

func TestDeadlines(t *testing.T) {
	for _, c := range []struct {
		end     time.Duration
		packets int
		gap     time.Duration
		want    string
	}{
		{9700 * ms, 35, 100 * ms, "up"},
		{2610 * ms, 35, 50 * ms, "up"},
		{1600 * ms, 35, 20294117, "up"},
		{1210 * ms, 16, 20 * ms, "up"},
		{1000 * ms, 5, 20 * ms, "up"},
		{970 * ms, 0, 0, "up not measured [0]"},
		{800 * ms, 0, 0, "up not measured [0]"},
		{200 * ms, 0, 0, "up not measured [0]"},
	} {
		s, v := check(1, fixed(20*ms).first(1), func(_ *simulation, p *Plan) { p.End = c.end })
		if look := s.test().places[0].look; v.String() != c.want || look.Packets != c.packets || look.Spacing != c.gap || s.now > c.end {
			t.Errorf("%v: %s at %v, %d packets each %v, want %s, %d, %v", c.end, v, s.now, look.Packets, look.Spacing, c.want, c.packets, c.gap)
		}
	}
	for _, end := range []time.Duration{1000 * ms, 1300 * ms, 1500 * ms} {
		if _, v := check(1, fixed(650*ms), func(_ *simulation, p *Plan) { p.End = end }); v.String() != "degraded CRITICAL" {
			t.Errorf("all answers late, and %v for all: %s, want degraded CRITICAL", end, v)
		}
	}
	_, v := check(1, fixed(20*ms).outage(0, time.Hour), func(_ *simulation, p *Plan) { p.End = 700 * ms })
	if v.cause != "down" {
		t.Errorf("no time for a silence look: %s, want down", v)
	}
}

// TestStopped: at the end of the time all is judged by what is known.
func TestStopped(t *testing.T) {
	for _, c := range []struct {
		k     int
		way   impairment
		pause span // keeps the looks from being done in time
		want  string
	}{
		{1, fixed(20*ms).first(1).outage(300*ms, 900*ms), span{1000 * ms, 1500 * ms}, "degraded CRITICAL"},
		{1, fixed(20 * ms).first(1), span{400 * ms, 1500 * ms}, "up not measured [0]"}, // one packet tells nothing
		{14, steadyHalf(3), span{2000 * ms, 5000 * ms}, "partial named [3]"},
	} {
		_, v := check(c.k, c.way, func(s *simulation, p *Plan) {
			s.pauses = []span{c.pause}
			p.End = 5500 * ms
			if c.k == 1 {
				p.End = 1600 * ms
			}
		})
		if v.String() != c.want {
			t.Errorf("stopped after a pause from %v: %s %s, want %s", c.pause.from, v, v.words, c.want)
		}
	}
}

func TestPacketNumbers(t *testing.T) {
	for _, c := range []struct {
		k, packets, all int
		way             impairment
		want            string
	}{
		{1, 1, 36, fixed(20 * ms), "up"},
		{1, 1, 36, fixed(20 * ms).first(1), "up"},
		{1, 1, 36, steadyHalf(0), "degraded WARNING"},
		{1, 2, 37, fixed(20 * ms).first(1), "up"},
		{14, 2, 37, fixed(20 * ms).first(3), "up"},
		{1, 1000, 1035, steady(.01), "up"},
		{1, 1000, 1035, steady(0).losing(1, .5), "degraded WARNING"},
		{14, 1000, 1035, steady(0).losing(1, .5), "partial named [0]"},
		{1, 5, 20, steady(0).losing(1, .5), "degraded WARNING"},
		// no loss look: the first look decides
		{1, 5, 5, fixed(20 * ms).first(1), "up"},
		{1, 3, 3, fixed(20 * ms).first(1), "up not measured [0]"},
		{1, 1, 1, fixed(20 * ms).first(1), "up not measured [0]"},
		{1, 20, 20, steady(0).losing(1, .5), "degraded WARNING"},
		{14, 5, 5, steady(0).losing(14, .4), "degraded WARNING"},
		{14, 5, 5, steady(.01), "up"},
		{14, 50, 50, steadyHalf(2), "partial named [2]"},
		{14, 5, 5, fixed(20*ms).outage(0, time.Hour, 3), "partial silent [3]"},
		{1, 11, 11, fixed(120 * ms), "degraded WARNING"},
	} {
		_, v := check(c.k, c.way, func(_ *simulation, p *Plan) {
			p.Packets, p.MaxPackets = c.packets, c.all
			if p.Packets == 1000 {
				p.Interval = 2 * ms
			}
		})
		if v.String() != c.want {
			t.Errorf("%d hosts, -n %d --max-packets %d: %s %s, want %s", c.k, c.packets, c.all, v, v.words, c.want)
		}
	}
}

func TestPacketsThatDoNotLeave(t *testing.T) {
	not := func(w impairment, how time.Duration, from, to time.Duration, targets ...int) impairment {
		return func(rng *rand.Rand, target int, sent time.Duration) (time.Duration, bool) {
			if slices.Contains(targets, target) && sent >= from && sent < to {
				return how, false
			}
			return w(rng, target, sent)
		}
	}
	good := fixed(20 * ms)
	for _, c := range []struct {
		name string
		k    int
		way  impairment
		want string
	}{
		{"no route", 1, not(good, noRoute, 0, time.Hour, 0), "down"},
		{"no route to one", 14, not(good, noRoute, 0, time.Hour, 5), "partial silent [5]"},
		{"no route at first", 1, not(good, noRoute, 0, 300*ms, 0), "up"},
		{"no route for a while", 14, not(good.first(1), noRoute, 300*ms, 2000*ms, 0), "partial named [0]"},
		{"full queue, one of many", 14, not(good, ownFault, 0, time.Hour, 5), "up"},
		{"full queue at the first packet", 1, not(good, ownFault, 0, 1, 0), "up"},
		{"full queue at the loss look", 1, not(good.first(1), ownFault, 300*ms, time.Hour, 0), "up not measured [0]"},
		{"full queue at the silence look", 14, not(good.outage(0, time.Hour, 0), ownFault, 300*ms, time.Hour, 0), "partial silent [0]"},
	} {
		s, v := check(c.k, c.way, nil)
		if v.String() != c.want {
			t.Errorf("%s: %s %s, want %s", c.name, v, v.words, c.want)
		}
		if c.name == "no route" && s.now > 800*ms {
			t.Errorf("%s: known at %v, though nothing is waited for", c.name, s.now)
		}
	}
	_, v := check(1, not(fixed(900*ms), ownFault, 250*ms, time.Hour, 0), func(_ *simulation, p *Plan) { setLimits(p, "0:2000,20%", "0:5000,60%") })
	if v.cause == "down" {
		t.Errorf("full queue at the silence look, and the first look may still be answered: %s", v)
	}
}

// TestSilentAnswersAtLast: an answer undoes that a host counts as silent, while
// the test goes on.
func TestSilentAnswersAtLast(t *testing.T) {
	// One host is dead until 1.5 s, when a packet to it is answered that waited in
	// a queue; another keeps the test going.
	w := func(_ *rand.Rand, target int, sent time.Duration) (time.Duration, bool) {
		switch {
		case target == 0 && sent < 1*ms:
			return 1500 * ms, true
		case target == 0:
			return 20 * ms, sent > 1400*ms
		}
		return 20 * ms, target != 1 || sent > 600*ms
	}
	_, v := check(14, w, nil)
	if v.String() != "up" {
		t.Errorf("%s, want up", v)
	}
}

// TestLatePacket: one packet to one silent host a group leaves when routers may
// send ICMP errors again.
func TestLatePacket(t *testing.T) {
	s, v := check(6, fixed(20*ms).outage(0, time.Hour), func(_ *simulation, p *Plan) {
		for i, group := range []string{"a", "b", "a", "", "b", ""} {
			p.Targets[i].Group = group
		}
	})
	if v.cause != "down" || s.now > 1400*ms {
		t.Errorf("%s at %v", v, s.now)
	}
	for i, want := range []int{21, 21, 20, 21, 20, 20} {
		packets := s.test().places[i].asked.packets
		if len(packets) != want || want == 21 && packets[20].sent != 1110*ms {
			t.Errorf("host %d: %d packets, want %d", i, len(packets), want)
		}
	}
}

// TestManyLossyHosts: the number of hosts that are measured is bounded.
func TestManyLossyHosts(t *testing.T) {
	s, v := check(1000, fixed(20*ms).first(1000), nil)
	if v.cause != "up" || s.test().opened < maxDoubtful || s.test().opened > maxPool+maxDoubtful || len(s.test().pool) != maxPool {
		t.Errorf("%d hosts measured, %d of the pool, %s", s.test().opened, len(s.test().pool), v.cause)
	}
	if s, v = check(1000, fixed(20*ms).outage(0, 400*ms), nil); v.cause != "up" || len(s.test().pool) != maxPool {
		t.Errorf("%d hosts measured, %d of the pool, %s", s.test().opened, len(s.test().pool), v.cause)
	}
}

// TestRandomChecks: whatever happens, a check ends in its time, sends no more
// than it may, and comes to the same again.
func TestRandomChecks(t *testing.T) {
	for seed := range uint64(500) {
		run := func() (*simulation, simVerdict) {
			rng := rand.New(rand.NewPCG(seed, 2))
			s := &simulation{plan: simPlan(1 + rng.IntN(20)), way: anything(rng), rng: rng, names: map[int]time.Duration{}}
			p := s.plan
			p.Packets = 1 + rng.IntN(8)
			p.MaxPackets = p.Packets + []int{0, 15, 35, 100}[rng.IntN(4)]
			p.Interval = time.Duration(1+rng.IntN(200)) * ms
			p.End = time.Duration(200+rng.IntN(9000)) * ms
			p.Limits.MinFar = 1 + rng.IntN(len(p.Targets))
			for i := range p.Targets {
				if rng.IntN(5) == 0 {
					s.names[i] = time.Duration(rng.IntN(1500)) * ms
				}
			}
			if from := time.Duration(rng.IntN(3000)) * ms; rng.IntN(3) == 0 {
				s.pauses = []span{{from, from + time.Duration(rng.IntN(3000))*ms}}
			}
			return s, s.run()
		}
		s, v := run()
		if _, again := run(); again.String() != v.String() {
			t.Errorf("seed %d: %s, then %s", seed, v, again)
		}
		if len(s.pauses) > 0 && s.now > s.plan.End { // it ended before the pause
			t.Errorf("seed %d: over at %v, after %v", seed, s.now, s.plan.End)
		}
		for _, h := range s.test().hosts {
			if n := h.first.done + h.loss.done; n > s.plan.MaxPackets {
				t.Errorf("seed %d: %d packets to one host, want at most %d", seed, n, s.plan.MaxPackets)
			}
		}
	}
}

// anything is a way on which anything may happen to each host.
func anything(rng *rand.Rand) impairment {
	loss, slow := rng.Float64()*rng.Float64(), rng.IntN(10)
	from := time.Duration(rng.IntN(3000)) * ms
	length := time.Duration(rng.IntN(2000)) * ms
	return func(rng *rand.Rand, target int, sent time.Duration) (time.Duration, bool) {
		switch {
		case target%7 == 3 && rng.IntN(4) == 0:
			return noRoute, false
		case target%7 == 4 && rng.IntN(4) == 0:
			return ownFault, false
		case target%7 == 5, sent >= from && sent < from+length:
			return 0, false
		}
		took := time.Duration(1+rng.IntN(40)) * ms
		if slow == 0 {
			took *= 30
		}
		return took, rng.Float64() >= loss
	}
}

// TestAnotherAddress: a name that is judged by another address now begins anew.
func TestAnotherAddress(t *testing.T) {
	s, _ := check(2, fixed(20*ms).first(2), func(_ *simulation, p *Plan) { p.End = 700 * ms })
	test := s.test()
	other := &asked{addr: netip.MustParseAddr("10.3.9.9")}
	test.step([]*asked{other, test.places[1].asked}, s.now)
	if test.stageOf(0) != atFirstLook {
		t.Errorf("at stage %d, want the first", test.stageOf(0))
	}
}

func TestNothingIsAllocatedWithoutDoubt(t *testing.T) {
	b, events := benchmarkEvents(100)
	i := 0
	if n := testing.AllocsPerRun(len(events)-1, func() {
		b.add(events[i])
		b.lossTest.step(b.far, events[i].At)
		i++
	}); n > 0 {
		t.Errorf("%v allocations an event", n)
	}
}

// benchmarkEvents are those of a first look without loss.
func benchmarkEvents(k int) (*bareTest, []Event) {
	b := newBareTest(simPlan(k))
	looks, _, _ := b.step(0)
	var events []Event
	for seq := range 5 {
		for _, kind := range []Kind{Sent, Answered} {
			for _, l := range looks {
				at := time.Duration(seq) * 15 * ms
				e := Event{Kind: kind, At: at, Target: l.Target, Addr: l.Addr, Look: FirstLook, Seq: seq}
				if kind == Answered {
					e.At, e.Took = at+5*ms, 5*ms
				}
				events = append(events, e)
			}
		}
	}
	// All have room for their packets, as after the first of them.
	for _, t := range b.far {
		t.packets = make([]packet, 0, 5)
	}
	return b, events
}

func BenchmarkLossFirstLook(b *testing.B) {
	test, events := benchmarkEvents(1000)
	for i := 0; b.Loop(); i++ {
		if i == len(events) {
			b.StopTimer()
			test, events = benchmarkEvents(1000)
			i = 0
			b.StartTimer()
		}
		test.add(events[i])
		test.lossTest.step(test.far, events[i].At)
	}
}

// BenchmarkLossCheck is a whole check of 1,000 hosts over a way that loses 2% each
// way, with its simulation.
func BenchmarkLossCheck(b *testing.B) {
	for i := 0; b.Loop(); i++ {
		simulate(simPlan(1000), steady(.02), uint64(i))
	}
}

// TestLateIsNotLost has one host of nine that answers all, but too late to count:
// its words must not say that packets are lost.
func TestLateIsNotLost(t *testing.T) {
	p := testPlan(t, strings.Fields("a=10.0.0.1 b=10.0.0.2 c=10.0.0.3 d=10.0.0.4 e=10.0.0.5 f=10.0.0.6 g=10.0.0.7 h=10.0.0.8 i=10.0.0.9")...)
	w := World{Trip: 20 * ms, Echo: func(l Look, _ time.Duration, _ int) (time.Duration, bool) {
		if l.Target == 0 {
			return 800 * ms, true
		}
		return 20 * ms, true
	}}
	v := Imagine(p, w)
	if v.Lead().Cause != Partial || !strings.Contains(v.Headline(1000), "a (7 of 7 packets were answered too late, or never)") {
		t.Errorf("got %s: %s", v.Lead().Cause, v.Headline(1000))
	}
}
