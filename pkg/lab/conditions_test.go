package lab_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"

	"golang.org/x/sys/unix"
)

func TestConditions(t *testing.T) {
	p := newPair(t)
	host := p.near.Node
	// under runs a test while conditions hold between the sites, both ways.
	under := func(name string, c lab.Conditions, test func(*testing.T)) {
		t.Run(name, func(t *testing.T) {
			p.SetBoth(p.near, p.far, c)
			defer p.SetBoth(p.near, p.far, lab.Conditions{})
			test(t)
		})
		mustAnswer(t, host, one)
	}

	under("delay", lab.Conditions{Delay: 40 * time.Millisecond}, func(t *testing.T) {
		for _, to := range []string{one, one6, peer} {
			if rtt := mustAnswer(t, host, to); rtt < 80*time.Millisecond {
				t.Errorf("%s answers in %v, want at least twice the delay", to, rtt)
			}
		}
	})
	under("delay ends when taken away", lab.Conditions{Delay: time.Hour}, func(t *testing.T) {
		time.AfterFunc(50*time.Millisecond, func() { p.SetBoth(p.near, p.far, lab.Conditions{}) })
		mustAnswer(t, host, one)
	})
	under("jitter", lab.Conditions{Jitter: 50 * time.Millisecond}, func(t *testing.T) {
		var least, most time.Duration = time.Hour, 0
		for range 10 {
			rtt := mustAnswer(t, host, one)
			least, most = min(least, rtt), max(most, rtt)
		}
		if most-least < 10*time.Millisecond {
			t.Errorf("round trips between %v and %v", least, most)
		}
	})
	under("cut", lab.Conditions{Cut: true}, func(t *testing.T) {
		for _, to := range []string{one, one6, peer, peer6} {
			mustBeSilent(t, host, to)
		}
		mustAnswer(t, host, nearGateway)
	})
	under("tunnels cut", lab.Conditions{CutTunnels: true}, func(t *testing.T) {
		mustBeSilent(t, host, one)
		mustAnswer(t, host, peer)
		mustAnswer(t, host, peer6)
	})
	under("prohibited", lab.Conditions{Prohibited: true}, func(t *testing.T) {
		mustBeICMP(t, host, peer, 64, 3, 13)
		mustBeICMP(t, host, peer6, 64, 1, 1)
		mustBeSilent(t, host, one) // the answer goes to the gateway, which sent the packet
	})
	// WireGuard adds 60 bytes, and fills the packet up to a multiple of 16.
	under("largest packet, silent", lab.Conditions{MaxPacket: 1420}, func(t *testing.T) {
		if a := echo(t, host, one, 1360, 5*time.Second); !a.echo {
			t.Errorf("1360 bytes in the tunnel: %v", a)
		}
		if a := echo(t, host, one, 1400, quiet); !a.silent() {
			t.Errorf("1400 bytes in the tunnel: %v", a)
		}
		if a := echo(t, host, peer, 1420, 5*time.Second); !a.echo {
			t.Errorf("1420 bytes: %v", a)
		}
		if a := echo(t, host, peer, 1421, quiet); !a.silent() {
			t.Errorf("1421 bytes: %v", a)
		}
	})
	under("largest packet, too big", lab.Conditions{MaxPacket: 1400, TooBig: true}, func(t *testing.T) {
		if a := mustBeICMP(t, host, peer, 1401, 3, 4); a.info != 1400 {
			t.Errorf("the relay says that %d bytes pass", a.info)
		}
		if a := mustBeICMP(t, host, peer6, 1401, 2, 0); a.info != 1400 {
			t.Errorf("the relay says that %d bytes pass", a.info)
		}
		mustAnswer(t, host, peer)
	})
}

func TestOneWay(t *testing.T) {
	p := newPair(t)
	p.Set(p.far, p.near, lab.Conditions{Cut: true})
	mustBeSilent(t, p.near.Node, one)
	p.Set(p.far, p.near, lab.Conditions{})
	mustAnswer(t, p.near.Node, one)
	p.Set(p.near, p.far, lab.Conditions{Delay: 40 * time.Millisecond})
	if rtt := mustAnswer(t, p.near.Node, one); rtt < 40*time.Millisecond {
		t.Errorf("round trip of %v, want at least the delay", rtt)
	}
}

// lost sends 400 requests while conditions hold one way, and tells which were
// lost. They go to the public address: in a tunnel, its own packets would count.
func lost(t *testing.T, p *pair, c lab.Conditions) string {
	t.Helper()
	const sockets, each = 20, 20 // a socket holds few answers
	pattern := bytes.Repeat([]byte("-"), sockets*each)
	err := p.near.Do(func() error {
		var pingers [sockets]*pinger
		for n := range pingers {
			var err error
			if pingers[n], err = newPinger(lab.Addrs(peer)[0], 5*time.Second); err != nil {
				return err
			}
			defer pingers[n].close()
		}
		p.Set(p.near, p.far, c)
		before := p.Sent(p.near, p.far)
		for n := range pattern {
			if err := pingers[n/each].send(uint16(n), 64); err != nil {
				return err
			}
		}
		for end := time.Now().Add(20 * time.Second); p.Sent(p.near, p.far) < before+len(pattern) && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		// The relay keeps the order: when one more has come back, all have.
		p.Set(p.near, p.far, lab.Conditions{})
		mustAnswer(t, p.near.Node, peer)
		for _, p := range pingers {
			unix.SetNonblock(p.fd, true)
			for sequence, ok := p.receiveSequence(); ok; sequence, ok = p.receiveSequence() {
				pattern[sequence] = '+'
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(pattern)
}

func TestLoss(t *testing.T) {
	p := newPair(t)
	if err := p.tunnel.Close(); err != nil { // its packets draw from the same sequence
		t.Fatal(err)
	}
	if n := strings.Count(lost(t, p, lab.Conditions{}), "-"); n != 0 {
		t.Fatalf("%d of 400 lost on a perfect way", n)
	}

	p.Seed(7)
	first := lost(t, p, lab.Conditions{Loss: 0.3})
	// 120 on average, with a standard deviation of 9.2.
	if n := strings.Count(first, "-"); n < 75 || n > 165 {
		t.Errorf("%d of 400 lost, want about 120", n)
	}
	p.Seed(7)
	if again := lost(t, p, lab.Conditions{Loss: 0.3}); again != first {
		t.Errorf("the same seed gave\n%s, then\n%s", first, again)
	}
	p.Seed(8)
	if other := lost(t, p, lab.Conditions{Loss: 0.3}); other == first {
		t.Error("another seed gave the same losses")
	}

	p.Seed(1)
	if pattern := lost(t, p, lab.Conditions{DropEvery: 4}); pattern != strings.Repeat("+++-", 100) {
		t.Errorf("each fourth dropped: %s", pattern)
	}
}
