package main

import (
	"errors"
	"os/exec"
	"slices"
	"time"

	"checkvpn/pkg/lab"
)

// between is what happens to packets between the two sites, both ways.
func between(c lab.Conditions) func(*place) error {
	return func(p *place) error {
		p.net.SetBoth(p.near, p.far, c)
		p.undo(func() error { p.net.SetBoth(p.near, p.far, lab.Conditions{}); return nil })
		return nil
	}
}

// Conditions that several rows have.
var (
	dead    = between(lab.Conditions{CutTunnels: true})
	delayed = func(d time.Duration) func(*place) error { return between(lab.Conditions{Delay: d}) }
)

// lossy drops each packet of this number, each way. OpenVPN's next handshake may
// begin while packets are lost: if it then fails, the tunnel is down for seconds.
// So it is raised anew.
func lossy(every int) func(*place) error {
	return func(p *place) error {
		if p.pair != nil {
			p.undo(func() error { return errors.Join(p.tunnel.Down(), upAgain(p)) })
		}
		return between(lab.Conditions{DropEvery: every})(p)
	}
}

// tunnelDoes breaks the tunnel's near end, which is raised anew after it.
func tunnelDoes(do ...func(*lab.Tunnel) error) func(*place) error {
	return func(p *place) error {
		p.undo(func() error { return errors.Join(p.tunnel.Restore(), p.tunnel.Down(), upAgain(p)) })
		for _, d := range do {
			if err := d(p.tunnel); err != nil {
				return err
			}
		}
		return nil
	}
}

// upAgain brings the near end back. If the peer still takes it for the old one, the
// first try may fail.
func upAgain(p *place) error {
	err := p.tunnel.Up()
	for range 2 {
		if err == nil {
			return nil
		}
		err = errors.Join(p.tunnel.Down(), p.tunnel.Up())
	}
	return err
}

// off stops a host or a group of the far site.
func off(stop, start func(*lab.Site, string) error, name string) func(*place) error {
	return func(p *place) error {
		p.undo(func() error { return start(p.far, name) })
		return stop(p.far, name)
	}
}

func hostDead(name string) func(*place) error {
	return off((*lab.Site).StopMachine, (*lab.Site).StartMachine, name)
}

func groupDead(name string) func(*place) error {
	return off((*lab.Site).StopGroup, (*lab.Site).StartGroup, name)
}

// sysctl sets a kernel setting of a node, and afterwards what the lab has.
func sysctl(at func(*place) *lab.Node, path, value, usual string) func(*place) error {
	return func(p *place) error {
		p.undo(func() error { return at(p).Sysctl(path, usual) })
		return at(p).Sysctl(path, value)
	}
}

func nearHost(p *place) *lab.Node   { return p.near.Node }
func farGateway(p *place) *lab.Node { return p.far.Gateway }

// Pings that this user may not send, that the far site does not answer, and that
// its kernel answers once in 100 ms, after a burst of six.
var (
	noPings   = sysctl(nearHost, "net/ipv4/ping_group_range", "1 0", "0 2147483647")
	filtered  = sysctl(farGateway, "net/ipv4/icmp_echo_ignore_all", "1", "0")
	limitICMP = all(sysctl(farGateway, "net/ipv4/icmp_ratemask", "6169", "6168"), sysctl(farGateway, "net/ipv4/icmp_ratelimit", "100", "0"))
)

// asked is how the near site's name server behaves.
func asked(s lab.NameServer) func(*place) error {
	return func(p *place) error {
		p.undo(func() error { p.pair.DNS.Set(p.pair.Zone, 0); return nil })
		p.pair.DNS.Set(s, 0)
		return nil
	}
}

// Arguments.
func far(family int, named bool) (args []string) {
	for _, m := range lab.PairMachines() {
		if named {
			args = append(args, "-H", m.Names[0])
		} else {
			args = append(args, "-H", m.Name+"/"+m.Group+"="+m.Addrs[family].String())
		}
	}
	return args
}

// usual is what a site would ask.
var usual = append(words("--near gateway=10.1.0.1 --peer peer=198.51.100.1"), far(0, false)...)

func and(line string) []string { return append(words(line), usual...) }

// verdicts are what becomes of a tunnel. The first rows have one outage of each
// cause, over each kind of tunnel: these are recorded for the tests of the judge.
// What the plugins cannot tell apart by the kind of tunnel is asked over one.
func verdicts() []scenario {
	row := func(name, want string, breaks func(*place) error, args []string, says ...string) scenario {
		return scenario{name: name, over: wireguard, breaks: breaks, args: args, want: want, says: says}
	}
	causes := []scenario{
		row("healthy", "OK up", nil, usual, "14 of 14 hosts answer"),
		row("no permission for ICMP", "UNKNOWN misuse", noPings, usual, "no permission to send ICMP").as(asNobody),
		row("resolver silent", "CRITICAL resolver-down", asked(lab.SilentNames), words("-t 3 -H a1.example -H b1.example --near gateway=10.1.0.1"), "the resolver is silent"),
		row("a service refuses", "CRITICAL refused", nil, words("--near gateway=10.1.0.1 --peer peer=198.51.100.1 -H db=tcp://10.2.1.1:5433"), "connection refused"),
		row("near gateway dead", "CRITICAL near-down", func(p *place) error {
			p.undo(p.near.StartInside)
			return p.near.StopInside()
		}, append(words("--near gateway=10.1.0.1"), far(0, false)...), "our side"),
		row("far gateway dead", "CRITICAL peer-down", between(lab.Conditions{Cut: true}), usual, "far gateway unreachable", "replication is paused"),
		row("tunnel dead, both ends alive", "CRITICAL tunnel-down", dead, usual, "0 of 14 hosts answer, both gateways are up"),
		row("no peer asked", "CRITICAL down", dead, far(0, false), "far gateway not checked"),
		row("packets lost each way", "WARNING degraded", lossy(4), usual),
		row("big packets vanish", "CRITICAL black-hole", between(lab.Conditions{MaxPacket: 1200}), and("--mtu 1300"), "bytes"),
		row("one host dead", "WARNING partial", hostDead("b2"), usual, "1 of 14 hosts is silent"),
		row("fewer than needed", "CRITICAL too-few", groupDead("b"), and("-m 12"), "9 of 14 hosts answer, 12 must"),
		row("pings filtered at the far end", "WARNING filtered", filtered, and("--replication db=tcp://10.2.1.1:5432"), "replication db does"),
		row("one peer of two silent", "WARNING unprotected", nil, and("--peer second=203.0.113.7 --min-peer 2"), "1 of 2 peers answers, 2 must"),
		row("a replication port fails", "WARNING service-down", nil, and("--replication db=tcp://10.2.1.1:5432 --replication none=tcp://10.2.1.2:5433")),
		row("tunnel gone, a clear route answers", "CRITICAL bypassed", tunnelDoes((*lab.Tunnel).Down, (*lab.Tunnel).Bypass), append(words("--via {tunnel}"), far(0, false)...), "outside the tunnel"),
	}
	for i := range causes {
		causes[i].over = each
	}
	causes[len(causes)-1].atGateway = true

	through := row("traffic leaves by the tunnel", "OK up", nil, append(words("--via {tunnel}"), far(0, false)...))
	before := row("tunnel there, a clear route before it", "CRITICAL bypassed", tunnelDoes((*lab.Tunnel).Bypass), through.args)
	through.atGateway, before.atGateway = true, true
	idle := row("idle, comes up on the first packet", "OK up", func(p *place) error { return p.tunnel.Idle() }, usual)
	rekey := row("rekey during the check", "OK up", nil, append(words("-n 50"), usual...))
	rekey.over = ipsec
	rekey.during = func(p *place, _ *exec.Cmd) error { return p.tunnel.Rekey() }
	byIKE := row("tunnel dead, the peer seen by IKE", "CRITICAL tunnel-down", dead, append(words("--near gateway=10.1.0.1 --peer peer=ike://198.51.100.1"), far(0, false)...))
	byIKE.over = ipsec

	of := func(program string, s scenario) scenario {
		s.program = program
		return s
	}
	const licensing, office = "check_vpn_licensing", "check_vpn_office"
	some := []scenario{
		row("healthy, 140 ms each way", "OK up", delayed(140*time.Millisecond), usual),
		row("every hundredth packet lost", "OK up", lossy(100), usual),
		row("big packets pass", "OK up", nil, and("--mtu 1300")),
		row("a peer that never answers", "OK up", nil, append(words("--peer peer=203.0.113.7 --near gateway=10.1.0.1"), far(0, false)...)),
		row("far side limits ICMP to 10 a second", "OK up", limitICMP, words("-H 10.2.1.1 -n 10")),
		row("by unprivileged ICMP", "OK up", nil, usual).as(asNobody),
		row("no permission for ICMP, by TCP", "OK up", noPings, words("-H db=tcp://10.2.1.1:5432")).as(asNobody),
		row("fourteen names that resolve slowly", "OK up", func(p *place) error {
			p.undo(func() error { p.pair.DNS.Set(p.pair.Zone, 0); return nil })
			p.pair.DNS.Set(p.pair.Zone, 2*time.Second)
			return nil
		}, far(0, true)),
		idle, rekey, through, before, byIKE,

		row("tunnel dead one way", "CRITICAL tunnel-down", func(p *place) error {
			p.undo(func() error { p.net.Set(p.far, p.near, lab.Conditions{}); return nil })
			p.net.Set(p.far, p.near, lab.Conditions{CutTunnels: true})
			return nil
		}, usual),
		row("tunnel dead, by IPv6", "CRITICAL tunnel-down", dead, append(words("--near gateway=10.1.0.1 --peer peer=198.51.100.1"), far(1, false)...)),
		row("interface and routes gone", "CRITICAL tunnel-down", tunnelDoes((*lab.Tunnel).Down), usual),
		row("prohibited on the way", "CRITICAL peer-down", between(lab.Conditions{Prohibited: true}), usual, "administratively prohibited"),
	}
	// As well over any other kind: so that all three are busy.
	others := []scenario{
		row("resolver refuses", "CRITICAL resolver-down", asked(lab.RefusedNames), words("-H a1.example -H b1.example"), "the resolver refuses"),
		row("no such name", "CRITICAL resolver-down", nil, words("-H nobody.example"), "no such name"),
		row("a certificate for another name", "CRITICAL refused", nil, words("-H web=https://alias.example/"), "TLS: certificate is for another name"),
		row("near gateway silent, its traffic passes", "CRITICAL tunnel-down", dead, append(words("--near gateway=203.0.113.7 --peer peer=198.51.100.1"), far(0, false)...), "the far gateway is up"),

		row("most packets lost each way", "CRITICAL degraded", lossy(2), usual),
		row("300 ms each way", "WARNING degraded", delayed(300*time.Millisecond), and("-w 100,20% -c 2000,60%"), "limit 100 ms"),
		row("a gateway says too big", "CRITICAL black-hole", tunnelDoes(func(t *lab.Tunnel) error { return t.SetMTU(1290) }), and("--mtu 1300"), "packets over 1290 bytes do not fit, says 10.1.0.1"),
		row("one group dead", "WARNING partial", groupDead("b"), usual, "group b silent"),
		row("one host dead, and replication fails", "CRITICAL service-down", hostDead("b2"), and("--replication none=tcp://10.2.1.2:5433"), "1 of 14 hosts is silent"),
		row("pings filtered at the far end, a host check", "CRITICAL filtered", filtered, and("--replication db=tcp://10.2.1.1:5432 --host-check"), "WARNING: "),

		of(licensing, row("licensing, the public way fine", "WARNING tunnel-down", dead, and("--public https://www.example/"), "licence applications still work")),
		of(licensing, row("licensing, the public way broken", "CRITICAL tunnel-down", all(dead, func(p *place) error {
			p.undo(func() error { p.net.SetBoth(p.near, p.pair.WWW, lab.Conditions{}); return nil })
			p.net.SetBoth(p.near, p.pair.WWW, lab.Conditions{Cut: true})
			return nil
		}), and("-t 4 --public https://www.example/"), "licence applications fail")),
		of(licensing, row("the public way fails, the tunnel is well", "WARNING service-down", nil, and("--public apply=https://www.example:444/"), "not the VPN")),
		of(office, row("office, in its hours", "WARNING tunnel-down", dead, and("--office-hours always"))),
		of(office, row("office, out of its hours", "CRITICAL tunnel-down", dead, and("--office-hours never"), "monitoring or vCloud Director, not both")),
	}
	for i := range others {
		others[i].over = openvpn
	}
	return slices.Concat(causes, some, others)
}
