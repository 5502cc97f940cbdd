package vpn

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/nagios"
)

// ticket is a check whose events a test adds by hand.
type ticket struct {
	*Judge
	t testing.TB
}

// newTicket asks targets, each written ROLE NAME=URL.
func newTicket(t testing.TB, via Via, targets ...string) ticket {
	t.Helper()
	p := sizePlan(t, 0)
	p.Limits.Via, p.End = via, 2*time.Second
	roles := map[string]Role{"far": Far, "near": Near, "peer": Peer, "service": {"service", true}}
	for _, text := range targets {
		role, url, _ := strings.Cut(text, " ")
		target, err := ParseTarget(roles[role], url)
		if err != nil {
			t.Fatal(err)
		}
		p.Targets = append(p.Targets, target)
	}
	k := ticket{NewJudge(p), t}
	k.Step(0)
	return k
}

// asks has five packets to a target leave, from a time on, 20 ms apart.
func (k ticket) asks(i int, from time.Duration, answers bool) {
	a := k.chosen[i].addr
	for n := range 5 {
		at := from + time.Duration(n)*20*ms
		k.Add(Event{Kind: Sent, At: at, Target: i, Look: FirstLook, Addr: a, Seq: n})
		if answers {
			k.Add(Event{Kind: Answered, At: at + ms, Took: ms, Target: i, Look: FirstLook, Addr: a, Seq: n})
		}
	}
}

func (k ticket) counts(at time.Duration, name, kind string, out, in uint64) {
	k.Add(Event{Kind: Counted, At: at, Count: &Counters{Interface: name, Kind: kind, Out: out, In: in}})
}

// route is by an interface, or by one of several next hops.
func (k ticket) route(i int, addr string, names ...string) {
	r := Route{Interface: names[0], Source: netip.MustParseAddr("10.1.0.20")}
	for _, name := range names {
		if len(names) > 1 {
			r.Hops = append(r.Hops, Route{Interface: name})
		}
	}
	k.Add(Event{Kind: Routed, Target: i, Addr: netip.MustParseAddr(addr), Route: &r})
}

// hops has a path looked at, with what comes back of the packets, from the first hop.
func (k ticket) hops(i int, back ...*ICMPMessage) {
	a := k.chosen[i]
	l := Look{Kind: Path, Target: i, Addr: a.addr, First: a.plan(maxHops), Packets: maxHops, Spacing: hopSpacing}
	a.course.path = l
	for n := range maxHops {
		at := 400*ms + time.Duration(n)*hopSpacing
		k.Add(Event{Kind: Sent, At: at, Target: i, Look: Path, Addr: a.addr, Seq: l.First + n})
		if n < len(back) && back[n] != nil {
			k.Add(Event{Kind: ICMPError, At: at + ms, Target: i, Look: Path, Addr: a.addr, Seq: l.First + n, ICMP: back[n]})
		}
	}
}

func exceeded(from string) *ICMPMessage {
	return &ICMPMessage{From: netip.MustParseAddr(from), Type: timeExceeded4}
}

// verdict is that of the time when all has been waited for.
func (k ticket) verdict() Verdict {
	k.t.Helper()
	if _, decided := k.Step(k.plan.End); !decided {
		k.t.Fatal("not decided at the end")
	}
	return k.Verdict()
}

func (k ticket) expect(cause Cause, state nagios.State, lines ...string) {
	k.t.Helper()
	v := k.verdict()
	if v.Lead().Cause != cause || v.State() != state || !slices.Equal(v.Evidence, lines) {
		k.t.Errorf("got %s %s, %q; want %s %s, %q", v.State(), v.Lead().Cause, v.Evidence, state, cause, lines)
	}
}

const (
	farHost  = "far a=10.3.11.6"
	peerHost = "peer p=203.0.113.9"
)

func TestDirection(t *testing.T) {
	const counted = "wg0 counted 43 packets out and 0 in, while 5 were sent to it"
	elsewhere := func(k ticket, names ...string) { k.route(0, "192.0.2.1", names...) }
	count := func(k ticket, name, kind string) {
		k.counts(ms, name, kind, 1000, 500)
		k.counts(1500*ms, name, kind, 1043, 500)
	}
	tests := []struct {
		name  string
		via   string
		add   func(ticket)
		lines []string
	}{
		{"an interface of its own", "", func(k ticket) {
			k.route(1, "203.0.113.9", "eth0")
			elsewhere(k, "eth0")
			count(k, "wg0", "wireguard")
		}, []string{counted}},
		{"the peer's way is not known", "", func(k ticket) {
			elsewhere(k, "eth0")
			count(k, "wg0", "wireguard")
		}, nil},
		{"the peer's way is the same", "", func(k ticket) {
			k.route(1, "203.0.113.9", "wg0")
			elsewhere(k, "eth0")
			count(k, "wg0", "wireguard")
		}, nil},
		{"the default route is the same", "", func(k ticket) {
			k.route(1, "203.0.113.9", "eth0")
			elsewhere(k, "wg0")
			count(k, "wg0", "wireguard")
		}, nil},
		{"one of the default routes is the same", "", func(k ticket) {
			k.route(1, "203.0.113.9", "eth0")
			elsewhere(k, "eth0", "wg0")
			count(k, "wg0", "wireguard")
		}, nil},
		{"the default route is not known", "", func(k ticket) {
			k.route(1, "203.0.113.9", "eth0")
			count(k, "wg0", "wireguard")
		}, nil},
		{"a network card", "", func(k ticket) {
			k.route(1, "203.0.113.9", "eth0")
			elsewhere(k, "eth0")
			count(k, "wg0", "device")
		}, nil},
		{"counted once", "", func(k ticket) {
			k.route(1, "203.0.113.9", "eth0")
			elsewhere(k, "eth0")
			k.counts(ms, "wg0", "wireguard", 1000, 500)
		}, nil},
		{"another interface than before", "", func(k ticket) {
			k.route(1, "203.0.113.9", "eth0")
			elsewhere(k, "eth0")
			k.counts(ms, "wg0", "wireguard", 1000, 500)
			k.counts(1500*ms, "wg0", "wireguard", 43, 0)
		}, []string{"wg0 was replaced during this check"}},
		{"it is gone", "", func(k ticket) {
			k.counts(ms, "wg0", "wireguard", 1000, 500)
			k.Add(Event{Kind: Counted, Count: &Counters{Interface: "wg0"}, Fault: &Fault{Code: NoInterface}})
		}, []string{"there is no interface wg0"}},
		{"that of --via", "wg0", func(k ticket) { count(k, "wg0", "wireguard") }, []string{counted}},
		{"that of --via, and several routes", "wg0", func(k ticket) {
			k.route(0, "10.3.11.6", "wg0", "eth0")
			count(k, "wg0", "wireguard")
		}, []string{counted}},
		{"that of --via is not there", "wg0", func(k ticket) {
			k.Add(Event{Kind: Counted, Count: &Counters{Interface: "wg0"}, Fault: &Fault{Code: NoInterface}})
		}, []string{"there is no interface wg0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newTicket(t, Via{Interface: test.via}, farHost, peerHost)
			k.route(0, "10.3.11.6", "wg0")
			k.Step(1)
			k.asks(0, 10*ms, false)
			k.asks(1, 10*ms, true)
			test.add(k)
			k.t = t
			k.expect(TunnelDown, nagios.Critical, test.lines...)
		})
	}
}

// TestDirectionCounts what left between the counts, and no more.
func TestDirectionCounts(t *testing.T) {
	k := newTicket(t, Via{Interface: "wg0"}, farHost, "service m=tcp://10.3.11.7:3306", peerHost)
	k.counts(25*ms, "wg0", "wireguard", 0, 0)
	k.counts(1500*ms, "wg0", "wireguard", 4, 0)
	k.asks(0, 0, false) // two of them before it is counted
	k.asks(2, 0, true)
	k.Add(Event{Kind: Sent, At: 30 * ms, Target: 1, Look: Connect, Addr: k.chosen[1].addr})
	k.expect(TunnelDown, nagios.Critical, "wg0 counted 4 packets out and 0 in, while at least 4 were sent to it")

	k = newTicket(t, Via{Interface: "wg0"}, farHost)
	k.counts(0, "wg0", "wireguard", 0, 0)
	k.counts(1500*ms, "wg0", "wireguard", 1, 0)
	k.asks(0, ms, false)
	for _, own := range []bool{true, false} { // neither has left
		k.Add(Event{Kind: LocalError, At: 200 * ms, Target: 0, Look: Silence, Addr: k.chosen[0].addr, Seq: k.chosen[0].plan(1), Fault: &Fault{Words: "full", Own: own}})
	}
	k.expect(Down, nagios.Critical, "wg0 counted 1 packet out and 0 in, while 5 were sent to it")

	k = newTicket(t, Via{}, "far a=127.0.0.2")
	k.route(0, "127.0.0.2", "lo")
	k.route(0, "192.0.2.1", "eth0")
	k.Step(1)
	k.counts(0, "lo", "loopback", 0, 0)
	k.counts(1500*ms, "lo", "loopback", 1, 0)
	k.asks(0, ms, false)
	k.expect(Down, nagios.Critical)

	k = newTicket(t, Via{Interface: "wg0"}, farHost)
	k.counts(0, "wg0", "wireguard", 0, 0)
	k.counts(1500*ms, "wg0", "wireguard", 5, 5)
	k.asks(0, ms, true)
	k.expect(Up, nagios.OK)
}

func TestPath(t *testing.T) {
	unreachable := &ICMPMessage{From: netip.MustParseAddr("10.3.0.9"), Type: unreachable4, Code: 1}
	round := slices.Repeat([]*ICMPMessage{exceeded("10.3.0.1"), exceeded("10.3.0.2")}, 15)
	for _, test := range []struct {
		name string
		back []*ICMPMessage
		want string
	}{
		{"one hop", []*ICMPMessage{exceeded("10.3.0.1")}, "last answer from 10.3.0.1 (hop 1)"},
		{"the farthest", []*ICMPMessage{exceeded("10.3.0.1"), nil, nil, exceeded("198.51.100.7")}, "last answer from 198.51.100.7 (hop 4)"},
		{"nobody", nil, "nothing on the way answers"},
		{"unreachable", []*ICMPMessage{exceeded("10.3.0.1"), unreachable, unreachable}, "last answer from 10.3.0.1 (hop 1), then host unreachable, from 10.3.0.9"},
		{"unreachable at once", []*ICMPMessage{unreachable, unreachable}, "host unreachable, from 10.3.0.9"},
		{"in circles", round, "last answer from 10.3.0.2 (hop 30): a routing loop?"},
		{"nonsense", []*ICMPMessage{{Type: timeExceeded4}, {From: netip.MustParseAddr("10.3.0.1"), Type: 200}}, "nothing on the way answers"},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := newTicket(t, Via{}, farHost, "far b=10.3.11.7")
			k.asks(0, ms, false)
			k.asks(1, ms, false)
			k.hops(0, test.back...)
			k.expect(Down, nagios.Critical, "path to 10.3.11.6: "+test.want)
		})
	}
}

// TestPathOfPeers has the schedule look at the path of each silent peer, and of
// no other gateway.
func TestPathOfPeers(t *testing.T) {
	k := newTicket(t, Via{}, "far a=tcp://10.3.11.6:22", "peer p=203.0.113.9", "peer q=203.0.113.10", "near n=10.1.0.1")
	k.Add(Event{Kind: Sent, Target: 0, Look: Connect, Addr: k.chosen[0].addr})
	k.Add(Event{Kind: AttemptOver, At: 600 * ms, Took: 600 * ms, Target: 0, Look: Connect, Addr: k.chosen[0].addr, Fault: &Fault{Code: Timeout}})
	k.asks(1, ms, false)
	k.asks(2, ms, true)
	k.asks(3, ms, true)
	wants, _ := k.Step(610 * ms)
	var asked, elsewhere []netip.Addr
	first := 0
	for _, l := range wants.Looks {
		if l.Kind == Path {
			asked = append(asked, l.Addr)
			first = l.First
		}
		if l.Kind == AskRoute && l.Addr == netip.MustParseAddr("192.0.2.1") {
			elsewhere = append(elsewhere, l.Addr)
		}
	}
	if !slices.Equal(asked, []netip.Addr{k.chosen[1].addr}) || len(elsewhere) != 1 {
		t.Errorf("the paths to %v are looked at, and %v", asked, elsewhere)
	}
	k.hops(3, exceeded("10.1.0.9")) // it answers, so its path is no evidence
	k.Add(Event{Kind: ICMPError, At: 620 * ms, Target: 1, Look: Path, Addr: k.chosen[1].addr, Seq: first, ICMP: exceeded("198.51.100.7")})
	k.expect(TunnelDown, nagios.Critical, "path to 203.0.113.9: last answer from 198.51.100.7 (hop 1)")
}

func TestPathHasNoTime(t *testing.T) {
	k := newTicket(t, Via{}, farHost)
	k.plan.End = 700 * ms
	k.asks(0, ms, false)
	k.hops(0)
	k.expect(Down, nagios.Critical)
}

func TestElsewhereIsNotAskedWithVia(t *testing.T) {
	for _, via := range []Via{{}, {Interface: "wg0"}} {
		for _, dead := range []bool{true, false} {
			k := newTicket(t, via, "far a=tcp://[fd00:3::6]:22", peerHost)
			kind := Answered
			if dead {
				kind = AttemptOver
			}
			k.Add(Event{Kind: Sent, Target: 0, Look: Connect, Addr: k.chosen[0].addr})
			k.Add(Event{Kind: kind, At: 600 * ms, Took: 600 * ms, Target: 0, Look: Connect, Addr: k.chosen[0].addr, Fault: &Fault{Code: Timeout}})
			asks := func() bool {
				wants, _ := k.Step(601 * ms)
				return slices.ContainsFunc(wants.Looks, func(l Look) bool {
					return l.Kind == AskRoute && l.Target == 0 && l.Addr == netip.MustParseAddr("2001:db8::1")
				})
			}
			if got := asks(); got != (dead && via.IsZero()) {
				t.Errorf("via %q, dead %t: the default route is asked for: %t", via, dead, got)
			}
			k.route(0, "2001:db8::1", "eth0")
			if asks() {
				t.Error("it is asked for again")
			}
		}
	}
}

func TestCountersContradict(t *testing.T) {
	const lag = "wg0 counted fewer packets than were answered, but the counters of a network card may lag: --via cannot be told"
	tests := []struct {
		name   string
		via    Via
		others []string
		kind   string
		out    uint64
		cause  Cause
		state  nagios.State
		lines  []string
	}{
		{"as many", Via{Interface: "wg0"}, nil, "wireguard", 5, Up, nagios.OK, nil},
		{"fewer", Via{Interface: "wg0"}, nil, "wireguard", 4, Bypassed, nagios.Critical,
			[]string{"wg0 counted 4 packets out and 0 in, while at least 5 were answered"}},
		{"fewer, of a network card", Via{Interface: "wg0"}, nil, "device", 4, Up, nagios.OK, []string{lag}},
		{"fewer, of we do not know what", Via{Interface: "wg0"}, nil, "", 4, Up, nagios.OK, []string{lag}},
		{"as many, of a network card", Via{Interface: "wg0"}, nil, "device", 5, Up, nagios.OK, nil},
		{"several routes, as many", Via{Interface: "wg0"}, []string{"eth0"}, "wireguard", 6, Up, nagios.OK,
			[]string{"several routes lead to the far side: --via cannot be told, but wg0 counted 6 packets out, and at least 5 were answered"}},
		{"several routes, fewer", Via{Interface: "wg0"}, []string{"eth0"}, "wireguard", 3, Bypassed, nagios.Critical,
			[]string{"wg0 counted 3 packets out and 0 in, while at least 5 were answered"}},
		{"several routes, a network card", Via{Interface: "wg0"}, []string{"eth0"}, "device", 6, Up, nagios.OK,
			[]string{"several routes lead to the far side: --via cannot be told"}},
		{"several routes, by a source address", Via{Source: netip.MustParseAddr("10.1.0.20")}, []string{"eth0"}, "wireguard", 0, Up, nagios.OK,
			[]string{"several routes lead to the far side: --via cannot be told"}},
		{"a source address", Via{Source: netip.MustParseAddr("10.1.0.20")}, nil, "wireguard", 0, Up, nagios.OK, nil},
		{"no --via", Via{}, nil, "wireguard", 0, Up, nagios.OK, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newTicket(t, test.via, farHost)
			k.route(0, "10.3.11.6", append([]string{"wg0"}, test.others...)...)
			k.Step(1)
			k.counts(ms, "wg0", test.kind, 100, 100)
			k.asks(0, 2*ms, true)
			k.counts(300*ms, "wg0", test.kind, 100+test.out, 100)
			k.expect(test.cause, test.state, test.lines...)
		})
	}
}

// TestNoInterface has the interface of --via gone while the far side is reached
// by another one.
func TestNoInterface(t *testing.T) {
	k := newTicket(t, Via{Interface: "wg0"}, farHost)
	k.route(0, "10.3.11.6", "eth0")
	k.asks(0, ms, true)
	k.Add(Event{Kind: Counted, Count: &Counters{Interface: "wg0"}, Fault: &Fault{Code: NoInterface}})
	v := k.verdict()
	if want := "there is no interface wg0"; !strings.Contains(v.Headline(1000), want) || !slices.Equal(v.Evidence, []string{want}) {
		t.Errorf("got %q, %q", v.Headline(1000), v.Evidence)
	}
}

// TestPathOfPacketsThatDidNotLeave has an interface that is gone: that is no
// silence of the way.
func TestPathOfPacketsThatDidNotLeave(t *testing.T) {
	k := newTicket(t, Via{}, farHost)
	a := k.chosen[0].addr
	fault := &Fault{Code: NoInterface, Words: "interface gone"}
	for n := range 5 {
		k.Add(Event{Kind: LocalError, At: ms, Look: FirstLook, Addr: a, Seq: n, Fault: fault})
	}
	l := Look{Kind: Path, Addr: a, First: k.chosen[0].plan(maxHops), Packets: maxHops, Spacing: hopSpacing}
	k.chosen[0].course.path = l
	for n := range maxHops {
		k.Add(Event{Kind: LocalError, At: 300 * ms, Look: Path, Addr: a, Seq: l.First + n, Fault: fault})
	}
	if v := k.verdict(); len(v.Evidence) > 0 {
		t.Errorf("got %q", v.Evidence)
	}
}

// TestPathOfOneError has a router that says why only once a second: so not about
// the packets of the path.
func TestPathOfOneError(t *testing.T) {
	k := newTicket(t, Via{}, farHost)
	k.asks(0, ms, false)
	k.hops(0)
	a := k.chosen[0]
	k.Add(Event{Kind: ICMPError, At: 1100 * ms, Look: Silence, Addr: a.addr, Seq: a.plan(1),
		ICMP: &ICMPMessage{From: netip.MustParseAddr("10.3.0.9"), Type: unreachable4, Code: 13}})
	k.expect(Down, nagios.Critical, "path to 10.3.11.6: administratively prohibited, from 10.3.0.9")
}

// TestConnectionsAreCounted has an attempt that was answered, though the
// interface of --via counted nothing: the attempt waits until that was counted.
func TestConnectionsAreCounted(t *testing.T) {
	for _, test := range []struct {
		out   uint64
		cause Cause
		state nagios.State
		lines []string
	}{
		{0, Bypassed, nagios.Critical, []string{"wg0 counted 0 packets out and 0 in, while at least 1 was answered"}},
		{3, Up, nagios.OK, nil},
	} {
		k := newTicket(t, Via{Interface: "wg0"}, "far a=tcp://10.3.11.6:22")
		asks := func(at time.Duration) bool {
			wants, _ := k.Step(at)
			return slices.ContainsFunc(wants.Looks, func(l Look) bool { return l.Kind == Connect })
		}
		if asks(1) {
			t.Error("the attempt begins before the interface was counted")
		}
		k.route(0, "10.3.11.6", "wg0")
		k.counts(ms, "wg0", "wireguard", 100, 100)
		if !asks(ms + 1) {
			t.Error("the attempt does not begin")
		}
		k.Add(Event{Kind: Sent, At: 2 * ms, Look: Connect, Addr: k.chosen[0].addr})
		k.Add(Event{Kind: Answered, At: 3 * ms, Took: ms, Look: Connect, Addr: k.chosen[0].addr})
		k.counts(4*ms, "wg0", "wireguard", 100+test.out, 100)
		k.expect(test.cause, test.state, test.lines...)
	}
	// If it cannot be counted, the attempt begins all the same.
	k := newTicket(t, Via{Interface: "wg0"}, "far a=tcp://10.3.11.6:22")
	wants, _ := k.Step(countingTime)
	if !slices.ContainsFunc(wants.Looks, func(l Look) bool { return l.Kind == Connect }) {
		t.Error("the attempt does not begin")
	}
}
