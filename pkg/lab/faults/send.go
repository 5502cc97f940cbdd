package main

import (
	"errors"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What the kernel says of packets that cannot leave.

// far is what lies behind tun0, for routes.
var far = &net.IPNet{IP: net.IPv4(10, 2, 0, 0).To4(), Mask: net.CIDRMask(16, 32)}

// noRoute removes the routes to what is behind tun0.
func noRoute(r *room) error {
	return r.Do(func() error { return netlink.RouteDel(&netlink.Route{Dst: far}) })
}

// route sets a route that turns packets away.
func route(kind int) func(*room) error {
	return func(r *room) error {
		return errors.Join(noRoute(r), r.Do(func() error { return netlink.RouteAdd(&netlink.Route{Dst: far, Type: kind}) }))
	}
}

// firewall has nft drop what leaves by tun0, at once or after some bytes.
func firewall(after string) func(*room) error {
	return func(r *room) error {
		return errors.Join(
			r.run("nft", "add table inet t"),
			r.run("nft", "add chain inet t out { type filter hook output priority 0 ; }"),
			r.run("nft", "add rule inet t out oifname tun0 "+after+" drop"))
	}
}

// fullQueue shapes tun0 so hard that every packet is too big to leave it.
func fullQueue(r *room) error {
	return onLink(r, func(link netlink.Link) error {
		return netlink.QdiscReplace(&netlink.Tbf{
			QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
			Rate:       1000, Buffer: 156_250 /* of 64 ns: ten bytes */, Limit: 1500,
		})
	})
}

// hanging makes a peer that reads nothing more, as a tunnel's daemon that hangs.
func hanging(r *room) peer {
	over := make(closer)
	r.closeLater(over)
	return func(wire, packet) { <-over }
}

type closer chan struct{}

func (c closer) Close() error {
	close(c)
	return nil
}

// stuffed fills the queue of tun0, of 500 packets, before the plugin runs.
func stuffed(r *room) error {
	return r.Do(func() error {
		conn, err := net.Dial("udp", "10.2.0.1:9")
		if err != nil {
			return err
		}
		defer conn.Close()
		for range 3000 {
			_, _ = conn.Write([]byte("x"))
		}
		return nil
	})
}

func onLink(r *room, do func(netlink.Link) error) error {
	return r.Do(func() error {
		link, err := netlink.LinkByName("tun0")
		if err != nil {
			return err
		}
		return do(link)
	})
}

func interfaceGone(r *room) error { return onLink(r, netlink.LinkDel) }
func interfaceDown(r *room) error { return onLink(r, netlink.LinkSetDown) }

func addressGone(r *room) error {
	return onLink(r, func(link netlink.Link) error {
		return netlink.AddrDel(link, &netlink.Addr{IPNet: &net.IPNet{IP: ownAddrs[0].AsSlice(), Mask: net.CIDRMask(32, 32)}})
	})
}

// routeReplaced leads what is behind tun0 to another device.
func routeReplaced(p maker) func(*room) error {
	return func(r *room) error {
		return errors.Join(noRoute(r), r.connect("other0", p(r), netip.MustParsePrefix("10.2.0.0/16")))
	}
}

func sendRows() []row {
	// A hundred packets take two seconds: what happens at the tenth is in mid-run.
	long := words("-H 10.2.0.1 -n 100 -i 20")
	tcp := words("-H tcp://10.2.0.1:5432")
	down := func(name string, rig func(*room) error, args []string) row {
		return row{name: name, rig: rig, args: args, code: critical, cause: "down"}
	}
	midRun := func(name string, do func(*room) error, args []string) row {
		return row{name: name + " in mid-run", peer: afterEchoes(do), args: args, seconds: 5, code: critical, cause: "degraded", says: "loss"}
	}
	return []row{
		down("no route (ENETUNREACH)", noRoute, one).ending(lacks("nothing on the way answers")),
		down("no route (ENETUNREACH), TCP", noRoute, tcp),
		down("unreachable by a route (EHOSTUNREACH)", route(unix.RTN_UNREACHABLE), one),
		down("unreachable by a route (EHOSTUNREACH), TCP", route(unix.RTN_UNREACHABLE), tcp),
		down("prohibited by a route (EACCES)", route(unix.RTN_PROHIBIT), one),
		down("prohibited by a route (EACCES), TCP", route(unix.RTN_PROHIBIT), tcp),
		down("blackholed by a route (EINVAL)", route(unix.RTN_BLACKHOLE), one),
		down("dropped by nft (EPERM)", firewall(""), one).ending(lacks("tun0 counted")),
		down("dropped by nft (EPERM), TCP", firewall(""), tcp),
		down("dropped by nft (EPERM), IKE", firewall(""), words("-H ike://10.2.0.1")),
		down("send queue full (ENOBUFS)", fullQueue, one).but(unknown, "failed", "send queue full"),
		down("interface down", interfaceDown, one),
		down("interface never there, with -I", nil, words("-H 10.2.0.1 -I gone0")),
		down("source address never there, with -s", nil, words("-H 10.2.0.1 -s 10.9.9.9")),
		midRun("interface gone", interfaceGone, long).ending(contains("network unreachable")),
		midRun("interface gone, with -I,", interfaceGone, append(words("-I tun0"), long...)),
		midRun("interface down", interfaceDown, long),
		midRun("address gone, with -s,", addressGone, append(words("-s 10.1.0.20"), long...)),
		midRun("route prohibited", route(unix.RTN_PROHIBIT), long).ending(contains("prohibited by a route of this host")),
		{name: "dropped by nft in mid-run", rig: firewall("quota over 1000 bytes"), args: long, seconds: 5, code: critical, cause: "degraded", says: "loss"},
		midRun("send queue full", fullQueue, long).but(ok, "up", ""),
		midRun("send queue full at the first packets", fullQueue, one).but(ok, "up", ""),
		midRun("route replaced by a silent one", routeReplaced(nobody), long),
		midRun("route replaced by one that answers, with --via,", routeReplaced(answers), append(words("--via tun0"), long...)).but(critical, "bypassed", "outside the tunnel"),
		midRun("permission for ICMP lost", onlyRaw, long).but(ok, "up", ""),
		{name: "an address of this host", args: words("-H 10.1.0.20"), code: unknown, cause: "misuse", says: "an address of this host itself"},
		{name: "an address of this host, IPv6", args: words("-H fd00:1::20"), code: unknown, cause: "misuse", says: "an address of this host itself"},
		{name: "an address of this host by TCP, IPv6", args: words("-H tcp://[fd00:1::20]:22"), code: unknown, cause: "misuse", says: "an address of this host itself"},
		down("a tunnel whose daemon hangs", stuffed, one).from(hanging),
		{name: "no permission for ICMP", args: one, rig: onlyRaw, odd: asNobody, code: unknown, cause: "misuse", says: "no permission to send ICMP"},
		{name: "no permission for ICMP, IPv6", args: one6, rig: onlyRaw, odd: asNobody, code: unknown, cause: "misuse", says: "no permission to send ICMP"},
		{name: "no permission for ICMP, a far target by TCP", rig: onlyRaw, odd: asNobody, args: words("-H tcp://10.2.0.1:5432"), code: critical, cause: "down"},
		{name: "permission for raw ICMP alone", args: one, rig: onlyRaw, code: ok, cause: "up"},
		{name: "permission for raw ICMP alone, IPv6", args: one6, rig: onlyRaw, code: ok, cause: "up"},
	}
}
