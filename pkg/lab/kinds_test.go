package lab_test

import (
	"errors"
	"net"
	"testing"

	"checkvpn/pkg/lab"
)

func hasInterface(n *lab.Node, name string) (has bool) {
	n.Do(func() error {
		_, err := net.InterfaceByName(name)
		has = err == nil
		return nil
	})
	return has
}

// TestKinds has what the verdicts over a tunnel do not see.
func TestKinds(t *testing.T) {
	overEach(t, func(t *testing.T, p *pair) {
		host := p.Near.Node
		mustAnswer(t, host, one, one6, other, peer, peer6, "fd00:1::1")
		mustAnswer(t, p.Near.Gateway, one, one6)
		mustAnswer(t, p.Far.Gateway, lab.PairHost, "fd00:1::20")
		mustBeSilent(t, host, nobody)
		must(t, p.Tunnel.SetMTU(1380))
		if !passes(t, host, one, 1380) || passes(t, host, one, 1381) {
			t.Error("not these sizes pass")
		}
		for range 2 {
			must(t, p.Tunnel.Down())
			must(t, p.Tunnel.Down()) // again: no error
			if hasInterface(p.Near.Gateway, p.Tunnel.Interface) {
				t.Errorf("%s is still there", p.Tunnel.Interface)
			}
			// Inner addresses mean nothing on the internet: the tunnel is the only way.
			mustBeSilent(t, host, one, one6)
			mustAnswer(t, host, peer)
			must(t, p.Tunnel.Up())
			must(t, p.Tunnel.Up())
			mustAnswer(t, host, one, one6)
		}
		// A machine's address may be where the tunnel's routes say they are from.
		must(t, p.Far.StopGroup("a"))
		mustAnswer(t, host, other)
		// To raise a tunnel ends, also if nobody is there.
		must(t, p.Tunnel.Down())
		p.Set(p.Far, p.Near, lab.Conditions{Cut: true})
		if p.Tunnel.Up() == nil {
			t.Error("it comes up alone")
		}
	})
}

func TestTwoTunnelsOfOneGateway(t *testing.T) {
	overEach(t, func(t *testing.T, p *pair) {
		const there = "10.3.0.254"
		far, err := p.AddSite(lab.SiteConfig{Name: "other", Public: lab.Addrs("203.0.113.1"), Networks: lab.Prefixes("10.3.0.0/24"), GatewayAddrs: lab.Addrs(there)})
		must(t, err)
		second, err := p.kind.Raise(p.Internet, p.Near, far)
		must(t, err)
		mustAnswer(t, p.Near.Node, one, there)
		must(t, p.Tunnel.Down())
		mustBeSilent(t, p.Near.Node, one)
		mustAnswer(t, p.Near.Node, there)
		must(t, p.Tunnel.Up())
		must(t, second.Down())
		mustAnswer(t, p.Near.Node, one)
		mustBeSilent(t, p.Near.Node, there)
	})
}

func TestRekey(t *testing.T) {
	overEach(t, func(t *testing.T, p *pair) {
		if p.kind.Name != "ipsec" {
			if err := p.Tunnel.Rekey(); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%v, want it unsupported", err)
			}
			return
		}
		before, err := p.Tunnel.Keys()
		must(t, err)
		must(t, p.Tunnel.Rekey())
		mustAnswer(t, p.Near.Node, one)
		if after, err := p.Tunnel.Keys(); after == before || err != nil {
			t.Errorf("the keys are still the same: %v", err)
		}
	})
}

func TestMachines(t *testing.T) {
	p := newPair(t)
	must(t, p.Far.StopMachine("a1"))
	mustBeSilent(t, p.Near.Node, one, one6)
	must(t, p.Far.RejectMachine("a1"))
	mustBeSilent(t, p.Near.Node, one)
	must(t, p.Far.StartMachine("a1"))
	must(t, p.Far.StartMachine("a1")) // again: no error
	mustAnswer(t, p.Near.Node, one, one6)
	if p.Far.StopMachine("z1") == nil || p.Far.StopGroup("z") == nil {
		t.Error("no error for a machine or group that does not exist")
	}
	twice := lab.Machine{Name: "m", Addrs: lab.Addrs("10.1.0.1"), TCP: []uint16{1, 1}}
	if _, err := p.AddSite(lab.SiteConfig{Name: "m", Public: lab.Addrs("192.0.2.9"), Machines: []lab.Machine{twice}}); err == nil {
		t.Error("no error for a port that is used twice")
	}
}

// TestSevenTunnels has what the checks of the demo do not see.
func TestSevenTunnels(t *testing.T) {
	w, err := lab.SevenTunnels()
	must(t, err)
	defer w.Close()
	if len(w.VPNs) != 7 || w.VPN(lab.DR, "nowhere") != nil {
		t.Errorf("%d tunnels", len(w.VPNs))
	}
	for _, v := range w.VPNs {
		all := []string{v.NearGateway.String(), v.Peer.String()}
		for _, m := range v.Far.Machines {
			for _, a := range m.Addrs {
				all = append(all, a.String())
			}
		}
		mustAnswer(t, v.Near.Node, all...)
	}
	v := w.VPN(lab.Licensing, "production")
	must(t, v.Tunnel.Down())
	mustBeSilent(t, v.Near.Node, "10.5.0.1")
	// The same addresses in another environment, and another tunnel of the same
	// site, do not care.
	mustAnswer(t, w.VPN(lab.Licensing, "staging").Near.Node, "10.5.0.1")
	mustAnswer(t, v.Near.Node, "10.3.9.1", "203.0.113.80")
}
