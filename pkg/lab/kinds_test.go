package lab_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

// overEach runs a test over each kind of tunnel.
func overEach(t *testing.T, test func(*testing.T, *pair)) {
	t.Parallel()
	for _, kind := range lab.Kinds() {
		t.Run(kind.Name, func(t *testing.T) { test(t, newPairOver(t, kind)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustComeBack waits until an address answers again.
func mustComeBack(t *testing.T, n *lab.Node, to string, limit time.Duration) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if a := echo(t, n, to, 64, 100*time.Millisecond); a.echo {
			return
		}
	}
	t.Fatalf("%s does not answer %v later", to, limit)
}

func TestKinds(t *testing.T) {
	overEach(t, func(t *testing.T, p *pair) {
		host := p.near.Node
		for _, to := range []string{one, one6, two, web, peer, peer6} {
			mustAnswer(t, host, to)
		}
		mustAnswer(t, p.near.Gateway, one)
		mustAnswer(t, p.near.Gateway, one6)
		mustAnswer(t, p.far.Gateway, "10.1.0.20")
		mustAnswer(t, p.far.Gateway, "fd00:1::20")
		mustBeSilent(t, host, "10.2.0.99")
		mustConnect(t, p)

		must(t, p.tunnel.SetMTU(1380))
		if a := echo(t, host, one, 1380, 5*time.Second); !a.echo {
			t.Errorf("1380 bytes: %v", a)
		}
		if a := mustBeICMP(t, host, one, 1381, 3, 4); a.info != 1380 {
			t.Errorf("the gateway says that %d bytes pass", a.info)
		}

		for range 2 {
			must(t, p.tunnel.Down())
			must(t, p.tunnel.Down()) // again: no error
			if hasInterface(t, p.near.Gateway, p.tunnel.Interface) {
				t.Errorf("%s is still there", p.tunnel.Interface)
			}
			mustBeSilent(t, host, one)
			mustBeSilent(t, host, one6)
			mustAnswer(t, host, peer)
			must(t, p.tunnel.Up())
			must(t, p.tunnel.Up())
			mustAnswer(t, host, one)
			mustAnswer(t, host, one6)
		}
		// A machine's address may be where the tunnel's routes say they are from.
		must(t, p.far.StopGroup("numbers"))
		mustAnswer(t, host, web)
	})
}

func mustConnect(t *testing.T, p *pair) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, to := range lab.Addrs(one, one6) {
		conn, err := p.near.Dial(ctx, "tcp", netip.AddrPortFrom(to, 5432).String())
		must(t, err)
		conn.Close()
	}
}

// Each kind notices in some seven seconds that the other end is dead.
const noticed = 8500 * time.Millisecond

func keys(t *testing.T, p *pair) string {
	t.Helper()
	keys, err := p.tunnel.Keys()
	must(t, err)
	return keys
}

func TestCut(t *testing.T) {
	overEach(t, func(t *testing.T, p *pair) {
		before := keys(t, p)
		p.SetBoth(p.near, p.far, lab.Conditions{Cut: true})
		mustBeSilent(t, p.near.Node, one)
		time.Sleep(noticed)
		p.SetBoth(p.near, p.far, lab.Conditions{})
		mustComeBack(t, p.near.Node, one, 10*time.Second)
		mustComeBack(t, p.near.Node, one6, time.Second)
		if keys(t, p) == before && p.kind != "wireguard" { // which has no notion of a dead end
			t.Error("the tunnel is still the same")
		}
	})
}

func TestCutTunnels(t *testing.T) {
	overEach(t, func(t *testing.T, p *pair) {
		before := keys(t, p)
		p.SetBoth(p.near, p.far, lab.Conditions{CutTunnels: true})
		for end := time.Now().Add(noticed); time.Now().Before(end); {
			mustBeSilent(t, p.near.Node, one)
			mustAnswer(t, p.near.Node, peer)
		}
		p.SetBoth(p.near, p.far, lab.Conditions{})
		mustComeBack(t, p.near.Node, one, 10*time.Second)
		if keys(t, p) != before && p.kind == "ipsec" {
			t.Error("IKE was to stay alive, yet the tunnel is another")
		}
	})
}

func TestNoAnswerInBoundedTime(t *testing.T) {
	overEach(t, func(t *testing.T, p *pair) {
		must(t, p.tunnel.Down())
		p.Set(p.far, p.near, lab.Conditions{Cut: true})
		start := time.Now()
		err := p.tunnel.Up()
		if took := time.Since(start); err == nil || took > 10*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		p.Set(p.far, p.near, lab.Conditions{})
		must(t, p.tunnel.Up())
		mustAnswer(t, p.near.Node, one)
	})
}

func TestRekey(t *testing.T) {
	overEach(t, func(t *testing.T, p *pair) {
		before := keys(t, p)
		rekeyed := make(chan error, 1)
		var sent, answered int
		must(t, p.near.Do(func() error {
			pinger, err := newPinger(lab.Addrs(one)[0], time.Second)
			if err != nil {
				return err
			}
			defer pinger.close()
			go func() { rekeyed <- p.tunnel.Rekey() }()
			for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end) || len(rekeyed) == 0; sent++ {
				if err := pinger.send(uint16(sent), 64); err != nil {
					return err
				}
				time.Sleep(20 * time.Millisecond)
				answered += pinger.answered()
			}
			time.Sleep(quiet)
			answered += pinger.answered()
			return nil
		}))
		must(t, <-rekeyed)
		if lost := sent - answered; lost > 3 {
			t.Errorf("%d of %d lost", lost, sent)
		}
		if keys(t, p) == before {
			t.Error("the keys are still the same")
		}
		must(t, p.tunnel.Down())
		if p.tunnel.Rekey() == nil {
			t.Error("no error while the tunnel is down")
		}
	})
}

func TestCloseChild(t *testing.T) {
	overEach(t, func(t *testing.T, p *pair) {
		if p.kind != "ipsec" {
			if err := p.tunnel.CloseChild(); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%v, want it unsupported", err)
			}
			return
		}
		must(t, p.tunnel.CloseChild())
		for end := time.Now().Add(noticed); time.Now().Before(end); {
			mustBeSilent(t, p.near.Node, one)
		}
		mustAnswer(t, p.near.Node, peer)
		must(t, p.tunnel.Up())
		mustAnswer(t, p.near.Node, one)
		must(t, p.tunnel.Down())
		if p.tunnel.CloseChild() == nil {
			t.Error("no error while the tunnel is down")
		}
	})
}

func TestBypass(t *testing.T) {
	overEach(t, func(t *testing.T, p *pair) {
		third, err := p.AddSite(lab.SiteConfig{Name: "third", Public: lab.Addrs("203.0.113.1")})
		must(t, err)
		host := p.near.Node
		must(t, p.tunnel.Down())
		must(t, p.tunnel.Bypass())
		must(t, p.tunnel.Bypass()) // again: no error
		for _, to := range []string{one, one6, peer} {
			mustAnswer(t, host, to)
			mustAnswer(t, p.near.Gateway, to)
		}
		mustAnswer(t, p.far.Gateway, "10.1.0.20")
		mustConnect(t, p)
		mustBeSilent(t, third.Node, one)
		must(t, p.tunnel.Restore())
		must(t, p.tunnel.Restore())
		mustBeSilent(t, host, one)
		mustBeSilent(t, host, one6)
		must(t, p.tunnel.Up())
		mustAnswer(t, host, one)

		// The tunnel stands, and nothing uses it.
		must(t, p.tunnel.Bypass())
		p.SetBoth(p.near, p.far, lab.Conditions{CutTunnels: true})
		mustAnswer(t, host, one)
		must(t, p.tunnel.Restore())
		mustBeSilent(t, host, one)
		p.SetBoth(p.near, p.far, lab.Conditions{})
		mustComeBack(t, host, one, 5*time.Second)
	})
}

func TestTwoTunnelsOfOneGateway(t *testing.T) {
	t.Parallel()
	for _, kind := range lab.Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			p := newPairOver(t, kind)
			other, err := p.AddSite(lab.SiteConfig{
				Name:         "other",
				Public:       lab.Addrs("203.0.113.1"),
				Networks:     lab.Prefixes("10.3.0.0/24"),
				GatewayAddrs: lab.Addrs("10.3.0.254"),
			})
			must(t, err)
			second, err := kind.Raise(p.Internet, p.near, other)
			must(t, err)
			mustAnswer(t, p.near.Node, one)
			mustAnswer(t, p.near.Node, "10.3.0.254")
			must(t, p.tunnel.Down())
			mustBeSilent(t, p.near.Node, one)
			mustAnswer(t, p.near.Node, "10.3.0.254")
			must(t, p.tunnel.Up())
			must(t, second.Down())
			mustAnswer(t, p.near.Node, one)
			mustBeSilent(t, p.near.Node, "10.3.0.254")
		})
	}
}

func TestInstalled(t *testing.T) {
	if err := lab.Installed("/proc/self/exe", "any"); err != nil {
		t.Error(err)
	}
	err := lab.Installed("/no/such/program", "its-package")
	if err == nil || !strings.HasSuffix(err.Error(), "apt-get install -y --no-install-recommends its-package") {
		t.Errorf("got %v", err)
	}
}
