package vpn

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/nagios"
)

var roles = map[byte]Role{'n': Near, 'p': Peer, 'r': {"replication", true}, 'u': {"public", false}}

// testPlan asks targets with the usual limits. The first letter of a name says
// its role: near, peer, replication, public (u); any other is far.
func testPlan(t testing.TB, targets ...string) *Plan {
	t.Helper()
	p := &Plan{Packets: 5, MaxPackets: 40, Interval: 15 * time.Millisecond, End: 9700 * time.Millisecond, Descriptors: 500}
	p.Limits = Limits{MinFar: 1, Partial: nagios.Warning, Warning: pairOf(t, "100,20%"), Critical: pairOf(t, "500,60%")}
	for _, text := range targets {
		role, known := roles[text[0]]
		if !known {
			role = Far
		}
		target, err := ParseTarget(role, text)
		if err != nil {
			t.Fatal(err)
		}
		p.Targets = append(p.Targets, target)
	}
	return p
}

func pairOf(t testing.TB, text string) nagios.Pair {
	t.Helper()
	pair, err := nagios.ParsePair(text)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// scenario is a world in which things happen to targets by their names. What is
// not named is well.
type scenario struct {
	silent  string // names with blanks around: " a b "
	refuses string // connections are reset
	rejects string // echo requests and connections are answered by an ICMP error of the host itself
	router  string // by one of a router
	cannot  string // cannot be asked, by our own fault
	unnamed string // has no address
	way     string // leave by another interface
	trip    time.Duration
}

func (s scenario) world(p *Plan) World {
	in := func(names string, l Look) bool {
		return strings.Contains(" "+names+" ", " "+p.Targets[l.Target].Name+" ")
	}
	trip := s.trip
	if trip == 0 {
		trip = 20 * time.Millisecond
	}
	message := func(l Look) *ICMPMessage {
		m := &ICMPMessage{Type: unreachable4, Code: 13}
		if l.Addr.Is6() {
			m = &ICMPMessage{Type: unreachable6, Code: 1}
		}
		switch {
		case in(s.rejects, l):
			m.From = l.Addr
		case in(s.router, l):
			m.From = netip.MustParseAddr("10.9.9.9")
		default:
			return nil
		}
		return m
	}
	return World{
		Trip: trip,
		Echo: func(l Look, _ time.Duration, _ int) (time.Duration, bool) {
			return trip, !in(s.silent+" "+s.rejects+" "+s.router, l)
		},
		Local: func(l Look) *Fault {
			if in(s.cannot, l) {
				return &Fault{Code: NoPermission, Words: "no permission to send ICMP", Own: true}
			}
			return nil
		},
		// The first look does not hear ICMP errors.
		ICMP: func(l Look, _ int) *ICMPMessage {
			if l.Kind != Silence {
				return nil
			}
			return message(l)
		},
		Connect: func(l Look) Event {
			switch {
			case in(s.refuses, l):
				return Event{Kind: Refused, Took: trip, Fault: &Fault{Code: Reset, Words: "connection refused"}}
			case in(s.rejects, l):
				return Event{Kind: Refused, Took: trip, ICMP: message(l), Fault: &Fault{Code: OtherFault, Words: "prohibited"}}
			case in(s.router, l):
				return Event{Kind: AttemptOver, Took: trip, ICMP: message(l), Fault: &Fault{Code: OtherFault, Words: "prohibited"}}
			case in(s.silent, l):
				return Event{}
			}
			return Event{Kind: Answered, Took: trip}
		},
		Resolve: func(i int) (netip.Addr, *Fault) {
			if in(s.unnamed, Look{Target: i}) {
				return netip.Addr{}, &Fault{Code: NoName, Words: "no such name"}
			}
			return netip.MustParseAddr("10.0.0.99"), nil
		},
		Route: func(l Look) Route {
			if in(s.way, l) {
				return Route{Interface: "eth0"}
			}
			return Route{Interface: "tun0"}
		},
	}
}

// causesOf are the states and causes of a verdict, in order.
func causesOf(v Verdict) string {
	var list []string
	for _, p := range v.Problems {
		list = append(list, p.State.String()+" "+string(p.Cause))
	}
	return strings.Join(list, ", ")
}

const (
	four = "a=10.0.0.1 b=10.0.0.2 near=10.1.1.1 peer=192.0.2.9"
	six  = "a=fd00::1 b=fd00::2 near=fd01::1 peer=2001:db8::9"
)

func TestCauses(t *testing.T) {
	tests := []struct {
		name, targets string
		scenario
		change func(*Plan)
		want   string
		says   string // in line 1
	}{
		{name: "well", targets: four, want: "OK up", says: "up: 2 of 2 hosts answer, loss 0%, rta 20.0 ms"},
		{name: "well by IPv6", targets: six, want: "OK up"},
		{name: "dead", targets: four, scenario: scenario{silent: "a b"}, want: "CRITICAL tunnel-down", says: "0 of 2 hosts answer, both gateways are up"},
		{name: "dead by IPv6", targets: six, scenario: scenario{silent: "a b"}, want: "CRITICAL tunnel-down"},
		{name: "no peer", targets: "a=10.0.0.1", scenario: scenario{silent: "a"}, want: "CRITICAL down", says: "host a does not answer, far gateway not checked"},
		{name: "our side", targets: four, scenario: scenario{silent: "a b near peer"}, want: "CRITICAL near-down"},
		{name: "near filters, peer answers", targets: four, scenario: scenario{silent: "a b near"}, want: "CRITICAL tunnel-down", says: "the far gateway is up"},
		{name: "near filters, a host answers", targets: four, scenario: scenario{silent: "near"}, want: "OK up"},
		{name: "near alone", targets: "a=10.0.0.1 near=10.1.1.1", scenario: scenario{silent: "a near"}, want: "CRITICAL near-down"},
		{name: "far end", targets: four, scenario: scenario{silent: "a b peer"}, want: "CRITICAL peer-down"},
		{name: "peer filters", targets: four, scenario: scenario{silent: "peer"}, want: "OK up"},
		{name: "near says no", targets: "a=10.0.0.1 near=tcp://10.1.1.1:1 peer=192.0.2.9", scenario: scenario{silent: "a", refuses: "near"}, want: "CRITICAL tunnel-down", says: "both gateways are up"},
		{name: "no name", targets: "a=a.example b=b.example near=10.1.1.1", scenario: scenario{unnamed: "a b"}, want: "CRITICAL resolver-down", says: "no such name"},
		{name: "one name", targets: "a=a.example b=10.0.0.1", scenario: scenario{unnamed: "a"}, want: "WARNING partial"},
		{name: "one name, and the rest is dead", targets: "a=a.example b=10.0.0.1", scenario: scenario{unnamed: "a", silent: "b"}, want: "CRITICAL down"},

		{name: "pings filtered, replication passes", targets: four + " r=tcp://10.0.0.1:80", scenario: scenario{silent: "a b"}, want: "WARNING filtered", says: "replication r does"},
		{name: "pings rejected by the hosts", targets: four, scenario: scenario{rejects: "a b"}, want: "WARNING filtered", says: "administratively prohibited, from the host itself"},
		{name: "the same by IPv6", targets: six, scenario: scenario{rejects: "a b"}, want: "WARNING filtered"},
		{name: "connections rejected by the host", targets: "a=tcp://10.0.0.1:1", scenario: scenario{rejects: "a"}, want: "WARNING filtered"},
		{name: "pings rejected by a router", targets: four, scenario: scenario{router: "a b"}, want: "CRITICAL tunnel-down"},
		{name: "what is public proves nothing", targets: four + " u=tcp://198.51.100.1:80", scenario: scenario{silent: "a b"}, want: "CRITICAL tunnel-down"},
		{name: "nor what does not leave this host", targets: four + " r=tcp://127.0.0.1:80 r2=127.0.0.2", scenario: scenario{silent: "a b"}, want: "CRITICAL tunnel-down"},
		{name: "a reset is not enough", targets: four + " r=tcp://10.0.0.1:80", scenario: scenario{silent: "a b", refuses: "r"}, want: "CRITICAL tunnel-down"},
		{name: "filtered, and replication fails in part", targets: four + " r=tcp://10.0.0.1:80 r2=tcp://10.0.0.1:81", scenario: scenario{silent: "a b r2"}, want: "WARNING filtered, WARNING service-down"},

		{name: "refused", targets: "a=tcp://10.0.0.1:1 b=10.0.0.2 peer=192.0.2.9", scenario: scenario{refuses: "a", silent: "b"}, want: "CRITICAL refused", says: "connection refused"},
		{name: "refused off the way", targets: "a=tcp://10.0.0.1:1 peer=192.0.2.9", scenario: scenario{refuses: "a", way: "a"},
			change: func(p *Plan) { p.Limits.Via.Interface = "tun0" }, want: "CRITICAL tunnel-down"},
		{name: "too few", targets: four, scenario: scenario{silent: "a"}, change: func(p *Plan) { p.Limits.MinFar = 2 }, want: "CRITICAL too-few", says: "1 of 2 hosts answers, 2 must"},

		{name: "too few, and they answer by another way", targets: four + " peer2=192.0.2.10", scenario: scenario{silent: "a peer2", way: "b"},
			change: func(p *Plan) { p.Limits.MinFar, p.Limits.MinPeer, p.Limits.Via.Interface = 2, 2, "tun0" },
			want:   "CRITICAL too-few, CRITICAL bypassed, WARNING unprotected", says: "2 must, and traffic leaves outside the tunnel"},
		{name: "too few, and replication fails: no wonder", targets: four + " r=tcp://10.0.0.1:80", scenario: scenario{silent: "a", refuses: "r"},
			change: func(p *Plan) { p.Limits.MinFar = 2 }, want: "CRITICAL too-few"},
		{name: "one silent", targets: four, scenario: scenario{silent: "a"}, want: "WARNING partial", says: "1 of 2 hosts is silent: a"},
		{name: "one silent, allowed", targets: four, scenario: scenario{silent: "a"}, change: func(p *Plan) { p.Limits.Partial = nagios.OK }, want: "OK partial"},
		{name: "one silent, and replication fails", targets: four + " r=tcp://10.0.0.1:80", scenario: scenario{silent: "a r"},
			want: "WARNING partial, WARNING service-down", says: "1 of 2 hosts is silent: a, and 1 of 1 replication targets fails"},
		{name: "one silent, allowed, and replication fails", targets: four + " r=tcp://10.0.0.1:80", scenario: scenario{silent: "a r"},
			change: func(p *Plan) { p.Limits.Partial = nagios.OK }, want: "WARNING service-down, OK partial"},
		{name: "two roles fail", targets: four + " r=tcp://10.0.0.1:80 u=tcp://10.0.0.1:81", scenario: scenario{silent: "r u"}, want: "WARNING service-down, WARNING service-down"},

		{name: "slow", targets: four, scenario: scenario{trip: 150 * time.Millisecond}, want: "WARNING degraded", says: "rta 150 ms (limit 100 ms)"},
		{name: "very slow", targets: four, scenario: scenario{trip: 800 * time.Millisecond}, want: "CRITICAL degraded", says: "rta 800 ms (limit 500 ms)"},
		{name: "very slow, and allowed", targets: four, scenario: scenario{trip: 800 * time.Millisecond},
			change: func(p *Plan) {
				p.Limits.Warning, p.Limits.Critical = pairOf(t, "0:2000,20%"), pairOf(t, "0:5000,60%")
			}, want: "OK up"},
		{name: "slow, and one silent", targets: four, scenario: scenario{silent: "a", trip: 150 * time.Millisecond}, want: "WARNING degraded, WARNING partial"},

		{name: "bypassed", targets: four, scenario: scenario{way: "a b"}, change: func(p *Plan) { p.Limits.Via.Interface = "tun0" },
			want: "CRITICAL bypassed", says: "traffic leaves outside the tunnel, by eth0 and not via tun0"},
		{name: "replication bypasses", targets: four + " r=tcp://10.0.0.1:80", scenario: scenario{way: "r"},
			change: func(p *Plan) { p.Limits.Via.Interface = "tun0" }, want: "CRITICAL bypassed", says: "2 of 2 hosts answer, but traffic to replication r leaves outside"},
		{name: "one host and replication bypass", targets: four + " r=tcp://10.0.0.1:80", scenario: scenario{way: "b r"},
			change: func(p *Plan) { p.Limits.Via.Interface = "tun0" }, want: "CRITICAL bypassed", says: "2 of 2 hosts answer, but traffic to 1 of them leaves outside"},
		{name: "the public way may", targets: four + " u=tcp://198.51.100.1:80", scenario: scenario{way: "u near peer"},
			change: func(p *Plan) { p.Limits.Via.Interface = "tun0" }, want: "OK up"},
		{name: "bypassed and dead", targets: four, scenario: scenario{silent: "a b", way: "a b"},
			change: func(p *Plan) { p.Limits.Via.Interface = "tun0" }, want: "CRITICAL tunnel-down"},

		{name: "one peer of two", targets: four + " peer2=192.0.2.10", scenario: scenario{silent: "peer2"},
			change: func(p *Plan) { p.Limits.MinPeer = 2 }, want: "WARNING unprotected", says: "1 of 2 peers answers, 2 must"},
		{name: "one peer of two is enough", targets: four + " peer2=192.0.2.10", scenario: scenario{silent: "peer2"},
			change: func(p *Plan) { p.Limits.MinPeer = 1 }, want: "OK up"},

		{name: "the only peer has no name", targets: "a=10.0.0.1 peer=p.example", scenario: scenario{unnamed: "peer"},
			change: func(p *Plan) { p.Limits.MinPeer = 1 }, want: "WARNING unprotected"},
		{name: "one peer of two could not be asked", targets: four + " peer2=192.0.2.10", scenario: scenario{cannot: "peer2"},
			change: func(p *Plan) { p.Limits.MinPeer = 2 }, want: "UNKNOWN misuse"},

		{name: "no permission", targets: "a=10.0.0.1", scenario: scenario{cannot: "a"}, want: "UNKNOWN misuse", says: "no permission to send ICMP"},
		{name: "no permission for replication", targets: "a=tcp://10.0.0.1:1 r=10.0.0.2", scenario: scenario{cannot: "r"}, want: "UNKNOWN misuse", says: "not all checked: 1 target was not asked, no permission to send ICMP"},
		{name: "no permission for a gateway", targets: "a=tcp://10.0.0.1:1 near=10.1.1.1", scenario: scenario{cannot: "near"}, want: "UNKNOWN misuse"},
		{name: "no permission, and an outage", targets: "a=tcp://10.0.0.1:1 near=10.1.1.1", scenario: scenario{silent: "a", cannot: "near"}, want: "CRITICAL down, UNKNOWN misuse"},
		{name: "one could not be asked, and might answer", targets: four, scenario: scenario{silent: "a", cannot: "b"}, want: "UNKNOWN misuse"},
		{name: "one could not be asked, and would not be enough", targets: four, scenario: scenario{silent: "a", cannot: "b"},
			change: func(p *Plan) { p.Limits.MinFar = 2 }, want: "CRITICAL tunnel-down, UNKNOWN misuse"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := testPlan(t, strings.Fields(test.targets)...)
			if test.change != nil {
				test.change(p)
			}
			v := Imagine(p, test.world(p))
			if got := causesOf(v); got != test.want {
				t.Errorf("got %s, want %s\n%s", got, test.want, v.Headline(1000))
			}
			if !strings.Contains(v.Headline(1000), test.says) {
				t.Errorf("says %q, want %q", v.Headline(1000), test.says)
			}
		})
	}
}

// TestGatewayStates has gateways that are silent: only those that the verdict blames
// are CRITICAL.
func TestGatewayStates(t *testing.T) {
	for _, test := range []struct {
		targets string
		scenario
		want string // the verdict, and the states of the gateways
	}{
		{targets: four, scenario: scenario{silent: "a b near peer"}, want: "near-down CRITICAL UNKNOWN"},
		{targets: four + " near2=10.1.1.2", scenario: scenario{silent: "a b near peer near2"}, want: "near-down CRITICAL UNKNOWN CRITICAL"},
		{targets: four + " near2=n.example", scenario: scenario{silent: "a b near peer", unnamed: "near2"}, want: "near-down CRITICAL UNKNOWN UNKNOWN"},
		{targets: four + " peer2=192.0.2.10", scenario: scenario{silent: "a b peer peer2"}, want: "peer-down OK CRITICAL CRITICAL"},
		{targets: four + " peer2=192.0.2.10", scenario: scenario{silent: "a b peer2"}, want: "tunnel-down OK OK UNKNOWN"},
		{targets: four, scenario: scenario{silent: "a b near"}, want: "tunnel-down UNKNOWN OK"},
		{targets: four, scenario: scenario{silent: "a near peer"}, want: "partial UNKNOWN UNKNOWN"},
		{targets: four, scenario: scenario{silent: "near peer"}, want: "up UNKNOWN UNKNOWN"},
	} {
		p := testPlan(t, strings.Fields(test.targets)...)
		v := Imagine(p, test.world(p))
		got := string(v.Lead().Cause)
		for _, f := range v.Findings {
			if f.Target.Role.IsGateway() {
				got += " " + f.State.String()
			}
		}
		if got != test.want {
			t.Errorf("%s, silent %s: got %s, want %s", test.targets, test.silent, got, test.want)
		}
	}
}

// TestFirstPacketFails has a queue that is full for a moment: that is no fault of
// the target's, and none of ours if the others leave.
func TestFirstPacketFails(t *testing.T) {
	p := testPlan(t, "a=10.0.0.1")
	w, first := scenario{}.world(p), true
	w.Local = func(l Look) *Fault {
		if l.Kind == FirstLook && first {
			first = false
			return &Fault{Code: QueueFull, Words: "send queue full", Own: true}
		}
		return nil
	}
	if v := Imagine(p, w); causesOf(v) != "OK up" {
		t.Errorf("got %s: %s", causesOf(v), v.Headline(1000))
	}
}

// TestConnectionToASilentHost is not tested, the result was known before longer than the host is.
func TestConnectionToASilentHost(t *testing.T) {
	p := testPlan(t, "a=10.0.0.1", "b=10.0.0.2", "r=tcp://10.0.0.1:80")
	j, last := NewJudge(p), time.Duration(0)
	v := imagine(j, p, scenario{silent: "a r"}.world(p), func(e Event) { last = max(last, e.At) })
	if causesOf(v) != "WARNING partial, WARNING service-down" || last > 3*time.Second {
		t.Errorf("got %s after %v", causesOf(v), last)
	}
}

// TestOneOfSeveralAddresses has a name whose first address cannot be asked: the
// target is judged by the other.
func TestOneOfSeveralAddresses(t *testing.T) {
	own := &Fault{Code: OwnAddress, Words: "10.0.0.7 is an address of this host itself", Own: true}
	addrs := []netip.Addr{netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("10.0.0.8")}
	j := NewJudge(testPlan(t, "a=a.example"))
	j.Add(Event{Kind: Resolved, Target: 0, Addrs: addrs})
	j.Step(1)
	for n := range 5 {
		j.Add(Event{Kind: LocalError, At: 2, Look: FirstLook, Addr: addrs[0], Seq: n, Fault: own})
	}
	if _, decided := j.Step(2); decided || j.fates[0] != NotKnown || j.chosen[0].addr != addrs[1] {
		t.Fatalf("judged by what could not be asked: fate %d", j.fates[0])
	}
	for n := range 5 {
		j.Add(Event{Kind: LocalError, At: 3, Look: FirstLook, Addr: addrs[1], Seq: n, Fault: own})
	}
	if j.Step(3); j.fates[0] != NotAsked {
		t.Errorf("fate %d if none could be asked", j.fates[0])
	}
}

// TestSeveralAddressesAreMeasured has one packet of a name with two addresses
// answered: that shows life, and says nothing of loss yet.
func TestSeveralAddressesAreMeasured(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("10.0.0.8")}
	j := NewJudge(testPlan(t, "a=a.example"))
	j.Add(Event{Kind: Resolved, Target: 0, Addrs: addrs})
	j.Step(1)
	for n := range 5 {
		at := time.Duration(n)*15*ms + 2
		j.Add(Event{Kind: Sent, At: at, Look: FirstLook, Addr: addrs[1], Seq: n})
		j.Add(Event{Kind: Answered, At: at + ms, Took: ms, Look: FirstLook, Addr: addrs[1], Seq: n})
		if _, decided := j.Step(at + ms); decided && n < 4 {
			t.Fatalf("decided after %d of 5 packets", n+1)
		}
	}
	// The interface of the far target's route may still be counted, so it is the
	// causes that count.
	if got := causesOf(j.Verdict()); got != "OK up" || j.Verdict().Figures.RTA != ms {
		t.Errorf("got %s, rta %s", got, j.Verdict().Figures.RTA)
	}
}

// TestLastLooksTakeTurns sees to it that what is asked at the beginning and again
// at the end is not asked twice at once: the answer of one would end the other,
// and the check would wait for that until -t.
func TestLastLooksTakeTurns(t *testing.T) {
	p := testPlan(t, "db=tcp://10.2.0.1:5432")
	p.Limits.Via.Interface = "tun0"
	j := NewJudge(p)
	addr := p.Targets[0].Endpoint.Addr
	turn := func(first int) {
		t.Helper()
		wants, _ := j.Step(0)
		n := 0
		for _, l := range wants.Looks {
			if l.Kind == AskRoute || l.Kind == Count {
				n++
				if l.First != first {
					t.Errorf("%s is number %d, want %d", l.Kind, l.First, first)
				}
			}
		}
		if n < 2 {
			t.Errorf("%d looks ask for routes and counters", n)
		}
	}
	turn(0)
	j.Add(Event{Kind: Sent, Look: Connect, Addr: addr})
	j.Add(Event{Kind: Answered, Look: Connect, Addr: addr, Took: time.Millisecond})
	turn(0)
	for i := range 2 {
		j.Add(Event{Kind: Routed, Look: AskRoute, Addr: addr, Route: &Route{Interface: "tun0"}})
		j.Add(Event{Kind: Counted, Target: -1, Look: Count, Count: &Counters{Interface: "tun0"}})
		if i == 0 {
			turn(1)
		}
	}
	if _, decided := j.Step(0); !decided {
		t.Error("not decided when all has been asked twice")
	}
}

// TestAttemptsEndBeforeTheCheck gives time for what an attempt came to.
func TestAttemptsEndBeforeTheCheck(t *testing.T) {
	p := testPlan(t, "web=http://10.2.0.1/")
	wants, _ := NewJudge(p).Step(0)
	for _, l := range wants.Looks {
		if l.Kind == Connect && l.Limit > p.End-20*time.Millisecond {
			t.Errorf("an attempt of %v in a check of %v", l.Limit, p.End)
		}
	}
}

// TestGatewaysAreMeasured has gateways that answer later than the far targets:
// their figures are of all packets all the same.
func TestGatewaysAreMeasured(t *testing.T) {
	p := testPlan(t, strings.Fields(four)...)
	w := World{Trip: ms, Echo: func(l Look, _ time.Duration, _ int) (time.Duration, bool) {
		if p.Targets[l.Target].Role.IsGateway() {
			return 40 * ms, true
		}
		return ms, true
	}}
	v := Imagine(p, w)
	for _, f := range v.Findings {
		if f.Received != 5 {
			t.Errorf("%s: %d of %d packets", f.Target.Name, f.Received, f.Sent)
		}
	}
}

// TestAnotherAddressMayAnswer has one address of a name say no at once, and the
// other answer later, or not at all.
func TestAnotherAddressMayAnswer(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("10.0.0.8")}
	p := testPlan(t, "a=a.example")
	j := NewJudge(p)
	j.Add(Event{Kind: Resolved, Addrs: addrs})
	j.Step(1)
	for n := range 5 {
		for _, a := range addrs {
			j.Add(Event{Kind: Sent, At: 2, Look: FirstLook, Addr: a, Seq: n})
		}
	}
	j.Add(Event{Kind: ICMPError, At: 300 * ms, Look: Silence, Addr: addrs[0], Seq: 5,
		ICMP: &ICMPMessage{From: addrs[0], Type: unreachable4, Code: 13}})
	if _, decided := j.Step(400 * ms); decided || j.fates[0] != NotKnown {
		t.Errorf("fate %d, decided %t, though the other may answer", j.fates[0], decided)
	}
	if j.Step(700 * ms); j.fates[0] != SaysNo {
		t.Errorf("fate %d, though the other has not answered", j.fates[0])
	}

	p = testPlan(t, "a=tcp://a.example:1")
	j = NewJudge(p)
	j.Add(Event{Kind: Resolved, Addrs: addrs})
	j.Step(1)
	for _, a := range addrs {
		j.Add(Event{Kind: Sent, At: 2, Look: Connect, Addr: a})
	}
	for n := range 2 {
		j.Add(Event{Kind: Refused, At: 3, Took: 1, Look: Connect, Addr: addrs[0], Seq: n, Fault: &Fault{Code: Reset, Words: "connection refused"}})
	}
	if _, decided := j.Step(p.End); !decided || j.fates[0] != SaysNo {
		t.Errorf("fate %d, decided %t, though one address refuses", j.fates[0], decided)
	}
}

// TestAttemptsHaveTheWait gives each attempt as long as an echo request has, however
// many wait for their turn: who answers within that is not silent.
func TestAttemptsHaveTheWait(t *testing.T) {
	var targets []string
	for i := range 60 {
		targets = append(targets, fmt.Sprintf("tcp://10.2.0.%d:22", i+1))
	}
	p := testPlan(t, targets...)
	p.Descriptors = 2
	v := Imagine(p, World{Connect: func(Look) Event { return Event{Kind: Answered, Took: 150 * time.Millisecond} }})
	if v.State() != nagios.OK {
		t.Errorf("%s: %s", v.State(), v.Headline(1000))
	}
	v = Imagine(p, World{Connect: func(l Look) Event {
		if l.Limit < 500*time.Millisecond {
			return Event{}
		}
		return Event{Kind: Answered, Took: 500 * time.Millisecond}
	}})
	if v.FarUp == 0 || v.Has(Partial) || v.Down() {
		t.Errorf("no time for all, and all that were asked answer: %s: %s", v.State(), v.Headline(1000))
	}
}

// TestLateAnswersAreMeasured has all answers come when their hosts count as silent
// already, and something else is still waited for: they show life, and loss.
func TestLateAnswersAreMeasured(t *testing.T) {
	for _, trip := range []time.Duration{1500 * ms, 2 * time.Second, 3 * time.Second, 5 * time.Second} {
		for _, far := range []string{"a=10.0.0.1", "a=10.0.0.1 b=10.0.0.2", "a=10.0.0.1 b=10.0.0.2 c=10.0.0.3 d=10.0.0.4"} {
			p := testPlan(t, strings.Fields(far+" peer=192.0.2.9 u=tcp://198.51.100.1:80")...)
			v := Imagine(p, World{Trip: trip})
			if v.State() != nagios.Critical {
				t.Errorf("%s, %v there and back: got %s, %s", far, trip, causesOf(v), v.Headline(1000))
			}
		}
	}
}

// TestNeverOKWithoutAnswersInTime tries worlds by lot, always the same ones: if no
// far target ever answers in time, that is never OK, and if all do at once, it is.
func TestNeverOKWithoutAnswersInTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	targets := strings.Fields("a=10.0.0.1 b=10.0.0.2 c=10.0.0.3 d=tcp://10.0.0.4:1 near=10.1.1.1 peer=192.0.2.9 r=tcp://10.0.0.1:80 u=tcp://198.51.100.1:80")
	for n := range 3000 {
		p := testPlan(t, targets[rng.IntN(4):]...)
		p.Descriptors = 1 + rng.IntN(40)
		trips, inTime, quick := map[string]time.Duration{}, 0, true
		for _, target := range p.Targets {
			trip := time.Duration(rng.Int64N(int64(4 * time.Second)))
			switch rng.IntN(3) {
			case 0:
				trip = time.Hour // it does not answer
			case 1:
				trip = 20 * ms
			}
			if target.Role == Far && n%3 == 0 && trip < p.Wait() {
				trip += p.Wait()
			}
			if n%3 == 1 {
				trip = 20 * ms
			}
			trips[target.Name] = trip
			quick = quick && trip == 20*ms
			if pinged := target.Endpoint.Scheme == ICMP; target.Role == Far && (trip < p.Wait() || !pinged && trip < p.End) {
				inTime++
			}
		}
		v := Imagine(p, World{
			Echo: func(l Look, _ time.Duration, _ int) (time.Duration, bool) {
				trip := trips[p.Targets[l.Target].Name]
				return trip, trip < time.Hour
			},
			Connect: func(l Look) Event {
				if trip := trips[p.Targets[l.Target].Name]; trip < l.Limit {
					return Event{Kind: Answered, Took: trip}
				}
				return Event{}
			},
		})
		switch {
		case inTime == 0 && v.State() == nagios.OK:
			t.Errorf("%v: got %s, %s", trips, causesOf(v), v.Headline(1000))
		case quick && v.State() != nagios.OK:
			t.Errorf("all is well, and it says %s, %s", causesOf(v), v.Headline(1000))
		}
	}
}

// TestNoTimeToMeasure has a host answer nothing of its first look, and then too
// late to measure what it loses: that is not OK.
func TestNoTimeToMeasure(t *testing.T) {
	p := testPlan(t, "a=10.0.0.1")
	p.Packets, p.End = 3, 850*ms
	v := Imagine(p, World{Trip: 20 * ms, Echo: func(l Look, at time.Duration, _ int) (time.Duration, bool) {
		return 20 * ms, l.Kind != FirstLook
	}})
	if got := causesOf(v); got != "UNKNOWN failed" {
		t.Errorf("got %s, %s", got, v.Headline(1000))
	}
}
