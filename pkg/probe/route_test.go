package probe

import (
	"errors"
	"net"
	"net/netip"
	"reflect"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"checkvpn/pkg/lab"
	"checkvpn/pkg/vpn"
)

const icmpProto, tcpProto, udpProto = unix.IPPROTO_ICMP, unix.IPPROTO_TCP, unix.IPPROTO_UDP

// sent is a flow in both families.
func sent(protocol uint8, port uint16, path Path) (list []flow) {
	for _, to := range targets {
		f := flow{To: to, Path: path, Protocol: protocol, Port: port}
		if protocol == icmpProto && to.Is6() {
			f.Protocol = unix.IPPROTO_ICMPV6
		}
		list = append(list, f)
	}
	return list
}

// TestRoute sets a rule, asks for the way of packets, sends some, and looks
// which way they went.
func TestRoute(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		rule func(*netlink.Rule) // what it looks at; it leads to w0
		by   string
		flow []flow
	}{
		{"no rule", nil, "v0", sent(icmpProto, 0, Path{})},
		{"no rule, with a DSCP", nil, "v0", sent(icmpProto, 0, Path{DSCP: 46})},
		{"dsfield", func(r *netlink.Rule) { r.Tos = 0x10 }, "w0", sent(icmpProto, 0, Path{DSCP: 4})},
		{"dsfield of a connection", func(r *netlink.Rule) { r.Tos = 0x10 }, "w0", sent(tcpProto, 443, Path{DSCP: 4})},
		{"another dsfield", func(r *netlink.Rule) { r.Tos = 0x10 }, "v0", sent(icmpProto, 0, Path{DSCP: 2})},
		{"no dsfield", func(r *netlink.Rule) { r.Tos = 0x10 }, "v0", sent(icmpProto, 0, Path{})},
		{"tcp", func(r *netlink.Rule) { r.IPProto = tcpProto }, "w0", sent(tcpProto, 80, Path{})},
		{"tcp, not icmp", func(r *netlink.Rule) { r.IPProto = tcpProto }, "v0", sent(icmpProto, 0, Path{})},
		{"udp, not icmp", func(r *netlink.Rule) { r.IPProto = udpProto }, "v0", sent(icmpProto, 0, Path{})},
		{"udp", func(r *netlink.Rule) { r.IPProto = udpProto }, "w0", sent(udpProto, 500, Path{})},
		{"dport", func(r *netlink.Rule) { r.Dport = netlink.NewRulePortRange(8080, 8080) }, "w0", sent(tcpProto, 8080, Path{})},
		{"another dport", func(r *netlink.Rule) { r.Dport = netlink.NewRulePortRange(8080, 8080) }, "v0", sent(tcpProto, 8081, Path{})},
		{"uidrange", func(r *netlink.Rule) { r.UIDRange = netlink.NewRuleUIDRange(0, 0) }, "w0", sent(icmpProto, 0, Path{})},
		{"another uidrange", func(r *netlink.Rule) { r.UIDRange = netlink.NewRuleUIDRange(1, 1) }, "v0", sent(icmpProto, 0, Path{})},
		{"bound to v0", func(r *netlink.Rule) { r.OifName = "w0" }, "v0", sent(icmpProto, 0, Path{Interface: "v0"})},
		{"bound to w0", func(r *netlink.Rule) { r.OifName = "w0" }, "w0", sent(icmpProto, 0, Path{Interface: "w0"})},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			newFork(t).do(t, func() error {
				if err := addRules(test.rule); err != nil {
					return err
				}
				for _, f := range test.flow {
					expectWay(t, f, test.by)
				}
				return nil
			})
		})
	}
}

func addRules(set func(*netlink.Rule)) error {
	if set == nil {
		return nil
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		rule := netlink.NewRule()
		rule.Family, rule.Table = family, otherTable
		set(rule)
		if err := netlink.RuleAdd(rule); err != nil {
			return err
		}
	}
	return nil
}

func routeOf(f flow) (vpn.Route, error) { return new(sharedRoutes).routeOf(f) }

// expectWay asks for the way of a flow, and compares with the one it takes.
func expectWay(t *testing.T, f flow, by string) vpn.Route {
	t.Helper()
	route, err := routeOf(f)
	if err != nil || route.Fault != nil || route.Interface != by || len(route.Hops) > 0 {
		t.Errorf("%s: got %+v, %v, want by %s", f.To, route, err, by)
	}
	if way, err := f.taken(); err != nil || way != by {
		t.Errorf("%s: packets go by %q, %v, want %s", f.To, way, err, by)
	}
	network := map[string]string{"v0": "60", "w0": "61"}[by]
	source, gateway := netip.MustParseAddr("10."+network+".0.1"), netip.MustParseAddr("10."+network+".0.2")
	if f.To.Is6() {
		source, gateway = netip.MustParseAddr("fd00:"+network+"::1"), netip.MustParseAddr("fd00:"+network+"::2")
	}
	if !f.Source.IsValid() && route.Source != source || route.Gateway != gateway {
		t.Errorf("%s: got %+v, want from %s by %s", f.To, route, source, gateway)
	}
	return route
}

// TestRouteDSCP has a rule for a whole DSCP, which Linux knows since 6.11;
// dsfield reaches no further than the old TOS.
func TestRouteDSCP(t *testing.T) {
	t.Parallel()
	const fraDSCP = 25
	newFork(t).do(t, func() error {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			req := nl.NewNetlinkRequest(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
			req.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: family, Table: otherTable, Type: unix.RTN_UNICAST}})
			req.AddData(nl.NewRtAttr(fraDSCP, nl.Uint8Attr(46)))
			if _, err := req.Execute(unix.NETLINK_ROUTE, 0); errors.Is(err, syscall.EINVAL) {
				t.Log("this kernel has no such rules")
				return nil
			} else if err != nil {
				return err
			}
		}
		for _, f := range sent(icmpProto, 0, Path{DSCP: 46}) {
			expectWay(t, f, "w0")
		}
		for _, f := range sent(icmpProto, 0, Path{DSCP: 4}) {
			expectWay(t, f, "v0")
		}
		return nil
	})
}

// TestRouteUser asks as a program whose effective user is another than the real
// one: its packets are those of the effective one.
func TestRouteUser(t *testing.T) {
	t.Parallel()
	newFork(t).do(t, func() error {
		if err := addRules(func(r *netlink.Rule) { r.UIDRange = netlink.NewRuleUIDRange(1234, 1234) }); err != nil {
			return err
		}
		// Of this thread alone, which ends with this function.
		if _, _, errno := syscall.RawSyscall(unix.SYS_SETRESUID, 0, 1234, 0); errno != 0 {
			lab.Skip(t, "no other user here: %v", errno)
		}
		for _, f := range sent(icmpProto, 0, Path{}) {
			expectWay(t, f, "w0")
		}
		return nil
	})
}

func TestRouteSource(t *testing.T) {
	t.Parallel()
	newFork(t).do(t, func() error {
		for i, source := range []string{"10.60.0.1", "fd00:60::1"} {
			addr := netip.MustParseAddr(source)
			for _, asked := range []Path{{}, {Source: addr}} {
				f := sent(icmpProto, 0, asked)[i]
				if r := expectWay(t, f, "v0"); !holds(vpn.Via{Source: addr}, r) || holds(vpn.Via{Interface: "w0"}, r) {
					t.Errorf("got %+v, want from %s", r, addr)
				}
			}
		}
		for i, source := range []string{"10.61.0.1", "fd00:61::1"} {
			// The way is still that of the main table; the source is the given one.
			addr := netip.MustParseAddr(source)
			if r := expectWay(t, sent(icmpProto, 0, Path{Source: addr})[i], "v0"); r.Source != addr {
				t.Errorf("got %+v, want from %s", r, addr)
			}
		}
		if err := addRules(func(r *netlink.Rule) {
			_, r.Src, _ = net.ParseCIDR("10.61.0.0/24")
			if r.Family == unix.AF_INET6 {
				_, r.Src, _ = net.ParseCIDR("fd00:61::/64")
			}
		}); err != nil {
			return err
		}
		for i, source := range []string{"10.61.0.1", "fd00:61::1"} {
			addr := netip.MustParseAddr(source)
			if r := expectWay(t, sent(icmpProto, 0, Path{Source: addr})[i], "w0"); !holds(vpn.Via{Source: addr}, r) {
				t.Errorf("got %+v, want from %s", r, addr)
			}
		}
		return nil
	})
}

// TestRouteSourceElsewhere has an own address that the kernel, by its rules, does
// not find at home, as that of a VRF. One can send from it all the same.
func TestRouteSourceElsewhere(t *testing.T) {
	t.Parallel()
	newFork(t).do(t, func() error {
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			first := netlink.NewRule()
			first.Family, first.Table, first.Priority = family, unix.RT_TABLE_LOCAL, 0
			later := *first
			later.Priority = 100
			before := *first
			before.Table, before.Priority = otherTable, 50
			if err := firstError(netlink.RuleAdd(&later), netlink.RuleAdd(&before), netlink.RuleDel(first)); err != nil {
				return err
			}
		}
		if err := firstError(
			addRoute("10.60.0.0/16", netlink.Route{Gw: net.ParseIP("10.61.0.2"), Table: otherTable}),
			addRoute("fd00:60::/64", netlink.Route{Gw: net.ParseIP("fd00:61::2"), Table: otherTable})); err != nil {
			return err
		}
		for i, source := range []string{"10.60.0.1", "fd00:60::1"} {
			addr := netip.MustParseAddr(source)
			if r := expectWay(t, sent(icmpProto, 0, Path{Source: addr})[i], "w0"); r.Source != addr {
				t.Errorf("got %+v, want from %s", r, addr)
			}
			if own, err := new(sharedRoutes).ownAddress(addr); own || err != nil {
				t.Errorf("packets to %s would leave, but got %t, %v", addr, own, err)
			}
		}
		return nil
	})
}

// expectNone asks for the way of a flow that has none.
func expectNone(t *testing.T, f flow, words string) {
	t.Helper()
	r, err := routeOf(f)
	if err != nil || r.Fault == nil || r.Fault.Words != words || r.Fault.Own || r.Interface != "" {
		t.Errorf("%s: got %+v, %v, want %q", f.To, r, err, words)
	}
	if err := f.send(); err == nil {
		t.Errorf("%s: a packet is sent", f.To)
	}
}

func TestNoRoute(t *testing.T) {
	t.Parallel()
	newFork(t).do(t, func() error {
		for _, test := range []struct {
			kind  int
			words string
		}{
			{unix.RTN_PROHIBIT, "prohibited by a route of this host"},
			{unix.RTN_UNREACHABLE, "no route to host"},
			{unix.RTN_BLACKHOLE, "blackholed by a route of this host"},
			{unix.RTN_THROW, "network unreachable"},
		} {
			for _, f := range sent(icmpProto, 0, Path{}) {
				network := netip.PrefixFrom(f.To, f.To.BitLen()).String()
				if err := addRoute(network, netlink.Route{Type: test.kind, Table: unix.RT_TABLE_MAIN}); err != nil {
					return err
				}
				if test.kind == unix.RTN_THROW { // else the shorter prefix would do
					if err := delRoutes("10.2.0.0/16", "fd00:2::/64"); err != nil {
						return err
					}
				}
				expectNone(t, f, test.words)
				if err := delRoutes(network); err != nil {
					return err
				}
			}
		}
		for _, to := range []string{"10.99.0.1", "fd00:99::1"} {
			f := flow{To: netip.MustParseAddr(to), Protocol: udpProto, Port: 9}
			expectNone(t, f, "network unreachable")
		}
		return nil
	})
}

// delRoutes takes routes of the main table away, those that are there.
func delRoutes(networks ...string) error {
	for _, to := range networks {
		_, dst, err := net.ParseCIDR(to)
		if err != nil {
			return err
		}
		if err := netlink.RouteDel(&netlink.Route{Dst: dst}); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// TestRouteGone: a dead VPN takes its address and its interface with it.
func TestRouteGone(t *testing.T) {
	t.Parallel()
	newFork(t).do(t, func() error {
		link, err := netlink.LinkByName("v0")
		if err != nil {
			return err
		}
		for i, own := range []string{"10.60.0.1/24", "fd00:60::1/64"} {
			addr, err := netlink.ParseAddr(own)
			if err == nil {
				err = netlink.AddrDel(link, addr)
			}
			if err != nil {
				return err
			}
			source := netip.MustParsePrefix(own).Addr()
			expectNone(t, sent(icmpProto, 0, Path{Source: source})[i], "source address gone")
		}
		if err := netlink.LinkDel(link); err != nil {
			return err
		}
		for i, f := range sent(icmpProto, 0, Path{Interface: "v0"}) {
			expectNone(t, f, "interface gone")
			expectNone(t, sent(icmpProto, 0, Path{})[i], "network unreachable")
		}
		zoned := flow{To: netip.MustParseAddr("fe80::2%v0"), Protocol: unix.IPPROTO_ICMPV6}
		expectNone(t, zoned, "interface gone")
		return nil
	})
}

func TestRouteOurFault(t *testing.T) {
	t.Parallel()
	for _, f := range []flow{
		{},
		{To: targets[0], Path: Path{Source: targets[1]}},
		{To: targets[0], Protocol: 255}, // which the kernel does not answer about
	} {
		r, err := routeOf(f)
		if _, own := errors.AsType[*vpn.Fault](err); !own || r.Fault != nil {
			t.Errorf("%+v: got %+v, %v", f, r, err)
		}
	}
	// An error of the socket must not read as the kernel's answer.
	s, err := openRoutes()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	_, err = s.routeOf(flow{To: targets[0]})
	if _, own := errors.AsType[*vpn.Fault](err); !own || noErrno(err) == nil {
		t.Errorf("got %v", err)
	}
}

// TestSharedRoutes has one socket for all who are to ask, and none afterwards.
func TestSharedRoutes(t *testing.T) {
	t.Parallel()
	var s sharedRoutes
	s.join()
	s.join()
	opened := map[*routeSocket]bool{}
	ask := func() {
		if err := s.use(func(socket *routeSocket) error { opened[socket] = true; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	s.leave()
	ask()
	if len(opened) != 1 || s.socket == nil {
		t.Errorf("got %d sockets, %v open", len(opened), s.socket)
	}
	s.leave()
	if s.socket != nil {
		t.Error("it stays open when all have asked")
	}
	if ask(); s.socket != nil {
		t.Error("it stays open for nobody")
	}
}

// TestRouteHops has several next hops, of which a hash of the packet picks one.
func TestRouteHops(t *testing.T) {
	t.Parallel()
	newFork(t).do(t, func() error {
		if err := firstError(delRoutes("10.2.0.0/16", "fd00:2::/64"),
			addRoute("10.2.0.0/16", netlink.Route{MultiPath: hopsBy("10.60.0.2", "10.61.0.2")}),
			addRoute("fd00:2::/64", netlink.Route{MultiPath: hopsBy("fd00:60::2", "fd00:61::2")})); err != nil {
			return err
		}
		for i, f := range sent(icmpProto, 0, Path{}) {
			v, w := []string{"10.60.0.1", "fd00:60::1"}[i], []string{"10.61.0.1", "fd00:61::1"}[i]
			r, err := routeOf(f)
			if err != nil || r.Fault != nil || len(r.Hops) != 2 || r.Hops[0].Interface == r.Hops[1].Interface {
				t.Errorf("got %+v, %v", r, err)
			}
			for _, via := range []vpn.Via{{Interface: "v0"}, {Interface: "w0"}, {Source: netip.MustParseAddr(v)}, {Source: netip.MustParseAddr(w)}} {
				if holds(via, r) || !unclear(via, r) {
					t.Errorf("via %s is known in %+v", via, r)
				}
			}
			for _, via := range []vpn.Via{{Interface: "lo"}, {Source: netip.MustParseAddr("192.0.2.1")}} {
				if holds(via, r) || unclear(via, r) {
					t.Errorf("via %s is not known in %+v", via, r)
				}
			}
			// Bound to an interface, only its own next hop is left.
			f.Interface = "w0"
			expectWay(t, f, "w0")
			// With a source address, that one is known.
			f.Interface, f.Source = "", netip.MustParseAddr(w)
			if r, err := routeOf(f); err != nil || !holds(vpn.Via{Source: f.Source}, r) || !unclear(vpn.Via{Interface: "w0"}, r) {
				t.Errorf("from %s: got %+v, %v", w, r, err)
			}
		}
		return expectOneLeft(t)
	})
}

// expectOneLeft takes the way by w0 down, which leaves no doubt.
func expectOneLeft(t *testing.T) error {
	link, err := netlink.LinkByName("w0")
	if err == nil {
		err = netlink.LinkSetDown(link)
	}
	for _, f := range sent(icmpProto, 0, Path{}) {
		expectWay(t, f, "v0")
	}
	return err
}

// TestRouteHopsAlike has several next hops on one interface.
func TestRouteHopsAlike(t *testing.T) {
	t.Parallel()
	newFork(t).do(t, func() error {
		if err := firstError(delRoutes("10.2.0.0/16", "fd00:2::/64"),
			addRoute("10.2.0.0/16", netlink.Route{MultiPath: hopsBy("10.60.0.2", "10.60.0.3")}),
			addRoute("fd00:2::/64", netlink.Route{MultiPath: hopsBy("fd00:60::2", "fd00:60::3")})); err != nil {
			return err
		}
		for _, f := range sent(icmpProto, 0, Path{}) {
			r, err := routeOf(f)
			if err != nil || len(r.Hops) != 2 || r.Hops[0].Gateway == r.Hops[1].Gateway || !holds(vpn.Via{Interface: "v0"}, r) || !holds(vpn.Via{Source: r.Source}, r) {
				t.Errorf("got %+v, %v", r, err)
			}
			if via := (vpn.Via{Interface: "w0"}); holds(via, r) || unclear(via, r) {
				t.Errorf("got %+v", r)
			}
		}
		return nil
	})
}

// TestRouteGatewayOfAnotherFamily has an IPv4 route by an IPv6 gateway.
func TestRouteGatewayOfAnotherFamily(t *testing.T) {
	t.Parallel()
	newFork(t).do(t, func() error {
		link, err := netlink.LinkByName("w0")
		if err != nil {
			return err
		}
		via := &netlink.Via{AddrFamily: unix.AF_INET6, Addr: net.ParseIP("fd00:61::2")}
		if err := addRoute("10.7.0.0/24", netlink.Route{LinkIndex: link.Attrs().Index, Via: via}); err != nil {
			return err
		}
		r, err := routeOf(flow{To: netip.MustParseAddr("10.7.0.1")})
		if err != nil || r.Interface != "w0" || r.Gateway != netip.MustParseAddr("fd00:61::2") {
			t.Errorf("got %+v, %v", r, err)
		}
		return nil
	})
}

func TestNewFlow(t *testing.T) {
	t.Parallel()
	path := Path{DSCP: 4}
	for url, want := range map[string]flow{
		"10.2.0.1":            {Protocol: icmpProto},
		"fd00:2::1":           {Protocol: unix.IPPROTO_ICMPV6},
		"tcp://10.2.0.1:3306": {Protocol: tcpProto, Port: 3306},
		"https://[fd00:2::1]": {Protocol: tcpProto, Port: 443},
		"http://10.2.0.1/":    {Protocol: tcpProto, Port: 80},
		"ike://10.2.0.1":      {Protocol: udpProto, Port: 500},
	} {
		e, err := vpn.ParseEndpoint(url)
		if err != nil {
			t.Fatal(err)
		}
		want.To, want.Path = e.Addr, path
		if got := newFlow(e, e.Addr, path); got != want {
			t.Errorf("%s: got %+v, want %+v", url, got, want)
		}
	}
}

func holds(via vpn.Via, r vpn.Route) bool { return via.Holding(r) == vpn.Holds }

func unclear(via vpn.Via, r vpn.Route) bool { return via.Holding(r) == vpn.CannotSay }

func TestVia(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr
	v0 := vpn.Route{Interface: "v0", AltNames: []string{"tunnel-to-dr"}, Source: addr("10.60.0.1")}
	w0 := vpn.Route{Interface: "w0", Source: addr("10.61.0.1")}
	unknown := vpn.Route{Interface: "w0"} // from
	several := func(hops ...vpn.Route) vpn.Route {
		r := hops[0]
		r.Hops = hops
		return r
	}
	gone := vpn.Route{Fault: faultOf(syscall.ENODEV)}
	interfaceOf := func(name string) vpn.Via { return vpn.Via{Interface: name} }
	source := func(text string) vpn.Via { return vpn.Via{Source: addr(text)} }
	for _, test := range []struct {
		via   vpn.Via
		route vpn.Route
		want  vpn.Holding
	}{
		{vpn.Via{}, v0, vpn.Holds},
		{vpn.Via{}, gone, vpn.Holds},
		{interfaceOf("v0"), v0, vpn.Holds},
		{interfaceOf("tunnel-to-dr"), v0, vpn.Holds},
		{interfaceOf("tunnel"), v0, vpn.Leaves},
		{interfaceOf("v0"), w0, vpn.Leaves},
		{interfaceOf("v0"), gone, vpn.Holds}, // nothing passes by no route
		{source("10.60.0.1"), v0, vpn.Holds},
		{source("::ffff:10.60.0.1"), v0, vpn.Holds},
		{source("fe80::1%v0"), vpn.Route{Interface: "v0", Source: addr("fe80::1")}, vpn.Holds},
		{source("10.60.0.1"), w0, vpn.Leaves},
		{source("10.60.0.1"), unknown, vpn.Leaves},
		{interfaceOf("v0"), unknown, vpn.Leaves},
		{interfaceOf("v0"), several(v0, v0), vpn.Holds},
		{interfaceOf("v0"), several(v0, w0), vpn.CannotSay},
		{interfaceOf("w0"), several(v0, w0), vpn.CannotSay},
		{interfaceOf("tunnel-to-dr"), several(w0, v0), vpn.CannotSay},
		{interfaceOf("tunnel-to-dr"), several(v0, v0), vpn.Holds},
		{interfaceOf("x0"), several(v0, w0), vpn.Leaves},
		{source("10.61.0.1"), several(v0, unknown), vpn.CannotSay},
		{source("10.60.0.1"), several(v0, unknown), vpn.CannotSay},
		{source("10.61.0.1"), several(v0, v0), vpn.Leaves},
	} {
		if got := test.via.Holding(test.route); got != test.want {
			t.Errorf("via %s, %+v: got %d, want %d", test.via, test.route, got, test.want)
		}
	}
}

// TestAskRoute has the looks that ask the kernel.
func TestAskRoute(t *testing.T) {
	t.Parallel()
	f := newFork(t)
	f.do(t, nameBoth)
	a := asking{URL: "tcp://10.2.0.1:3306", Looks: []vpn.Look{
		{Kind: vpn.AskRoute, First: 1}, {Kind: vpn.Count, Interface: long}, {Kind: vpn.Count, Interface: "gone0"},
	}}
	got := a.at(t, f.Node)
	want := vpn.Route{Interface: "v0", Source: addrs("10.60.0.1")[0], Gateway: addrs("10.60.0.2")[0], AltNames: []string{long, "dr"}}
	for _, e := range got {
		switch {
		case e.Kind == vpn.Routed && e.Route != nil && reflect.DeepEqual(*e.Route, want) && e.Seq == 1 && e.Addr == targets[0]:
		case e.Kind == vpn.Counted && e.Count.Interface == long && e.Fault == nil && e.Count.Out > 0:
		case e.Kind == vpn.Counted && e.Count.Interface == "gone0" && e.Fault.Code == vpn.NoInterface && !e.Fault.Own:
		default:
			t.Errorf("got %+v, %+v, %+v, %+v", e, e.Route, e.Count, e.Fault)
		}
	}
	a.Looks, a.Path.Interface = a.Looks[:1], "gone0"
	if got := a.at(t, f.Node); got[0].Route == nil || got[0].Route.Fault.Code != vpn.NoInterface {
		t.Errorf("got %+v", got[0])
	}
}
