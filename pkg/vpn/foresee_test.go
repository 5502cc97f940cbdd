package vpn

import (
	"net/netip"
	"slices"
	"testing"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
)

// TestForesee wants each cause from the targets and limits that lead to it,
// and none that cannot be found.
func TestForesee(t *testing.T) {
	target := func(r Role, text string) Target {
		target, err := ParseTarget(r, text)
		if err != nil {
			t.Fatal(err)
		}
		return target
	}
	pair := func(text string) nagios.Pair {
		pair, err := nagios.ParsePair(text)
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	limits := Limits{Warning: pair("100,20%"), Critical: pair("500,60%"), MinFar: 1}
	a, b := target(Far, "a/g=192.0.2.1"), target(Far, "b/g=192.0.2.2")
	name, db := target(Far, "n=n.example"), target(Far, "db=tcp://192.0.2.3:22")
	near, peer, public := target(Near, "near=192.0.2.8"), target(Peer, "peer=192.0.2.9"), target(Public, "p=http://p.example/")
	via := limits
	via.Via = probe.Via{Source: netip.MustParseAddr("192.0.2.7")}
	always := limits
	always.Warning = pair("0,20%")
	both := limits
	both.MinFar = 2
	tests := []struct {
		what    string
		limits  Limits
		targets []Target
		mtu     int
		want    []Cause
	}{
		{"one machine", limits, []Target{a}, 0, []Cause{Up, Degraded, Degraded, Down, Misuse}},
		{"two", limits, []Target{a, b}, 0, []Cause{Up, Degraded, Degraded, Partial, Down, Misuse}},
		{"three, two in a group", limits, []Target{a, b, name}, 0, []Cause{Up, Degraded, Degraded, Partial, Partial, Down, Misuse}},
		{"both needed", both, []Target{a, b}, 0, []Cause{Up, Degraded, Degraded, Down, Misuse}},
		{"gateways", limits, []Target{a, near, peer}, 0, []Cause{Up, Degraded, Degraded, NearDown, PeerDown, TunnelDown, Misuse}},
		{"a name", limits, []Target{name}, 0, []Cause{Up, Degraded, Degraded, ResolverDown, Down, Misuse}},
		{"a connection", limits, []Target{db}, 0, []Cause{Up, RefusedBy, Down}},
		{"a public way", limits, []Target{a, public}, 0, []Cause{Up, Degraded, Degraded, ServiceDown, Down, Down, Misuse}},
		{"big packets", limits, []Target{a}, 1400, []Cause{Up, Degraded, Degraded, BlackHole, Down, Misuse}},
		{"a way", via, []Target{a}, 0, []Cause{Up, Degraded, Degraded, Bypassed, Down, Misuse}},
		{"never up", always, []Target{a}, 0, []Cause{Degraded, Degraded, Down, Misuse}},
	}
	for _, test := range tests {
		var got []Cause
		var seen []Verdict
		for _, v := range Foresee(test.limits, test.targets, 20, test.mtu) {
			// What only repeats another in its words is told once.
			if slices.ContainsFunc(seen, func(w Verdict) bool {
				p, _ := v.Role(Public)
				q, _ := w.Role(Public)
				return v.Headline() == w.Headline() && v.State == w.State && p == q
			}) {
				continue
			}
			seen, got = append(seen, v), append(got, v.Cause)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.what, got, test.want)
		}
	}
}
