package vpn

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
)

// big adds what became of packets of 1500 bytes.
func big(r probe.Result, m probe.MTU) probe.Result {
	m.Asked = 1500
	r.MTU = &m
	return r
}

var (
	passes    = probe.MTU{Outcome: probe.Answered}
	vanish    = probe.MTU{Outcome: probe.Silent, Largest: 1380, Exact: true}
	vanishLow = probe.MTU{Outcome: probe.Silent, Largest: 1300}
	unknown   = probe.MTU{Outcome: probe.Silent}
	said      = probe.MTU{Outcome: probe.Silent, Largest: 1420, Exact: true, Told: told("10.3.0.1")}
	saidSix   = probe.MTU{Outcome: probe.Silent, Largest: 65534, Exact: true, Told: told("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")}
	saidSelf  = probe.MTU{Outcome: probe.Silent, Told: &probe.ToldError{What: "too big", By: probe.Itself}}
	unsent    = probe.MTU{Outcome: probe.Silent, Err: errors.New("interface gone")}
	undecided = probe.MTU{}
)

func told(from string) *probe.ToldError {
	return &probe.ToldError{What: "too big", From: netip.MustParseAddr(from)}
}

func TestJudgeMTU(t *testing.T) {
	const tcp = "tcp://10.3.11.31:3306"
	tests := []struct {
		name     string
		evidence []Observation
		cause    Cause
		state    nagios.State
		states   string // of the targets
		headline string
	}{
		{"big packets pass", watch(t, "far a=10.0.0.1", big(fine, passes)),
			Up, nagios.OK, "OK", "up: the only machine asked answers"},
		{"they vanish", watch(t, "far a=10.0.0.1", big(fine, vanish)),
			BlackHole, nagios.Critical, "CRITICAL", "up, but packets over 1380 bytes vanish: bulk traffic hangs"},
		{"they vanish, and the size is not quite known", watch(t, "far a=10.0.0.1", big(fine, vanishLow)),
			BlackHole, nagios.Critical, "CRITICAL", "up, but packets of 1500 bytes vanish, 1300 pass: bulk traffic hangs"},
		{"they vanish, and the size is not known", watch(t, "far a=10.0.0.1", big(fine, unknown)),
			BlackHole, nagios.Critical, "CRITICAL", "up, but packets of 1500 bytes vanish: bulk traffic hangs"},
		{"somebody says that they are too big", watch(t, "far a=10.0.0.1", big(fine, said)),
			BlackHole, nagios.Critical, "CRITICAL", "up, but packets over 1420 bytes are too big, says 10.3.0.1"},
		{"this machine says so", watch(t, "far a=10.0.0.1", big(fine, saidSelf)),
			BlackHole, nagios.Critical, "CRITICAL", "up, but packets of 1500 bytes are too big, says this machine"},
		{"they cannot be sent", watch(t, "far a=10.0.0.1", big(fine, unsent)),
			BlackHole, nagios.Critical, "CRITICAL", "up, but packets of 1500 bytes cannot be sent: interface gone"},
		{"none of three passes, and most is known of the last", watch(t, "far a=10.0.0.1", big(fine, unknown), "far b=10.0.0.2", big(fine, vanishLow), "far c=10.0.0.3", big(fine, vanish)),
			BlackHole, nagios.Critical, "CRITICAL CRITICAL CRITICAL", "up, but packets over 1380 bytes vanish"},
		{"one of three passes", watch(t, "far a=10.0.0.1", big(fine, vanish), "far b=10.0.0.2", big(fine, passes), "far c=10.0.0.3", big(fine, unknown)),
			Partial, nagios.Warning, "WARNING OK WARNING", "up, but packets of 1500 bytes do not pass to 2 of 3 machines: a, c"},
		{"the only other one is not decided", watch(t, "far a=10.0.0.1", big(fine, vanish), "far b=10.0.0.2", big(fine, undecided)),
			BlackHole, nagios.Critical, "CRITICAL OK", "up, but packets over 1380 bytes vanish"},
		{"not decided", watch(t, "far a=10.0.0.1", big(fine, undecided)),
			Up, nagios.OK, "OK", "up: the only machine"},
		{"a connection says nothing of packets", watch(t, "far a=10.0.0.1", big(fine, vanish), "far b="+tcp, ends(probe.Answered, nil)),
			BlackHole, nagios.Critical, "CRITICAL OK", "up, but packets over 1380 bytes vanish"},
		{"a silent machine says nothing of big packets", watch(t, "far a=10.0.0.1", big(fine, passes), "far b=10.0.0.2", big(silent, unknown)),
			Partial, nagios.Warning, "OK CRITICAL", "up, but 1 of 2 machines is silent: b"},
		{"one silent, one stuck", watch(t, "far a=10.0.0.1", big(fine, vanish), "far b=10.0.0.2", big(silent, undecided), "far c=10.0.0.3", big(fine, passes)),
			Partial, nagios.Warning, "WARNING CRITICAL OK", "up, but 1 of 3 machines is silent: b, packets of 1500 bytes do not pass to 1 of 3 machines: a"},
		{"stuck, and beyond a limit alone", watch(t, "far a=10.0.0.1", big(echoes(4, 1, 20*ms), vanish), "far b=10.0.0.2", big(echoes(15, 0, 20*ms), passes)),
			Partial, nagios.Warning, "WARNING OK", "up, but packets of 1500 bytes do not pass to 1 of 2 machines: a"},
		{"degraded besides", watch(t, "far a=10.0.0.1", big(echoes(2, 3, 20*ms), vanish)),
			BlackHole, nagios.Critical, "CRITICAL", "up, but packets over 1380 bytes vanish"},
		{"degraded, and one passes", watch(t, "far a=10.0.0.1", big(echoes(4, 1, 20*ms), vanish), "far b=10.0.0.2", big(echoes(4, 1, 20*ms), passes)),
			Degraded, nagios.Warning, "WARNING WARNING", "degraded: "},
		{"bypassed besides", watch(t, "far a=10.0.0.1", routed(big(fine, vanish), "eth0")),
			Bypassed, nagios.Critical, "CRITICAL", "bypassed: "},
		{"all silent", watch(t, "far a=10.0.0.1", big(silent, undecided)),
			Down, nagios.Critical, "CRITICAL", "down: "},
		{"a service fails besides", watch(t, "far a=10.0.0.1", big(fine, vanish), "service m="+tcp, refuses),
			BlackHole, nagios.Critical, "CRITICAL CRITICAL", "up, but packets over 1380 bytes vanish"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := limits(t, "100,20%", "500,60%", 1)
			l.Via.Interface = "tun0"
			v := Judge(l, test.evidence)
			var states []string
			for _, f := range v.Findings {
				states = append(states, f.State.String())
			}
			if got := strings.Join(states, " "); v.Cause != test.cause || v.State != test.state || got != test.states {
				t.Errorf("got %s, %s, %s; want %s, %s, %s", v.Cause, v.State, got, test.cause, test.state, test.states)
			}
			if got := v.Headline(); !strings.HasPrefix(got, test.headline) || v.Cause == Partial && got != test.headline {
				t.Errorf("got headline %q, want it to begin %q", got, test.headline)
			}
			if v.Cause == BlackHole && (v.Down() || len(v.Advice()) < 3) {
				t.Errorf("down %t, advice %q", v.Down(), v.Advice())
			}
		})
	}
}

func TestMTUHeadline(t *testing.T) {
	const before = len("CRITICAL: ") + 32 + len(" licensing VPN ")
	for _, m := range []probe.MTU{vanish, vanishLow, said, saidSix, saidSelf, unsent} {
		v := Judge(limits(t, "100,20%", "500,60%", 1), watch(t, "far a=10.0.0.1", big(fine, m)))
		if text := v.Headline(); before+len(text) > 160 {
			t.Errorf("%d characters are too many: %s", len(text), text)
		} else if adapts := m.Told != nil || m.Err != nil; strings.Contains(text, "hangs") == adapts {
			t.Errorf("%s", text)
		}
	}
}

func TestMTUAdvice(t *testing.T) {
	for _, test := range []struct {
		mtu  probe.MTU
		want string
	}{
		{vanish, "set the MTU of the tunnel to 1380 bytes at both ends"},
		{unknown, "set the MTU of the tunnel to what passes at both ends"},
		{said, "correct --mtu"},
	} {
		v := Judge(limits(t, "100,20%", "500,60%", 1), watch(t, "far a=10.0.0.1", big(fine, test.mtu)))
		if text := strings.Join(v.Advice(), "\n"); !strings.Contains(text, test.want) {
			t.Errorf("got %q, want %q in it", text, test.want)
		}
	}
}

func TestMTULine(t *testing.T) {
	const figures = "5 of 5 packets answered, loss 0%, rta 20.0 ms, "
	for _, test := range []struct {
		mtu  probe.MTU
		want string
	}{
		{passes, "packets of 1500 bytes pass"},
		{vanish, "packets over 1380 bytes vanish"},
		{unknown, "packets of 1500 bytes vanish"},
		{said, "packets over 1420 bytes are too big, says 10.3.0.1"},
		{undecided, "packets of 1500 bytes not waited for"},
	} {
		v := Judge(limits(t, "100,20%", "500,60%", 1), watch(t, "far a=10.3.11.6", big(fine, test.mtu)))
		if got := v.Findings[0].Line(true); !strings.HasSuffix(got, "far a 10.3.11.6: "+figures+test.want) {
			t.Errorf("got %q, want %q at its end", got, test.want)
		}
	}
	v := Judge(limits(t, "100,20%", "500,60%", 1), watch(t, "far a=10.3.11.6", big(silent, undecided)))
	if got := v.Findings[0].Line(true); strings.Contains(got, "1500") {
		t.Errorf("a silent machine, and big packets: %q", got)
	}
}

func TestSettledMTU(t *testing.T) {
	searching := vanish
	searching.Searching = true
	for _, test := range []struct {
		name     string
		evidence []Observation
		want     bool
	}{
		{"decided", watch(t, "far a=10.0.0.1", big(fine, vanish)), true},
		{"not decided", watch(t, "far a=10.0.0.1", big(fine, undecided)), false},
		{"the size is still looked for", watch(t, "far a=10.0.0.1", big(fine, searching)), false},
		{"of a silent target it cannot be decided", watch(t, "far a=10.0.0.1", big(silent, undecided)), true},
		{"not decided, and another is stuck", watch(t, "far a=10.0.0.1", big(fine, undecided), "far b=10.0.0.2", big(fine, vanish)), false},
		{"not decided, and traffic leaves by another way anyhow", watch(t, "far a=10.0.0.1", routed(big(fine, undecided), "eth0")), true},
	} {
		l := limits(t, "100,20%", "500,60%", 1)
		l.Via.Interface = "tun0"
		if got := Settled(l, test.evidence, 600*ms); got != test.want {
			t.Errorf("%s: got %t, want %t", test.name, got, test.want)
		}
	}
}
