package main

import (
	"errors"
	"time"

	"checkvpn/pkg/lab"
)

// Who a condition is about.
func near(p *place) *lab.Site { return p.Near }
func far(p *place) *lab.Site  { return p.Far }
func www(p *place) *lab.Site  { return p.pair.WWW }

// oneWay is what happens to packets from one site to another.
func oneWay(from, to func(*place) *lab.Site, c lab.Conditions) breaker {
	return func(p *place) error {
		p.undo(func() error { p.net.Set(from(p), to(p), lab.Conditions{}); return nil })
		p.net.Set(from(p), to(p), c)
		return nil
	}
}

// between is what happens between the two sites, both ways.
func between(c lab.Conditions) breaker { return all(oneWay(near, far, c), oneWay(far, near, c)) }

// Conditions that several rows have.
var (
	tunnelsCut = lab.Conditions{CutTunnels: true}
	dead       = between(tunnelsCut)
	delayed    = func(d time.Duration) breaker { return between(lab.Conditions{Delay: d}) }
)

// lossy drops each packet of this number, each way. OpenVPN's next handshake may
// begin while packets are lost: if it then fails, the tunnel is down for seconds.
// So it is raised anew.
func lossy(every int) breaker {
	loses := between(lab.Conditions{DropEvery: every})
	return func(p *place) error {
		if p.pair != nil {
			p.undo(func() error { return errors.Join(p.Tunnel.Down(), p.Tunnel.Up()) })
		}
		return loses(p)
	}
}

// tunnelDoes breaks the tunnel's near end, which is raised anew after it.
func tunnelDoes(do ...func(*lab.Tunnel) error) breaker {
	return func(p *place) error {
		p.undo(func() error { return errors.Join(p.Tunnel.Bypass(false), p.Tunnel.Down(), p.Tunnel.Up()) })
		for _, d := range do {
			if err := d(p.Tunnel); err != nil {
				return err
			}
		}
		return nil
	}
}

func bypass(t *lab.Tunnel) error { return t.Bypass(true) }

func hostDead(name string) breaker {
	return func(p *place) error {
		p.undo(func() error { return p.Far.StartMachine(name) })
		return p.Far.StopMachine(name)
	}
}

func groupDead(name string) breaker {
	return func(p *place) error {
		p.undo(func() error { return p.Far.StartGroup(name) })
		return p.Far.StopGroup(name)
	}
}

// sysctl sets a kernel setting of a site's gateway, or of the host inside where it
// has one, and afterwards what the lab has.
func sysctl(at func(*place) *lab.Site, path, value, usual string) breaker {
	return func(p *place) error {
		p.undo(func() error { return at(p).Sysctl(path, usual) })
		return at(p).Sysctl(path, value)
	}
}

// Pings that this user may not send, that the far site does not answer, and that
// its kernel answers once in 100 ms, after a burst of six.
var (
	noPings   = sysctl(near, "net/ipv4/ping_group_range", "1 0", "0 2147483647")
	filtered  = sysctl(far, "net/ipv4/icmp_echo_ignore_all", "1", "0")
	limitICMP = all(sysctl(far, "net/ipv4/icmp_ratemask", "6169", "6168"), sysctl(far, "net/ipv4/icmp_ratelimit", "100", "0"))
)

// asked is how the near site's name server behaves.
func asked(s lab.NameServer, delay time.Duration) breaker {
	return func(p *place) error {
		p.undo(func() error { p.DNS.Set(p.Zone, 0); return nil })
		if s == nil {
			s = p.Zone
		}
		p.DNS.Set(s, delay)
		return nil
	}
}

// fourteen are arguments for the far machines, by their addresses of IPv4 (0) or IPv6
// (1), or by name.
func fourteen(family int, named bool) (args []string) {
	for _, m := range lab.PairMachines() {
		if named {
			args = append(args, "-H", m.Names[0])
		} else {
			args = append(args, "-H", m.Name+"/"+m.Group+"="+m.Addrs[family].String())
		}
	}
	return args
}

// behind asks for the far machines, after the arguments of a line.
func behind(line string) []string { return append(words(line), fourteen(0, false)...) }

// usual is what a site would ask.
var usual = behind("--near gateway=10.1.0.1 --peer peer=198.51.100.1")

func and(line string) []string { return append(words(line), usual...) }

// verdicts are what becomes of a tunnel. The first rows have one outage of each
// cause, over each kind of tunnel: these are recorded for the tests of the judge.
// What the plugins cannot tell apart by the kind of tunnel is asked over one.
func verdicts() []scenario {
	over := func(ways ...string) func(string, string, breaker, []string, ...string) scenario {
		return func(name, want string, breaks breaker, args []string, says ...string) scenario {
			return scenario{name: name, over: ways, breaks: breaks, args: args, want: want, says: says}
		}
	}
	cause, row, busy := over(each...), over("wireguard"), over("openvpn")
	const licensing, office = "check_vpn_licensing", "check_vpn_office"
	return []scenario{
		cause("healthy", "OK up", nil, usual, "14 of 14 hosts answer"),
		cause("no permission for ICMP", "UNKNOWN misuse", noPings, usual, "no permission to send ICMP").as(asNobody),
		cause("resolver silent", "CRITICAL resolver-down", asked(lab.SilentNames, 0), words("-t 3 -H a1.example -H b1.example --near gateway=10.1.0.1"), "the resolver is silent"),
		cause("a service refuses", "CRITICAL refused", nil, words("--near gateway=10.1.0.1 --peer peer=198.51.100.1 -H db=tcp://10.2.1.1:5433"), "connection refused"),
		cause("near gateway dead", "CRITICAL near-down", func(p *place) error {
			p.undo(p.Near.StartInside)
			return p.Near.StopInside()
		}, behind("--near gateway=10.1.0.1"), "our side"),
		cause("far gateway dead", "CRITICAL peer-down", between(lab.Conditions{Cut: true}), usual, "far gateway unreachable", "replication is paused"),
		cause("tunnel dead, both ends alive", "CRITICAL tunnel-down", dead, usual, "0 of 14 hosts answer, both gateways are up"),
		cause("no peer asked", "CRITICAL down", dead, fourteen(0, false), "far gateway not checked"),
		cause("packets lost each way", "WARNING degraded", lossy(4), usual),
		cause("big packets vanish", "CRITICAL black-hole", between(lab.Conditions{MaxPacket: 1200}), and("--mtu 1300"), "bytes"),
		cause("one host dead", "WARNING partial", hostDead("b2"), usual, "1 of 14 hosts is silent"),
		cause("fewer than needed", "CRITICAL too-few", groupDead("b"), and("-m 12"), "9 of 14 hosts answer, 12 must"),
		cause("pings filtered at the far end", "WARNING filtered", filtered, and("--replication db=tcp://10.2.1.1:5432"), "replication db does"),
		cause("one peer of two silent", "WARNING unprotected", nil, and("--peer second=203.0.113.7 --min-peer 2"), "1 of 2 peers answers, 2 must"),
		cause("a replication port fails", "WARNING service-down", nil, and("--replication db=tcp://10.2.1.1:5432 --replication none=tcp://10.2.1.2:5433")),
		cause("tunnel gone, a clear route answers", "CRITICAL bypassed", tunnelDoes((*lab.Tunnel).Down, bypass), behind("--via {tunnel}"), "outside the tunnel").nearGateway(),

		row("healthy, 140 ms each way", "OK up", delayed(140*time.Millisecond), usual),
		row("every hundredth packet lost", "OK up", lossy(100), usual),
		row("big packets pass", "OK up", nil, and("--mtu 1300")),
		row("a peer that never answers", "OK up", nil, behind("--peer peer=203.0.113.7 --near gateway=10.1.0.1")),
		row("far side limits ICMP to 10 a second", "OK up", limitICMP, words("-H 10.2.1.1 -n 10")),
		row("by unprivileged ICMP", "OK up", nil, usual).as(asNobody),
		row("no permission for ICMP, by TCP", "OK up", noPings, words("-H db=tcp://10.2.1.1:5432")).as(asNobody),
		row("fourteen names that resolve slowly", "OK up", asked(nil, 2*time.Second), fourteen(0, true)),
		row("idle, comes up on the first packet", "OK up", func(p *place) error { return p.Tunnel.Idle() }, usual),
		row("rekey during the check", "OK up", nil, and("-n 50")).while(func(p *place) error { return p.Tunnel.Rekey() }).across("ipsec"),
		row("traffic leaves by the tunnel", "OK up", nil, behind("--via {tunnel}")).nearGateway(),
		row("tunnel there, a clear route before it", "CRITICAL bypassed", tunnelDoes(bypass), behind("--via {tunnel}")).nearGateway(),
		row("tunnel dead, the peer seen by IKE", "CRITICAL tunnel-down", dead, behind("--near gateway=10.1.0.1 --peer peer=ike://198.51.100.1")).across("ipsec"),

		row("tunnel dead one way", "CRITICAL tunnel-down", oneWay(far, near, tunnelsCut), usual),
		row("tunnel dead, by IPv6", "CRITICAL tunnel-down", dead, append(words("--near gateway=10.1.0.1 --peer peer=198.51.100.1"), fourteen(1, false)...)),
		row("interface and routes gone", "CRITICAL tunnel-down", tunnelDoes((*lab.Tunnel).Down), usual),
		row("prohibited on the way", "CRITICAL peer-down", between(lab.Conditions{Prohibited: true}), usual, "administratively prohibited"),

		// As well over any other kind: so that all three are busy.
		busy("resolver refuses", "CRITICAL resolver-down", asked(lab.RefusedNames, 0), words("-H a1.example -H b1.example"), "the resolver refuses"),
		busy("no such name", "CRITICAL resolver-down", nil, words("-H nobody.example"), "no such name"),
		busy("a certificate for another name", "CRITICAL refused", nil, words("-H web=https://alias.example/"), "TLS: certificate is for another name"),
		busy("near gateway silent, its traffic passes", "CRITICAL tunnel-down", dead, behind("--near gateway=203.0.113.7 --peer peer=198.51.100.1"), "the far gateway is up"),

		busy("most packets lost each way", "CRITICAL degraded", lossy(2), usual),
		busy("300 ms each way", "WARNING degraded", delayed(300*time.Millisecond), and("-w 100,20% -c 2000,60%"), "limit 100 ms"),
		busy("a gateway says too big", "CRITICAL black-hole", tunnelDoes(func(t *lab.Tunnel) error { return t.SetMTU(1290) }), and("--mtu 1300"), "packets over 1290 bytes do not fit, says 10.1.0.1"),
		busy("one group dead", "WARNING partial", groupDead("b"), usual, "group b silent"),
		busy("one host dead, and replication fails", "CRITICAL service-down", hostDead("b2"), and("--replication none=tcp://10.2.1.2:5433"), "1 of 14 hosts is silent"),
		busy("pings filtered at the far end, a host check", "CRITICAL filtered", filtered, and("--replication db=tcp://10.2.1.1:5432 --host-check"), "WARNING: "),

		busy("licensing, the public way fine", "WARNING tunnel-down", dead, and("--public https://www.example/"), "licence applications still work").by(licensing),
		busy("licensing, the public way broken", "CRITICAL tunnel-down", all(dead, oneWay(near, www, lab.Conditions{Cut: true})), and("-t 4 --public https://www.example/"), "licence applications fail").by(licensing),
		busy("the public way fails, the tunnel is well", "WARNING service-down", nil, and("--public apply=https://www.example:444/"), "not the VPN").by(licensing),
		busy("office, in its hours", "WARNING tunnel-down", dead, and("--office-hours always")).by(office),
		busy("office, out of its hours", "CRITICAL tunnel-down", dead, and("--office-hours never"), "monitoring or vCloud Director, not both").by(office),
	}
}
