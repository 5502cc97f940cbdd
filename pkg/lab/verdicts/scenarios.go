package main

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"checkvpn/pkg/lab"
)

// scenario is one state of the world and what the plugin should say of it.
type scenario struct {
	name   string
	only   string // kind of tunnel; empty for all
	breaks func(*world) error
	mends  func(*world) error

	program   string // check_vpn_dr where it is empty
	atGateway bool   // the plugin runs on the near gateway itself
	args      func(*world) []string

	nobody bool // the plugin runs without any privilege

	cause, state string
	says         []string // words of line 1
	reason       string   // words that some target's reason must have
}

const (
	ok       = "OK"
	warning  = "WARNING"
	critical = "CRITICAL"
	unknown  = "UNKNOWN"
)

// Arguments.

func far(w *world) (args []string) {
	for _, m := range w.far.Machines {
		args = append(args, "-H", fmt.Sprintf("%s/%s=%s", m.Name, m.Group, m.Addrs[0]))
	}
	return args
}

func far6(w *world) (args []string) {
	for _, m := range w.far.Machines {
		args = append(args, "-H", fmt.Sprintf("%s/%s=%s", m.Name, m.Group, m.Addrs[1]))
	}
	return args
}

func names(w *world) (args []string) {
	for _, m := range w.far.Machines {
		args = append(args, "-H", m.Names[0])
	}
	return args
}

func throughTunnel(w *world) []string { return []string{"--via", w.tunnel.Interface} }

func gateways(*world) []string {
	return []string{"--near", "gateway=10.1.0.1", "--peer", "peer=198.51.100.1"}
}

func words(w ...string) func(*world) []string {
	return func(*world) []string { return w }
}

func both(parts ...func(*world) []string) func(*world) []string {
	return func(w *world) (args []string) {
		for _, part := range parts {
			args = append(args, part(w)...)
		}
		return args
	}
}

// usual is what a site would ask.
var usual = both(gateways, far)

// Faults.

func between(c lab.Conditions) func(*world) error {
	return func(w *world) error {
		w.SetBoth(w.near, w.far, c)
		return nil
	}
}

var mended = between(lab.Conditions{})

func oneWay(c lab.Conditions) func(*world) error {
	return func(w *world) error {
		w.Set(w.far, w.near, c)
		return nil
	}
}

func pingGroups(groups string) func(*world) error {
	return func(w *world) error { return w.near.Sysctl("net/ipv4/ping_group_range", groups) }
}

func resolver(mode lab.DNSMode) func(*world) error {
	return func(w *world) error {
		w.dns.Set(mode, 0)
		return nil
	}
}

func slowResolver(delay time.Duration) func(*world) error {
	return func(w *world) error {
		w.dns.Set(lab.DNSAnswers, delay)
		return nil
	}
}

// farNetwork is behind the tunnel, seen from the near host.
var farNetwork = &net.IPNet{IP: net.IPv4(10, 2, 0, 0).To4(), Mask: net.CIDRMask(16, 32)}

// ownRoute sets a route of the checking machine's own that turns packets away.
func ownRoute(kind int) func(*world) error {
	return func(w *world) error {
		return w.near.Do(func() error { return netlink.RouteAdd(&netlink.Route{Dst: farNetwork, Type: kind}) })
	}
}

func noOwnRoute(w *world) error {
	return w.near.Do(func() error {
		routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Dst: farNetwork}, netlink.RT_FILTER_DST)
		for _, r := range routes {
			err = errors.Join(err, netlink.RouteDel(&r))
		}
		return err
	})
}

// upAgain brings the near end back. Where the peer still takes it for the old
// one, the first try may fail.
func upAgain(w *world) error {
	err := w.tunnel.Up()
	for range 2 {
		if err == nil {
			return nil
		}
		err = errors.Join(w.tunnel.Down(), w.tunnel.Up())
	}
	return err
}

// mendedAndNew raises the tunnel anew too. OpenVPN's next handshake may have begun
// while packets were lost: if it then fails, the tunnel is down for seconds.
func mendedAndNew(w *world) error {
	return errors.Join(mended(w), w.tunnel.Down(), upAgain(w))
}

func scenarios() []scenario {
	var all []scenario
	for _, part := range [][]scenario{healthy(), down(), impaired(), beside()} {
		all = append(all, part...)
	}
	return all
}

func healthy() []scenario {
	return []scenario{
		{name: "healthy", args: usual, cause: "up", state: ok, says: []string{"14 of 14 hosts answer"}},
		{name: "healthy, 50 ms each way", args: both(gateways, far, words("-w", "200,20%")),
			breaks: between(lab.Conditions{Delay: 50 * time.Millisecond}), mends: mended, cause: "up", state: ok},
		{name: "healthy, 140 ms each way", args: both(gateways, far, words("-w", "400,20%")),
			breaks: between(lab.Conditions{Delay: 140 * time.Millisecond}), mends: mended, cause: "up", state: ok},
		{name: "rekey during the check", args: both(usual, words("-n", "50")),
			breaks: func(w *world) error {
				go func() {
					time.Sleep(300 * time.Millisecond)
					_ = w.tunnel.Rekey()
				}()
				return nil
			}, cause: "up", state: ok},
		{name: "idle, comes up on the first packet", only: "wireguard", args: usual,
			breaks: func(w *world) error { return w.tunnel.Idle() }, cause: "up", state: ok},
		{name: "traffic leaves by the tunnel", args: both(far, throughTunnel), atGateway: true, cause: "up", state: ok},
		{name: "a peer that never answers", args: both(far, words("--peer", "peer=203.0.113.7", "--near", "gateway=10.1.0.1")),
			cause: "up", state: ok},
		{name: "far side limits ICMP to 10 a second", args: words("-H", "10.2.1.1", "-n", "10"),
			breaks: limitICMP("100"), mends: limitICMP("0"), cause: "up", state: ok},
		{name: "by unprivileged ICMP", args: usual, nobody: true, cause: "up", state: ok},
		{name: "no permission for ICMP", args: usual, nobody: true, breaks: pingGroups("1 0"), mends: pingGroups("0 2147483647"),
			cause: "misuse", state: unknown, says: []string{"no permission to send ICMP"}},
		{name: "no permission for ICMP, by TCP", args: words("-H", "db=tcp://10.2.1.1:5432"), nobody: true,
			breaks: pingGroups("1 0"), mends: pingGroups("0 2147483647"), cause: "up", state: ok},
		{name: "fourteen names that resolve slowly", args: names, breaks: slowResolver(2 * time.Second), mends: slowResolver(0), cause: "up", state: ok},
		{name: "by TCP alone", args: words("-H", "db=tcp://10.2.1.1:5432"), cause: "up", state: ok},
	}
}

// limitICMP makes the kernel of the far gateway answer one echo request in so
// many milliseconds, after a burst of six; 0 lifts the limit.
func limitICMP(ms string) func(*world) error {
	return func(w *world) error {
		const defaults = "6168"
		mask := defaults
		if ms != "0" {
			mask = "6169" // echo replies, too
		}
		if err := w.far.Gateway.Sysctl("net/ipv4/icmp_ratemask", mask); err != nil {
			return err
		}
		return w.far.Gateway.Sysctl("net/ipv4/icmp_ratelimit", ms)
	}
}

// noPings makes the far site, hosts and gateway, ignore echo requests, or not.
func noPings(ignore string) func(*world) error {
	return func(w *world) error { return w.far.Gateway.Sysctl("net/ipv4/icmp_echo_ignore_all", ignore) }
}

func down() []scenario {
	return []scenario{
		{name: "near gateway dead", args: both(far, words("--near", "gateway=10.1.0.1")), breaks: func(w *world) error { return w.near.StopInside() },
			mends: func(w *world) error { return w.near.StartInside() },
			cause: "near-down", state: critical, says: []string{"our side"}},
		{name: "far gateway dead", args: usual, breaks: between(lab.Conditions{Cut: true}), mends: mended,
			cause: "peer-down", state: critical, says: []string{"far gateway unreachable", "replication is paused"}},
		{name: "tunnel dead, both ends alive", args: usual, breaks: between(lab.Conditions{CutTunnels: true}), mends: mended,
			cause: "tunnel-down", state: critical, says: []string{"0 of 14 hosts answer, both gateways are up"}},
		{name: "tunnel dead one way", args: usual, breaks: oneWay(lab.Conditions{CutTunnels: true}), mends: oneWay(lab.Conditions{}),
			cause: "tunnel-down", state: critical},
		{name: "interface and routes gone", args: usual, breaks: func(w *world) error { return w.tunnel.Down() },
			mends: func(w *world) error { return upAgain(w) }, cause: "tunnel-down", state: critical},
		{name: "prohibited by a route here", args: usual, breaks: ownRoute(unix.RTN_PROHIBIT), mends: noOwnRoute,
			cause: "tunnel-down", state: critical, reason: "prohibited by a route of this host"},
		{name: "unreachable by a route here", args: usual, breaks: ownRoute(unix.RTN_UNREACHABLE), mends: noOwnRoute,
			cause: "tunnel-down", state: critical, reason: "no route to host"},
		{name: "blackholed by a route here, TCP", args: both(gateways, words("-H", "db=tcp://10.2.1.1:5432")),
			breaks: ownRoute(unix.RTN_BLACKHOLE), mends: noOwnRoute,
			cause: "tunnel-down", state: critical, reason: "blackholed by a route of this host"},
		{name: "prohibited on the way", args: usual, breaks: between(lab.Conditions{Prohibited: true}), mends: mended,
			cause: "peer-down", state: critical, reason: "administratively prohibited"},
		{name: "IKE up, no child SA", only: "ipsec", args: usual, breaks: func(w *world) error { return w.tunnel.CloseChild() },
			mends: func(w *world) error { return errors.Join(w.tunnel.Down(), upAgain(w)) }, cause: "tunnel-down", state: critical},
		{name: "wrong pre-shared key", only: "ipsec", args: usual, breaks: func(w *world) error { return w.tunnel.WrongSecret() },
			mends: func(w *world) error { return errors.Join(w.tunnel.Down(), upAgain(w)) }, cause: "tunnel-down", state: critical},
		{name: "no peer asked", args: far, breaks: between(lab.Conditions{CutTunnels: true}), mends: mended,
			cause: "down", state: critical, says: []string{"far gateway not checked"}},
		{name: "tunnel dead, by IPv6", only: "wireguard", args: both(gateways, far6), breaks: between(lab.Conditions{CutTunnels: true}), mends: mended,
			cause: "tunnel-down", state: critical},
		{name: "tunnel dead, the peer seen by IKE", only: "ipsec", args: both(far, words("--near", "gateway=10.1.0.1", "--peer", "peer=ike://198.51.100.1")),
			breaks: between(lab.Conditions{CutTunnels: true}), mends: mended, cause: "tunnel-down", state: critical},
		{name: "resolver silent", args: words("-H", "a1.example", "-H", "b1.example", "--near", "gateway=10.1.0.1"),
			breaks: resolver(lab.DNSSilent), mends: resolver(lab.DNSAnswers), cause: "resolver-down", state: critical, says: []string{"the resolver is silent"}},
		{name: "resolver refuses", args: words("-H", "a1.example", "-H", "b1.example"),
			breaks: resolver(lab.DNSRefuses), mends: resolver(lab.DNSAnswers), cause: "resolver-down", state: critical, says: []string{"the resolver refuses"}},
		{name: "no such name", args: words("-H", "nobody.example"), cause: "resolver-down", state: critical, says: []string{"no such name"}},
		{name: "a service refuses", args: both(gateways, words("-H", "db=tcp://10.2.1.1:5433")), cause: "refused", state: critical,
			says: []string{"connection refused"}},
		{name: "a certificate for another name", args: words("-H", "web=https://alias.example/"), cause: "refused", state: critical,
			says: []string{"TLS: certificate is for another name"}},
		{name: "licensing, the public way fine", program: "check_vpn_licensing", args: both(usual, words("--public", "https://www.example/")),
			breaks: between(lab.Conditions{CutTunnels: true}), mends: mended, cause: "tunnel-down", state: warning, says: []string{"licence applications still work"}},
		{name: "licensing, the public way broken", program: "check_vpn_licensing", args: both(usual, words("--public", "https://www.example/")),
			breaks: func(w *world) error {
				w.SetBoth(w.near, w.www, lab.Conditions{Cut: true})
				return between(lab.Conditions{CutTunnels: true})(w)
			},
			mends: func(w *world) error {
				w.SetBoth(w.near, w.www, lab.Conditions{})
				return mended(w)
			}, cause: "tunnel-down", state: critical, says: []string{"licence applications fail"}},
		{name: "office, in its hours", program: "check_vpn_office", args: both(usual, words("--office-hours", "always")),
			breaks: between(lab.Conditions{CutTunnels: true}), mends: mended, cause: "tunnel-down", state: warning},
		{name: "office, out of its hours", program: "check_vpn_office", args: both(usual, words("--office-hours", "never")),
			breaks: between(lab.Conditions{CutTunnels: true}), mends: mended, cause: "tunnel-down", state: critical, says: []string{"monitoring or vCloud Director, not both"}},
	}
}

func impaired() []scenario {
	return []scenario{
		{name: "25% lost each way", args: usual, breaks: between(lab.Conditions{Loss: .25}), mends: mendedAndNew, cause: "degraded", state: warning},
		{name: "60% lost each way", args: usual, breaks: between(lab.Conditions{Loss: .6}), mends: mendedAndNew,
			cause: "degraded", state: critical},
		{name: "80 ms each way", args: usual, breaks: between(lab.Conditions{Delay: 80 * time.Millisecond}), mends: mended,
			cause: "degraded", state: warning, says: []string{"limit 100 ms"}},
		{name: "big packets pass", args: both(usual, words("--mtu", "1300")), cause: "up", state: ok},
		{name: "big packets vanish", args: both(usual, words("--mtu", "1300")), breaks: between(lab.Conditions{MaxPacket: 1200}), mends: mended,
			cause: "black-hole", state: critical, says: []string{"bytes"}},
		{name: "a gateway says too big", args: both(usual, words("--mtu", "1300")), breaks: func(w *world) error { return w.tunnel.SetMTU(1290) },
			mends: func(w *world) error { return w.tunnel.SetMTU(1400) }, cause: "black-hole", state: critical, says: []string{"packets over 1290 bytes do not fit, says 10.1.0.1"}},
		{name: "every hundredth packet lost", args: usual, breaks: between(lab.Conditions{DropEvery: 100}), mends: mended, cause: "up", state: ok},
	}
}

func beside() []scenario {
	return []scenario{
		{name: "tunnel gone, a clear route answers", args: both(far, throughTunnel), atGateway: true,
			breaks: func(w *world) error { return errors.Join(w.tunnel.Down(), w.tunnel.Bypass()) },
			mends:  func(w *world) error { return errors.Join(w.tunnel.Restore(), upAgain(w)) },
			cause:  "bypassed", state: critical, says: []string{"outside the tunnel"}},
		{name: "tunnel there, a clear route before it", args: both(far, throughTunnel), atGateway: true,
			breaks: func(w *world) error { return w.tunnel.Bypass() }, mends: func(w *world) error { return w.tunnel.Restore() },
			cause: "bypassed", state: critical},
		{name: "one host dead", args: usual, breaks: func(w *world) error { return w.far.StopMachine("b2") },
			mends: func(w *world) error { return w.far.StartMachine("b2") }, cause: "partial", state: warning, says: []string{"1 of 14 hosts is silent"}},
		{name: "pings filtered at the far end", args: both(usual, words("--replication", "db=tcp://10.2.1.1:5432")),
			breaks: noPings("1"), mends: noPings("0"), cause: "filtered", state: warning, says: []string{"replication db does"}},
		{name: "pings filtered at the far end, a host check", args: both(usual, words("--replication", "db=tcp://10.2.1.1:5432", "--host-check")),
			breaks: noPings("1"), mends: noPings("0"), cause: "filtered", state: warning},
		{name: "one peer of two silent", args: both(usual, words("--peer", "second=203.0.113.7", "--min-peer", "2")),
			cause: "unprotected", state: warning, says: []string{"1 of 2 peers answers, 2 must"}},
		{name: "near gateway silent, its traffic passes", args: both(far, words("--near", "gateway=203.0.113.7", "--peer", "peer=198.51.100.1")),
			breaks: between(lab.Conditions{CutTunnels: true}), mends: mended, cause: "tunnel-down", state: critical, says: []string{"the far gateway is up"}},
		{name: "one host dead, and replication fails", args: both(usual, words("--replication", "none=tcp://10.2.1.2:5433")),
			breaks: func(w *world) error { return w.far.StopMachine("b2") },
			mends:  func(w *world) error { return w.far.StartMachine("b2") }, cause: "service-down", state: critical, says: []string{"1 of 14 hosts is silent"}},
		{name: "one group dead", args: usual, breaks: func(w *world) error { return w.far.StopGroup("b") },
			mends: func(w *world) error { return w.far.StartGroup("b") }, cause: "partial", state: warning, says: []string{"group b silent"}},
		{name: "fewer than needed", args: both(usual, words("-m", "12")), breaks: func(w *world) error { return w.far.StopGroup("b") },
			mends: func(w *world) error { return w.far.StartGroup("b") }, cause: "too-few", state: critical, says: []string{"9 of 14 hosts answer, 12 must"}},
		{name: "a replication port fails", args: both(usual, words("--replication", "db=tcp://10.2.1.1:5432", "--replication", "none=tcp://10.2.1.2:5433")),
			cause: "service-down", state: warning},
		{name: "the public way fails, the tunnel is well", program: "check_vpn_licensing", args: both(usual, words("--public", "apply=https://www.example:444/")),
			cause: "service-down", state: warning, says: []string{"not the VPN"}},
	}
}
