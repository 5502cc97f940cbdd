package probe

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"checkvpn/pkg/lab"
	"checkvpn/pkg/vpn"
)

// world is two sites with a tunnel, and two more on the internet.
type world struct {
	*lab.Internet
	near, far *lab.Site
	mute      *lab.Site // answers no pings
	barred    *lab.Site // the way there is prohibited
}

func newWorld(t *testing.T) *world {
	t.Helper()
	i, err := lab.NewInternet()
	check(t, err)
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	site := func(c lab.SiteConfig) *lab.Site {
		t.Helper()
		s, err := i.AddSite(c)
		check(t, err)
		return s
	}
	w := &world{Internet: i}
	w.near = site(lab.SiteConfig{
		Name:         "near",
		Public:       lab.Addrs("192.0.2.1", "2001:db8:1::1"),
		Networks:     []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24"), netip.MustParsePrefix("fd00:1::/64")},
		GatewayAddrs: lab.Addrs("10.1.0.1", "fd00:1::1"),
		HostAddrs:    lab.Addrs("10.1.0.20", "fd00:1::20"),
		HostPublic:   lab.Addrs("192.0.2.20", "2001:db8:1::20"),
	})
	w.far = site(lab.SiteConfig{
		Name:         "far",
		Public:       lab.Addrs("198.51.100.1", "2001:db8:2::1"),
		Networks:     []netip.Prefix{netip.MustParsePrefix("10.2.0.0/24"), netip.MustParsePrefix("fd00:2::/64")},
		GatewayAddrs: lab.Addrs("10.2.0.254", "fd00:2::254"),
		Machines: []lab.Machine{
			{Name: "fine", Addrs: lab.Addrs("10.2.0.1", "fd00:2::1")},
		},
	})
	w.mute = site(lab.SiteConfig{Name: "mute", Public: lab.Addrs("198.51.100.3", "2001:db8:3::1")})
	w.barred = site(lab.SiteConfig{Name: "barred", Public: lab.Addrs("198.51.100.4", "2001:db8:4::1")})
	_, err = lab.WireGuard.Raise(i, w.near, w.far)
	check(t, err)

	for _, to := range []string{"10.2.0.2", "fd00:2::2"} {
		route(t, w.far.Gateway, to, netlink.Route{Type: unix.RTN_PROHIBIT})
	}
	w.Set(w.near, w.barred, lab.Conditions{Prohibited: true})
	check(t, w.mute.Sysctl("net/ipv4/icmp_echo_ignore_all", "1"))
	check(t, w.mute.Sysctl("net/ipv6/icmp/echo_ignore_all", "1"))
	return w
}

// route adds one to a single address at a node.
func route(t *testing.T, n *lab.Node, to string, r netlink.Route) {
	t.Helper()
	a := netip.MustParseAddr(to)
	r.Dst = &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
	if err := n.Do(func() error { return netlink.RouteAdd(&r) }); err != nil {
		t.Fatalf("route to %s: %v", to, err)
	}
}

// breaks makes addresses that are unreachable in ways of their own.
func (w *world) breaks(t *testing.T) {
	t.Helper()
	for _, r := range []struct {
		at *lab.Node
		to string
		netlink.Route
	}{
		{w.near.Gateway, "10.2.0.10", netlink.Route{Type: unix.RTN_PROHIBIT}},
		{w.near.Gateway, "fd00:2::10", netlink.Route{Type: unix.RTN_PROHIBIT}},
		{w.far.Gateway, "10.2.0.11", netlink.Route{Type: unix.RTN_UNREACHABLE}},
		{w.far.Gateway, "fd00:2::11", netlink.Route{Type: unix.RTN_UNREACHABLE}},
		{w.near.Gateway, "10.9.0.12", netlink.Route{Type: unix.RTN_THROW}},
		{w.near.Gateway, "fd00:9::12", netlink.Route{Type: unix.RTN_THROW}},
		{w.near.Node, "10.2.0.13", netlink.Route{Gw: net.ParseIP("10.1.0.1"), Hoplimit: 1}},
		{w.near.Node, "fd00:2::13", netlink.Route{Gw: net.ParseIP("fd00:1::1"), Hoplimit: 1}},
		{w.near.Node, "10.2.0.14", netlink.Route{Type: unix.RTN_PROHIBIT}},
		{w.near.Node, "fd00:2::14", netlink.Route{Type: unix.RTN_PROHIBIT}},
	} {
		route(t, r.at, r.to, r.Route)
	}
	// Connections to this one are prohibited, everything else vanishes.
	check(t, w.far.Gateway.Do(func() error {
		rule := netlink.NewRule()
		rule.Family, rule.Type, rule.IPProto = unix.AF_INET6, unix.FR_ACT_PROHIBIT, unix.IPPROTO_TCP
		rule.Dst = &net.IPNet{IP: net.ParseIP("fd00:2::15"), Mask: net.CIDRMask(128, 128)}
		return netlink.RuleAdd(rule)
	}))
}

// TestSilence: who says what of echo requests that are not answered. Linux gateways
// bound how often they say it over IPv4, so each is asked about one target there.
func TestSilence(t *testing.T) {
	for _, mode := range []struct{ privilege, groups string }{{"unprivileged", "0 2147483647"}, {"raw", "1 0"}} {
		t.Run(mode.privilege, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.breaks(t)
			check(t, w.near.Sysctl("net/ipv4/ping_group_range", mode.groups))
			for _, test := range []struct{ name, to, want string }{
				{"answers", "10.2.0.1", "answered"},
				{"answers", "fd00:2::1", "answered"},
				{"far gateway prohibits", "10.2.0.2", "icmp-error 3/13 from 10.2.0.254"},
				{"far gateway prohibits", "fd00:2::2", "icmp-error 1/1 from fd00:2::254"},
				{"near gateway prohibits", "10.2.0.10", "icmp-error 3/13 from 10.1.0.1"},
				{"near gateway prohibits", "fd00:2::10", "icmp-error 1/1 from fd00:1::1"},
				{"a router on the internet prohibits", "198.51.100.4", "icmp-error 3/13 from 192.0.2.254"},
				{"a router on the internet prohibits", "2001:db8:4::1", "icmp-error 1/1 from 2001:db8::fe"},
				{"host unreachable", "fd00:2::11", "icmp-error 1/0 from fd00:2::254"},
				{"no route", "fd00:9::12", "icmp-error 1/0 from fd00:1::1"},
				{"too many hops", "fd00:2::13", "icmp-error 3/0 from fd00:1::1"},
				{"this host prohibits", "10.2.0.14", "local-error (no-route: prohibited by a route of this host)"},
				{"this host prohibits", "fd00:2::14", "local-error (no-route: prohibited by a route of this host)"},
				{"answers no pings", "198.51.100.3", ""},
				{"nobody", "10.2.0.99", ""},
			} {
				t.Run(test.name+"/"+test.to, func(t *testing.T) {
					t.Parallel()
					a := asking{URL: test.to, Wait: 400 * ms, Looks: []vpn.Look{{Kind: vpn.Silence, First: 5, Packets: 3, Spacing: 30 * ms}}}
					got := a.at(t, w.near.Node)
					if words := got.words(); test.want == "" && words != "3 sent" || !strings.Contains(words, test.want) {
						t.Errorf("got %s, want %s", words, test.want)
					}
					got.sound(t, a.Looks...)
				})
			}
		})
	}
}

// TestHops: how far packets of rising TTL get, and that a target that answers
// does so several times.
func TestHops(t *testing.T) {
	w := newWorld(t)
	for to, want := range map[string]string{
		"10.2.0.1":  "0: 11/0 from 10.1.0.1, 1: answered, 2: answered, 3: answered",
		"fd00:2::1": "0: 3/0 from fd00:1::1, 1: answered, 2: answered, 3: answered",
	} {
		got := asking{URL: to, Looks: []vpn.Look{{Kind: vpn.Path, Packets: 4, Spacing: 20 * ms}}}.at(t, w.near.Node)
		words := make([]string, 4)
		for _, e := range got {
			switch e.Kind {
			case vpn.ICMPError:
				words[e.Seq] = fmt.Sprintf("%d: %d/%d from %s", e.Seq, e.ICMP.Type, e.ICMP.Code, e.ICMP.From)
			case vpn.Answered:
				words[e.Seq] = fmt.Sprintf("%d: answered", e.Seq)
			}
		}
		if text := strings.Join(words, ", "); text != want {
			t.Errorf("%s: got %s, want %s", to, text, want)
		}
		got.sound(t)
	}
}

// TestSizes has a tunnel with an MTU of 1420. Its packets are IPv4, 60 bytes
// longer than those inside, which are padded to a multiple of 16.
func TestSizes(t *testing.T) {
	w := newWorld(t)
	sizes := func(packets, from, to int) []vpn.Look {
		return []vpn.Look{{Kind: vpn.Sizes, First: 7, Packets: packets, Spacing: 5 * ms, Bytes: from, To: to}}
	}
	gateways := map[string]string{"10.2.0.1": "10.1.0.1", "fd00:2::1": "fd00:1::1"}
	for to, gateway := range gateways {
		asking{URL: to, Looks: sizes(2, 52+20, 1420)}.at(t, w.near.Node).expect(t, "2 sent, 2 answered")
		got := asking{URL: to, Looks: sizes(5, 1418, 1422)}.at(t, w.near.Node)
		for _, e := range got {
			if e.Kind != vpn.Sent && (e.Kind == vpn.Answered) != (e.Seq-7+1418 <= 1420) ||
				e.Kind == vpn.ICMPError && (e.ICMP.From.String() != gateway || e.ICMP.MTU != 1420) {
				t.Errorf("%s: got %+v, %+v", to, e, e.ICMP)
			}
		}
		// Larger than this host's own interface takes.
		got = asking{URL: to, Looks: sizes(1, 9000, 0)}.at(t, w.near.Node)
		if len(got) != 2 || got[1].ICMP == nil || got[1].ICMP.From.IsValid() || got[1].ICMP.MTU != 1500 {
			t.Errorf("%s: got %s", to, got.words())
		}
	}
	w.Set(w.near, w.far, lab.Conditions{MaxPacket: 1400}) // a black hole
	for to := range gateways {
		asking{URL: to, Wait: 400 * ms, Looks: sizes(2, 1328, 1329)}.at(t, w.near.Node).expect(t, "2 sent, 1 answered")
	}
}

// TestConnections: what became of a connection, and who said it.
func TestConnections(t *testing.T) {
	w := newWorld(t)
	w.breaks(t)
	for _, test := range []struct{ url, want string }{
		{"tcp://10.2.0.1:1", "refused (reset: connection refused)"},
		{"tcp://[fd00:2::1]:1", "refused (reset: connection refused)"},
		{"tcp://10.2.0.11:1", "attempt-over (* 3/1 from 10.2.0.254"},
		{"tcp://[fd00:2::2]:1", "attempt-over (* 1/1 from fd00:2::254"},
		{"tcp://10.2.0.99:1", "attempt-over (timeout: no answer within 1s)"},
		{"tcp://10.2.0.14:1", "local-error (no-route: prohibited by a route of this host)"},
		{"tcp://[fd00:2::14]:1", "local-error (no-route: prohibited by a route of this host)"},
		{"tcp://[fd00:2::15]:1", "attempt-over (* 1/1 from fd00:2::254"},
		{"http://10.2.0.2", "attempt-over (* 3/13 from 10.2.0.254"},
		{"http://[fd00:2::13]", "attempt-over (* 3/0 from fd00:1::1"},
		{"ike://198.51.100.3", "refused (reset: connection refused)"},
		{"ike://198.51.100.4", "attempt-over (other: unreachable, as an ICMP error says) 3/13 from 192.0.2.254"},
		{"ike://[2001:db8:4::1]", "attempt-over (other: unreachable, as an ICMP error says) 1/1 from 2001:db8::fe"},
		{"ike://[fd00:2::11]", "attempt-over (timeout: no answer within 1s) 1/0 from fd00:2::254"},
		{"ike://10.2.0.14", "local-error (no-route: prohibited by a route of this host)"},
	} {
		t.Run(test.url, func(t *testing.T) {
			t.Parallel()
			got := asking{URL: test.url, Looks: connectWithin(time.Second)}.at(t, w.near.Node)
			words := strings.TrimPrefix(got.words(), "1 sent, 1 ")
			// What comes back while the kernel is still connecting ends no attempt.
			beginning, end, _ := strings.Cut(test.want, "*")
			if !strings.HasPrefix(words, beginning) || !strings.HasSuffix(words, end) || len(got) != 2 {
				t.Errorf("got %s, want %s", got.words(), test.want)
			}
		})
	}
}

// TestNeighbour has a host on the own network that is not there: nobody but this
// host itself can say so.
func TestNeighbour(t *testing.T) {
	t.Parallel()
	f := newFork(t)
	for _, k := range []vpn.LookKind{vpn.Silence, vpn.Connect} {
		a := asking{URL: "10.60.0.77", Looks: []vpn.Look{{Kind: k, Packets: 1}}}
		if k == vpn.Connect {
			a.URL = "tcp://10.60.0.77:1"
		}
		got := a.at(t, f.Node)
		if e := got[len(got)-1]; e.ICMP == nil || e.ICMP.From.IsValid() || e.ICMP.Type != 3 || e.ICMP.Code != 1 {
			t.Errorf("%s: got %s", k, got.words())
		}
	}
}

// TestLocalFirewall has rules of this host's own against what is asked.
func TestLocalFirewall(t *testing.T) {
	w := newWorld(t)
	r, err := w.near.Run(exec.Command("nft", "add table inet t; add chain inet t o { type filter hook output priority 0; }; add rule inet t o meta l4proto {icmp, ipv6-icmp, udp} ip daddr 10.2.0.1 drop; add rule inet t o ip daddr 10.2.0.2 reject"))
	check(t, err)
	if r.Stderr != "" {
		t.Fatal(r.Stderr)
	}
	for _, k := range []vpn.LookKind{vpn.FirstLook, vpn.Silence} {
		a := asking{URL: "10.2.0.1", Looks: []vpn.Look{{Kind: k, Packets: 2, Spacing: 20 * ms}}}
		a.at(t, w.near.Node).expect(t, "2 local-error (no-route: blocked by the firewall of this host)")
	}
	asking{URL: "ike://10.2.0.1", Looks: connectWithin(time.Second)}.at(t, w.near.Node).
		expect(t, "1 sent, 1 local-error (no-route: blocked by the firewall of this host)")
	asking{URL: "tcp://10.2.0.2:1", Looks: connectWithin(time.Second)}.at(t, w.near.Node).
		expect(t, "1 sent, 1 attempt-over (other: unreachable, as an ICMP error says) 3/3 from invalid IP")
}
