package vpn

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
)

const ms = time.Millisecond

var anAddress = netip.MustParseAddr("10.3.11.6")

// echoes is a target of which so many packets were answered, after rtt each,
// and so many lost.
func echoes(answered, lost int, rtt time.Duration) probe.Result {
	r := probe.Result{Addr: anAddress, FirstLookOver: true}
	for range answered {
		r.Attempts = append(r.Attempts, probe.Attempt{Outcome: probe.Answered, Took: rtt})
	}
	for range lost {
		r.Attempts = append(r.Attempts, probe.Attempt{Outcome: probe.Silent})
	}
	return r
}

// ends is a target whose only attempt ended so.
func ends(o probe.Outcome, why error) probe.Result {
	return probe.Result{Addr: anAddress, FirstLookOver: true, Attempts: []probe.Attempt{{Outcome: o, Err: why, Took: ms}}}
}

func fails(why error) probe.Result { return probe.Result{Err: why, FirstLookOver: true} }

var (
	fine    = echoes(5, 0, 20*ms)
	silent  = echoes(0, 20, 0)
	refuses = ends(probe.Refused, errors.New("connection refused"))
	noName  = fails(&probe.ResolveError{Name: "a.example", What: "no such name"})
	noRight = fails(&probe.UnableError{What: "no permission to send ICMP", Remedy: "setcap"})
	noFiles = fails(&probe.UnableError{What: "cannot open a socket: too many open files"})
	halfway = probe.Result{Addr: anAddress, Attempts: []probe.Attempt{{}}}
)

// routed adds routes by these interfaces; none where the name is empty.
func routed(r probe.Result, names ...string) probe.Result {
	for _, name := range names {
		route := probe.Route{Interface: name}
		if name == "" {
			route.Err = errors.New("no route")
		}
		r.Routes = append(r.Routes, route)
	}
	return r
}

// says adds what somebody said about a target that answers nothing.
func says(r probe.Result, what string, by probe.Speaker) probe.Result {
	r.Told = &probe.ToldError{What: what, From: netip.MustParseAddr("10.3.0.1"), By: by}
	return r
}

var (
	alive  = says(silent, "port unreachable", probe.Target)
	barred = says(silent, "administratively prohibited", probe.Another)
)

// watch makes an observation of each pair of a target, as "far a/g=10.0.0.1",
// and a result.
func watch(t testing.TB, pairs ...any) (list []Observation) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		role, url, _ := strings.Cut(pairs[i].(string), " ")
		target, err := ParseTarget(Role(role), url)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, Observation{target, pairs[i+1].(probe.Result)})
	}
	return list
}

func limits(t testing.TB, warning, critical string, minFar int) Limits {
	t.Helper()
	w, err := nagios.ParsePair(warning)
	if err != nil {
		t.Fatal(err)
	}
	c, err := nagios.ParsePair(critical)
	if err != nil {
		t.Fatal(err)
	}
	return Limits{Warning: w, Critical: c, MinFar: minFar, Partial: nagios.Warning}
}

func TestJudge(t *testing.T) {
	const tcp = "tcp://10.3.11.31:3306"
	tests := []struct {
		name     string
		minFar   int
		evidence []Observation
		cause    Cause
		state    nagios.State
		headline string
	}{
		{"one far answers", 1, watch(t, "far a=10.0.0.1", fine),
			Up, nagios.OK, "up: the only machine asked answers, loss 0%, rta 20.0 ms"},
		{"all answer", 1, watch(t, "near n=10.0.0.9", fine, "far a=10.0.0.1", fine, "far b=10.0.0.2", fine),
			Up, nagios.OK, "up: 2 of 2 machines answer, loss 0%, rta 20.0 ms"},
		{"a connection has no packets to pool", 1, watch(t, "far a="+tcp, ends(probe.Answered, nil)),
			Up, nagios.OK, "up: the only machine asked answers"},

		{"no permission for a far target", 1, watch(t, "far a=10.0.0.1", noRight),
			Misuse, nagios.Unknown, "not checked: no permission to send ICMP: setcap"},
		{"no permission wins over everything", 1, watch(t, "far a=10.0.0.1", noRight, "far b="+tcp, refuses, "near n="+tcp, silent),
			Misuse, nagios.Unknown, "not checked: no permission"},
		{"no permission for a gateway alone", 1, watch(t, "near n=10.0.0.1", noRight, "far b="+tcp, ends(probe.Answered, nil)),
			Up, nagios.OK, "up: "},
		{"no file descriptors", 1, watch(t, "far a=10.0.0.1", noFiles),
			Failed, nagios.Unknown, "not checked: cannot open a socket"},
		{"first look not over", 1, watch(t, "far a=10.0.0.1", fine, "far b=10.0.0.2", halfway),
			Failed, nagios.Unknown, "not checked: ended before the first look was over, 1 of 2 machines answers so far"},

		{"far refuses", 1, watch(t, "near n=10.0.0.9", silent, "far a="+tcp, refuses, "far b=10.0.0.2", silent),
			RefusedBy, nagios.Critical, "down: 0 of 2 machines answer, 1 refuses: connection refused"},
		{"the only far refuses", 1, watch(t, "far a="+tcp, ends(probe.Refused, &probe.StatusError{Code: 403})),
			RefusedBy, nagios.Critical, "down: the only machine asked refuses: HTTP status 403"},
		{"far is alive without pings", 1, watch(t, "near n=10.0.0.9", silent, "far a=10.0.0.1", alive),
			RefusedBy, nagios.Critical, "down: the only machine asked is alive, but does not answer"},
		{"some of far are", 1, watch(t, "far a=10.0.0.1", alive, "far b=10.0.0.2", alive, "far c=10.0.0.3", barred),
			RefusedBy, nagios.Critical, "down: 0 of 3 machines answer, but 2 are alive"},
		{"one is alive, one refuses", 1, watch(t, "far a=10.0.0.1", alive, "far b="+tcp, refuses),
			RefusedBy, nagios.Critical, "down: 0 of 2 machines answer, 1 refuses: connection refused"},
		{"somebody on the way says why", 1, watch(t, "far a=10.0.0.1", barred),
			Down, nagios.Critical, "down: the only machine asked does not answer"},
		{"peer and near are alive without pings", 1, watch(t, "near n=10.0.0.9", alive, "peer p=10.0.0.8", alive, "far a=10.0.0.1", silent),
			TunnelDown, nagios.Critical, "down: the only machine asked does not answer, both gateways do"},
		{"near silent", 1, watch(t, "near n=10.0.0.9", silent, "peer p=10.0.0.8", silent, "far a=10.0.0.1", silent, "far b=10.0.0.2", silent),
			NearDown, nagios.Critical, "down on our side: near gateway silent, 0 of 2 machines answer"},
		{"one of two near gateways answers", 1, watch(t, "near n=10.0.0.9", silent, "near m=10.0.0.7", fine, "far a=10.0.0.1", silent),
			Down, nagios.Critical, "down: "},
		{"near refuses, so it lives", 1, watch(t, "near n="+tcp, refuses, "far a=10.0.0.1", silent),
			Down, nagios.Critical, "down: the only machine asked does not answer, add --peer"},
		{"no name resolves", 1, watch(t, "near n=10.0.0.9", fine, "peer p=10.0.0.8", silent, "far a=a.example", noName, "far b=b.example", noName),
			ResolverDown, nagios.Critical, "down: no far name has an address, no such name"},
		{"one name resolves", 1, watch(t, "far a=a.example", noName, "far b=10.0.0.1", silent),
			Down, nagios.Critical, "down: 0 of 2"},
		{"near without an address tells nothing", 1, watch(t, "near n=n.example", noName, "far a=a.example", noName),
			ResolverDown, nagios.Critical, "down: no far name"},
		{"peer silent", 1, watch(t, "near n=10.0.0.9", fine, "peer p=10.0.0.8", silent, "far a=10.0.0.1", silent, "far b=10.0.0.2", silent),
			PeerDown, nagios.Critical, "down at the far end: peer silent, 0 of 2 machines answer"},
		{"peer without permission tells nothing", 1, watch(t, "peer p=10.0.0.8", noRight, "far a="+tcp, silent),
			Down, nagios.Critical, "down: "},
		{"both ends alive", 1, watch(t, "near n=10.0.0.9", fine, "peer p=10.0.0.8", fine, "far a=10.0.0.1", silent, "far b=10.0.0.2", silent),
			TunnelDown, nagios.Critical, "down: 0 of 2 machines answer, both gateways do"},
		{"peer refuses, so it lives", 1, watch(t, "peer p="+tcp, refuses, "far a=10.0.0.1", silent),
			TunnelDown, nagios.Critical, "down: the only machine asked does not answer, the peer gateway does"},
		{"no peer asked", 1, watch(t, "far a=10.0.0.1", silent, "far b=10.0.0.2", silent),
			Down, nagios.Critical, "down: 0 of 2 machines answer, add --peer to learn more"},
		{"fewer than needed", 3, watch(t, "far a=10.0.0.1", fine, "far b=10.0.0.2", fine, "far c=10.0.0.3", silent),
			Down, nagios.Critical, "down: 2 of 3 machines answer of the 3 needed"},
		{"as many as needed", 2, watch(t, "far a=10.0.0.1", fine, "far b=10.0.0.2", fine, "far c=10.0.0.3", silent),
			Partial, nagios.Warning, "up, but 1 of 3 machines is silent: c"},

		{"traffic leaves outside the tunnel", 1, watch(t, "far a=10.0.0.1", routed(fine, "tun0"), "far b=10.0.0.2", routed(fine, "tun0", "eth0")),
			Bypassed, nagios.Critical, "bypassed: 2 of 2 machines answer, but traffic to 1 of them leaves outside the tunnel, by eth0 and not via tun0"},
		{"the route went away meanwhile", 1, watch(t, "far a=10.0.0.1", routed(fine, "tun0", "")),
			Bypassed, nagios.Critical, "bypassed: the only machine asked answers, but traffic leaves outside the tunnel, no route and not"},
		{"traffic leaves by the tunnel", 1, watch(t, "far a=10.0.0.1", routed(fine, "tun0", "tun0")),
			Up, nagios.OK, "up: "},
		{"a silent target off the way is down", 1, watch(t, "far a=10.0.0.1", routed(silent, "eth0")),
			Down, nagios.Critical, "down: "},

		{"loss just under the warning limit", 1, watch(t, "far a=10.0.0.1", echoes(81, 19, 20*ms)),
			Up, nagios.OK, "up: the only machine asked answers, loss 19%, rta 20.0 ms"},
		{"loss at the warning limit", 1, watch(t, "far a=10.0.0.1", echoes(4, 1, 20*ms)),
			Degraded, nagios.Warning, "degraded: loss 20% (limit 20%), rta 20.0 ms"},
		{"loss just under the critical limit", 1, watch(t, "far a=10.0.0.1", echoes(41, 59, 20*ms)),
			Degraded, nagios.Warning, "degraded: loss 59% (limit 20%), rta 20.0 ms"},
		{"loss at the critical limit", 1, watch(t, "far a=10.0.0.1", echoes(2, 3, 20*ms)),
			Degraded, nagios.Critical, "degraded: loss 60% (limit 60%), rta 20.0 ms"},
		{"time just under the warning limit", 1, watch(t, "far a=10.0.0.1", echoes(5, 0, 100*ms-1)),
			Up, nagios.OK, "up: "},
		{"time at the warning limit", 1, watch(t, "far a=10.0.0.1", echoes(5, 0, 100*ms)),
			Degraded, nagios.Warning, "degraded: loss 0%, rta 100 ms (limit 100 ms)"},
		{"time just under the critical limit", 1, watch(t, "far a=10.0.0.1", echoes(5, 0, 500*ms-1)),
			Degraded, nagios.Warning, "degraded: "},
		{"time at the critical limit", 1, watch(t, "far a=10.0.0.1", echoes(5, 0, 500*ms)),
			Degraded, nagios.Critical, "degraded: loss 0%, rta 500 ms (limit 500 ms)"},
		{"packets of all targets are pooled", 1, watch(t, "far a=10.0.0.1", echoes(5, 0, 20*ms), "far b=10.0.0.2", echoes(3, 2, 20*ms)),
			Degraded, nagios.Warning, "degraded: loss 20% (limit 20%)"},
		{"a silent target is not pooled", 1, watch(t, "far a=10.0.0.1", fine, "far b=10.0.0.2", silent),
			Partial, nagios.Warning, "up, but 1 of 2 machines is silent: b"},
		{"one target beyond a limit alone", 1, watch(t, "far a=10.0.0.1", echoes(15, 0, 20*ms), "far b=10.0.0.2", echoes(4, 1, 20*ms)),
			Partial, nagios.Warning, "up, but 1 is beyond the limits: b"},
		{"a near gateway beyond a limit does not count", 1, watch(t, "near n=10.0.0.9", echoes(1, 9, 900*ms), "far a=10.0.0.1", fine),
			Up, nagios.OK, "up: "},

		{"a group silent", 1, watch(t, "far a/x=10.0.0.1", fine, "far b/y=10.0.0.2", silent, "far c/y=10.0.0.3", silent),
			Partial, nagios.Warning, "up, but group y silent"},
		{"a group and a machine silent", 1, watch(t, "far a/x=10.0.0.1", fine, "far b/y=10.0.0.2", silent, "far c/y=10.0.0.3", silent, "far d/x=10.0.0.4", silent),
			Partial, nagios.Warning, "up, but group y silent, 1 of 4 machines is silent: d"},
		{"a group of one is a machine", 1, watch(t, "far a/x=10.0.0.1", fine, "far b/y=10.0.0.2", silent),
			Partial, nagios.Warning, "up, but 1 of 2 machines is silent: b"},
		{"near and peer silent while far is up", 1, watch(t, "near n=10.0.0.9", silent, "peer p=10.0.0.8", silent, "far a=10.0.0.1", fine),
			Up, nagios.OK, "up: "},

		{"a service fails", 1, watch(t, "far a=10.0.0.1", fine, "service m="+tcp, refuses, "service v="+tcp, ends(probe.Answered, nil)),
			ServiceDown, nagios.Warning, "up, but 1 of 2 service targets fails: m (connection refused)"},
		{"replication fails", 1, watch(t, "far a=10.0.0.1", fine, "replication m="+tcp, silent),
			ServiceDown, nagios.Warning, "up, but 1 of 1 replication targets fails: m"},
		{"a machine and a service fail", 1, watch(t, "far a=10.0.0.1", fine, "far b=10.0.0.2", silent, "service m="+tcp, refuses),
			Partial, nagios.Warning, "up, but 1 of 2 machines is silent: b, and 1 of 1 service targets fails: m"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := limits(t, "100,20%", "500,60%", test.minFar)
			l.Via.Interface = "tun0"
			v := Judge(l, test.evidence)
			if v.Cause != test.cause || v.State != test.state {
				t.Errorf("got %s, %s, want %s, %s", v.Cause, v.State, test.cause, test.state)
			}
			if got := v.Headline(); !strings.HasPrefix(got, test.headline) {
				t.Errorf("got headline %q, want it to begin %q", got, test.headline)
			}
			if down := test.state == nagios.Critical && test.cause != Degraded && test.cause != Bypassed; v.Down() != down {
				t.Errorf("got down %t, want %t", v.Down(), down)
			}
			if steps := v.Advice(); (len(steps) > 0) == (v.State == nagios.OK || v.State == nagios.Unknown) {
				t.Errorf("advice for %s: %q", v.Cause, steps)
			}
		})
	}
}

func TestStateOfPartial(t *testing.T) {
	const tcp = "tcp://10.3.11.31:3306"
	oneSilent := []string{"far a=10.0.0.1", "far b=10.0.0.2"}
	for _, test := range []struct {
		partial nagios.State
		fails   bool // a service behind the tunnel, too
		cause   Cause
		state   nagios.State
	}{
		{nagios.OK, false, Partial, nagios.OK},
		{nagios.Warning, false, Partial, nagios.Warning},
		{nagios.Critical, false, Partial, nagios.Critical},
		{nagios.OK, true, ServiceDown, nagios.Warning},
		{nagios.Warning, true, Partial, nagios.Warning},
	} {
		l := limits(t, "100,20%", "500,60%", 1)
		l.Partial = test.partial
		evidence := watch(t, oneSilent[0], fine, oneSilent[1], silent)
		if test.fails {
			evidence = append(evidence, watch(t, "replication m="+tcp, refuses)...)
		}
		if v := Judge(l, evidence); v.Cause != test.cause || v.State != test.state {
			t.Errorf("%s, fails %t: got %s, %s, want %s, %s", test.partial, test.fails, v.Cause, v.State, test.cause, test.state)
		}
	}
}

func TestFigures(t *testing.T) {
	v := Judge(limits(t, "100,20%", "500,60%", 1), watch(t,
		"far a=10.0.0.1", echoes(4, 0, 10*ms), "far b=10.0.0.2", echoes(4, 2, 40*ms), "far c=10.0.0.3", silent,
		"near n=10.0.0.9", echoes(1, 9, 1000*ms), "far d=tcp://10.0.0.4:22", ends(probe.Answered, nil)))
	if v.Loss != 20 || v.RTA != 25*ms || v.FarUp != 3 || v.FarTotal != 4 {
		t.Errorf("got loss %v, rta %v, %d of %d", v.Loss, v.RTA, v.FarUp, v.FarTotal)
	}
	dead := Judge(limits(t, "100,20%", "500,60%", 1), watch(t, "far a=10.0.0.1", silent))
	if dead.Loss != 100 || dead.RTA != 0 {
		t.Errorf("dead: got loss %v, rta %v", dead.Loss, dead.RTA)
	}
}

func TestPendingIsNotLost(t *testing.T) {
	r := echoes(4, 0, 20*ms)
	r.Attempts = append(r.Attempts, probe.Attempt{Outcome: probe.Pending})
	v := Judge(limits(t, "100,20%", "500,60%", 1), watch(t, "far a=10.0.0.1", r))
	if v.Cause != Up || v.Loss != 0 || v.Findings[0].Result.Sent() != 4 {
		t.Errorf("got %s with loss %v", v.Cause, v.Loss)
	}
}

func TestSettled(t *testing.T) {
	waiting := func(r probe.Result, n int) probe.Result {
		for range n {
			r.Attempts = append(r.Attempts, probe.Attempt{Outcome: probe.Pending})
		}
		return r
	}
	left := func(r probe.Result, n int) probe.Result {
		r.Left = n
		return r
	}
	tests := []struct {
		name     string
		evidence []Observation
		want     bool
	}{
		{"all known", watch(t, "far a=10.0.0.1", fine), true},
		{"a silent far target may still answer", watch(t, "far a=10.0.0.1", waiting(silent, 1)), false},
		{"a second look is due", watch(t, "far a=10.0.0.1", left(silent, 15)), false},
		{"an alarm that more packets could lift", watch(t, "far a=10.0.0.1", left(echoes(6, 2, 20*ms), 12)), false},
		{"an alarm that all that are left cannot lift", watch(t, "far a=10.0.0.1", left(echoes(5, 5, 20*ms), 10)), true},
		{"all is well without the packets that are left", watch(t, "far a=10.0.0.1", left(echoes(7, 1, 20*ms), 12)), true},
		{"one packet of ten cannot reach a limit", watch(t, "far a=10.0.0.1", waiting(echoes(9, 0, 20*ms), 1)), true},
		{"one packet of six can, if it answers late", watch(t, "far a=10.0.0.1", waiting(fine, 1)), false},
		{"two packets of ten can, if they are lost", watch(t, "far a=10.0.0.1", waiting(echoes(8, 0, 1*ms), 2)), false},
		{"the near gateway decides why it is down", watch(t, "near n=10.0.0.9", waiting(silent, 1), "far a=10.0.0.1", silent), false},
		{"the near gateway does not matter while far is up", watch(t, "near n=10.0.0.9", waiting(silent, 1), "far a=10.0.0.1", fine), true},
		{"what lies behind a dead tunnel does not matter", watch(t, "far a=10.0.0.1", silent, "service m=http://10.0.0.2/", halfway), true},
		{"it does behind a healthy one", watch(t, "far a=10.0.0.1", fine, "service m=http://10.0.0.2/", halfway), false},
		{"the first look at a gateway is not cut", watch(t, "near n=10.0.0.9", halfway, "far a=10.0.0.1", fine), false},
		{"a name may still resolve", watch(t, "far a=10.0.0.1", silent, "far b=b.example", probe.Result{}), false},
		{"the public way decides the impact", watch(t, "far a=10.0.0.1", silent, "public p=http://www.example/", waiting(ends(probe.Silent, nil), 1)), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Settled(limits(t, "100,20%", "500,60%", 1), test.evidence, 600*ms); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestAdviceOnForbidden(t *testing.T) {
	v := Judge(limits(t, "100,20%", "500,60%", 1), watch(t, "far a=https://a.example/", ends(probe.Refused, &probe.StatusError{Code: 403})))
	if text := strings.Join(v.Advice(), "\n"); !strings.Contains(text, "leaves by another way") {
		t.Errorf("nothing about another egress in %q", text)
	}
}

func TestLine(t *testing.T) {
	l := limits(t, "100,20%", "500,60%", 1)
	unreachable := ends(probe.Silent, syscall.EHOSTUNREACH)
	tests := []struct {
		evidence []Observation
		want     string
	}{
		{watch(t, "far a/g=10.3.11.6", fine), "[OK] far g/a 10.3.11.6: 5 of 5 packets answered, loss 0%, rta 20.0 ms"},
		{watch(t, "far 10.3.11.6", silent), "[CRITICAL] far 10.3.11.6: no answer to 20 packets"},
		{watch(t, "far a.example", fine), "[OK] far a.example (10.3.11.6): 5 of 5 packets answered, loss 0%, rta 20.0 ms"},
		{watch(t, "far a=10.3.11.6", unreachable), "[CRITICAL] far a 10.3.11.6: no answer to 1 packet, no route to host"},
		{watch(t, "far a=a.example", noName), "[CRITICAL] far a a.example: no such name (a.example)"},
		{watch(t, "far a=10.3.11.6", echoes(4, 1, 20*ms)), "[WARNING] far a 10.3.11.6: 4 of 5 packets answered, loss 20%, rta 20.0 ms"},
		{watch(t, "service m=tcp://10.3.11.6:80", ends(probe.Answered, nil)), "[OK] service m tcp://10.3.11.6:80: answered in 1.00 ms"},
		{watch(t, "near n=tcp://10.3.11.6:80", refuses), "[OK] near n tcp://10.3.11.6:80: alive, connection refused"},
		{watch(t, "near n=10.3.11.6", silent), "[UNKNOWN] near n 10.3.11.6: no answer to 20 packets"},
		{watch(t, "far a=10.3.11.6", barred), "[CRITICAL] far a 10.3.11.6: no answer to 20 packets, administratively prohibited, says 10.3.0.1"},
		{watch(t, "far a=10.3.11.6", alive), "[CRITICAL] far a 10.3.11.6: no answer to 20 packets, but alive: port unreachable, says the machine itself"},
		{watch(t, "near n=10.3.11.6", alive), "[OK] near n 10.3.11.6: no answer to 20 packets, but alive: port unreachable, says the machine itself"},
		{watch(t, "far a=tcp://10.3.11.6:80", alive), "[CRITICAL] far a tcp://10.3.11.6:80: no answer, but alive: port unreachable, says the machine itself"},
		{watch(t, "far a=10.3.11.6", halfway), "[UNKNOWN] far a 10.3.11.6: not waited for"},
	}
	for _, test := range tests {
		v := Judge(l, test.evidence)
		if got := v.Findings[0].Line(v.FarUp > 0); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
	v := Judge(l, watch(t, "near n=10.3.11.6", silent, "far a=10.3.11.7", fine))
	if line := v.Findings[0].Line(true); !strings.Contains(line, "it may filter") {
		t.Errorf("a silent gateway of a healthy tunnel is not explained: %s", line)
	}
}
