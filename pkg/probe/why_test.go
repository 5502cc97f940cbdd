package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"checkvpn/pkg/lab"
	"checkvpn/pkg/probe"
)

const ms = time.Millisecond

// world is two sites with a tunnel, and two more on the internet.
type world struct {
	*lab.Internet
	near, far *lab.Site
	mute      *lab.Site // answers no pings
	barred    *lab.Site // the way there is prohibited
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	i, err := lab.NewInternet()
	must(t, err)
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	site := func(c lab.SiteConfig) *lab.Site {
		t.Helper()
		s, err := i.AddSite(c)
		must(t, err)
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
			{Name: "rejected", Addrs: lab.Addrs("10.2.0.2", "fd00:2::2")},
		},
	})
	w.mute = site(lab.SiteConfig{Name: "mute", Public: lab.Addrs("198.51.100.3", "2001:db8:3::1")})
	w.barred = site(lab.SiteConfig{Name: "barred", Public: lab.Addrs("198.51.100.4", "2001:db8:4::1")})
	_, err = i.WireGuard(w.near, w.far)
	must(t, err)

	must(t, w.far.RejectMachine("rejected"))
	w.Set(w.near, w.barred, lab.Conditions{Prohibited: true})
	must(t, w.mute.Sysctl("net/ipv4/icmp_echo_ignore_all", "1"))
	must(t, w.mute.Sysctl("net/ipv6/icmp/echo_ignore_all", "1"))
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

// why asks at the inside host.
func (w *world) why(ctx context.Context, to string, path probe.Path) (err error) {
	outer := w.near.Do(func() error {
		err = probe.Why(ctx, netip.MustParseAddr(to), path)
		return nil
	})
	return errors.Join(err, outer)
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
	must(t, w.far.Gateway.Do(func() error {
		rule := netlink.NewRule()
		rule.Family, rule.Type, rule.IPProto = unix.AF_INET6, unix.FR_ACT_PROHIBIT, unix.IPPROTO_TCP
		rule.Dst = &net.IPNet{IP: net.ParseIP("fd00:2::15"), Mask: net.CIDRMask(128, 128)}
		return netlink.RuleAdd(rule)
	}))
}

func TestWhy(t *testing.T) {
	w := newWorld(t)
	w.breaks(t)
	for _, test := range []struct {
		name, to, want string
		alive          bool
	}{
		{"far gateway prohibits", "10.2.0.2", "administratively prohibited, says 10.2.0.254", false},
		{"far gateway prohibits", "fd00:2::2", "administratively prohibited, says fd00:2::254", false},
		{"near gateway prohibits", "10.2.0.10", "administratively prohibited, says 10.1.0.1", false},
		{"near gateway prohibits", "fd00:2::10", "administratively prohibited, says fd00:1::1", false},
		{"a router on the internet prohibits", "198.51.100.4", "administratively prohibited, says 192.0.2.254", false},
		{"a router on the internet prohibits", "2001:db8:4::1", "administratively prohibited, says 2001:db8::fe", false},
		{"host unreachable", "10.2.0.11", "host unreachable, says 10.2.0.254", false},
		{"host unreachable", "fd00:2::11", "no route, says fd00:2::254", false},
		{"no route", "10.9.0.12", "network unreachable, says 10.1.0.1", false},
		{"no route", "fd00:9::12", "no route, says fd00:1::1", false},
		{"too many hops", "10.2.0.13", "time exceeded (a routing loop?), says 10.1.0.1", false},
		{"too many hops", "fd00:2::13", "time exceeded (a routing loop?), says fd00:1::1", false},
		{"alive", "10.2.0.1", "alive: port unreachable, says the machine itself", true},
		{"alive", "fd00:2::1", "alive: port unreachable, says the machine itself", true},
		{"alive without pings", "198.51.100.3", "alive: port unreachable, says the machine itself", true},
		{"alive without pings", "2001:db8:3::1", "alive: port unreachable, says the machine itself", true},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		began := time.Now()
		err := w.why(ctx, test.to, probe.Path{})
		var told *probe.ToldError
		if !errors.As(err, &told) || told.Error() != test.want || told.Alive() != test.alive {
			t.Errorf("%s: %s: got %v, want %s", test.name, test.to, err, test.want)
		} else if took := time.Since(began); took > time.Second {
			t.Errorf("%s: %s: only after %v", test.name, test.to, took)
		}
		cancel()
	}
}

// TestWhyNobody: nobody says anything, or this machine cannot even ask.
func TestWhyNobody(t *testing.T) {
	w := newWorld(t)
	w.breaks(t)
	for _, to := range []string{"10.2.0.99", "fd00:2::99"} {
		for _, wait := range []time.Duration{0, 50 * ms, 300 * ms, 900 * ms} {
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			began := time.Now()
			err := w.why(ctx, to, probe.Path{})
			if took := time.Since(began); err != nil || took < wait || took > wait+300*ms {
				t.Errorf("%s: got %v after %v, want nil after %v", to, err, took, wait)
			}
			cancel()
		}
	}
	for _, test := range []struct {
		to   string
		path probe.Path
		want error
	}{
		{"10.2.0.14", probe.Path{}, syscall.EACCES},
		{"fd00:2::14", probe.Path{}, syscall.EACCES},
		{"10.2.0.1", probe.Path{Source: lab.Addrs("10.1.0.99")[0]}, syscall.EADDRNOTAVAIL},
		{"fd00:2::1", probe.Path{Source: lab.Addrs("fd00:1::99")[0]}, syscall.EADDRNOTAVAIL},
		{"10.2.0.1", probe.Path{Interface: "gone"}, syscall.ENODEV},
		{"fd00:2::1", probe.Path{Interface: "gone"}, syscall.ENODEV},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := w.why(ctx, test.to, test.path); !errors.Is(err, test.want) {
			t.Errorf("%s by %+v: got %v, want %v", test.to, test.path, err, test.want)
		}
		cancel()
	}
}

// askAt, in the environment, makes the test binary a program that asks one
// URL and prints what came of it: a probe's goroutines are not bound to the
// lab's thread, but a process is where it was started.
const askAt = "PROBE_TEST_ASK"

func askOnce(url string) int {
	e, err := probe.ParseEndpoint(url)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	began := time.Now()
	// Four packets leave the near gateway one more word.
	p := probe.NewProber(probe.Settings{
		Packets: 4, MaxPackets: 20, Interval: 20 * ms, Wait: 600 * ms, Attempt: time.Second,
	}).New(e, probe.Path{})
	p.Run(ctx)
	r := p.Result()
	fmt.Printf("%d; %v; received %d of %d\n", r.Outcome(), r.Reason(), r.Received(), r.Sent())
	if took := time.Since(began); took > 4*time.Second {
		fmt.Println("took", took)
	}
	return 0
}

func (w *world) ask(t *testing.T, url string) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), askAt+"="+url, "GORACE=atexit_sleep_ms=0")
	r, err := w.near.Run(cmd)
	must(t, err)
	return strings.TrimSpace(r.Stdout + r.Stderr)
}

// TestSilentProbe asks as the plugins do. The gateways are Linux, and bound how
// often they say why over IPv4: so each is asked about one target there.
func TestSilentProbe(t *testing.T) {
	w := newWorld(t)
	w.breaks(t)
	// The datagram that asks why passes, the longer packet that opens a
	// connection over IPv4 does not, nor does anything over IPv6. What is told
	// comes too late if it is asked for when the attempt is over.
	w.Set(w.near, w.mute, lab.Conditions{MaxPacket: 59, Delay: 100 * ms})
	for _, test := range []struct{ url, want string }{
		{"10.2.0.1", "3; <nil>; received 4 of 4"},
		{"10.2.0.10", "1; administratively prohibited, says 10.1.0.1; received 0 of 20"},
		{"fd00:2::10", "1; administratively prohibited, says fd00:1::1; received 0 of 20"},
		{"198.51.100.4", "1; administratively prohibited, says 192.0.2.254; received 0 of 20"},
		{"198.51.100.3", "2; alive: port unreachable, says the machine itself; received 0 of 20"},
		{"2001:db8:3::1", "1; <nil>; received 0 of 20"},
		{"10.2.0.99", "1; <nil>; received 0 of 20"},
		{"10.2.0.14", "1; prohibited by a route of this machine; received 0 of 20"},
		{"tcp://10.2.0.1:1", "2; connection refused; received 0 of 2"},
		// What comes back while the kernel is still connecting ends no attempt: then there is one.
		{"tcp://10.2.0.11:1", "1; host unreachable, says 10.2.0.254; received 0 of "},
		{"tcp://[fd00:2::2]:1", "1; administratively prohibited, says fd00:2::254; received 0 of 2"},
		{"tcp://10.2.0.99:1", "1; no answer within 1s; received 0 of 1"},
		{"tcp://10.2.0.14:1", "1; prohibited by a route of this machine; received 0 of 2"},
		{"tcp://[fd00:2::14]:1", "1; prohibited by a route of this machine; received 0 of 2"},
		{"tcp://[fd00:2::15]:1", "1; administratively prohibited, says fd00:2::254; received 0 of 2"},
		{"http://198.51.100.3", "2; alive: port unreachable, says the machine itself; received 0 of 1"},
		{"ike://198.51.100.4", "1; administratively prohibited, says 192.0.2.254; received 0 of 2"},
		{"ike://[2001:db8:4::1]", "1; administratively prohibited, says 2001:db8::fe; received 0 of 2"},
	} {
		t.Run(test.url, func(t *testing.T) {
			t.Parallel()
			if got := w.ask(t, test.url); !strings.HasPrefix(got, test.want) || strings.Contains(got, "took") {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
