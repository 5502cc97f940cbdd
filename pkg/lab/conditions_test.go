package lab_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

func TestConditions(t *testing.T) {
	p := newPair(t)
	host := p.Near.Node
	// under runs a test while conditions hold between the sites, both ways.
	under := func(name string, c lab.Conditions, test func(*testing.T)) {
		t.Run(name, func(t *testing.T) {
			p.SetBoth(p.Near, p.Far, c)
			defer p.SetBoth(p.Near, p.Far, lab.Conditions{})
			test(t)
		})
		mustAnswer(t, host, one)
	}
	milliseconds := func(t *testing.T, to string) float64 {
		m := regexp.MustCompile(`\(([0-9.]+) ms\)`).FindStringSubmatch(alive(t, host, "-e -r9 -B1 -t2000", to))
		if m == nil {
			t.Fatalf("%s does not answer", to)
		}
		ms, err := strconv.ParseFloat(m[1], 64)
		must(t, err)
		return ms
	}
	under("delay", lab.Conditions{Delay: 40 * time.Millisecond}, func(t *testing.T) {
		for _, to := range []string{one, one6, peer} {
			if ms := milliseconds(t, to); ms < 80 {
				t.Errorf("%s answers in %v ms, want at least twice the delay", to, ms)
			}
		}
	})
	under("delay ends when taken away", lab.Conditions{Delay: time.Hour}, func(t *testing.T) {
		time.AfterFunc(50*time.Millisecond, func() { p.SetBoth(p.Near, p.Far, lab.Conditions{}) })
		mustAnswer(t, host, one)
	})
	under("cut", lab.Conditions{Cut: true}, func(t *testing.T) {
		mustBeSilent(t, host, one, one6, peer, peer6)
		mustAnswer(t, host, lab.PairGateway)
	})
	under("tunnels cut", lab.Conditions{CutTunnels: true}, func(t *testing.T) {
		mustBeSilent(t, host, one)
		mustAnswer(t, host, peer, peer6)
	})
	// WireGuard adds 60 bytes, and fills the packet up to a multiple of 16.
	under("largest packet, silent", lab.Conditions{MaxPacket: 1420}, func(t *testing.T) {
		if !passes(t, host, one, 1360) || passes(t, host, one, 1400) || !passes(t, host, peer, 1420) || passes(t, host, peer, 1421) {
			t.Error("not these sizes pass")
		}
	})
	under("largest packet, too big", lab.Conditions{MaxPacket: 1420, TooBig: true}, func(t *testing.T) {
		if !passes(t, host, peer, 1420) || passes(t, host, peer, 1421) {
			t.Error("not these sizes pass")
		}
	})
	p.Set(p.Far, p.Near, lab.Conditions{Cut: true})
	mustBeSilent(t, host, one)
	p.Set(p.Far, p.Near, lab.Conditions{})
	p.Set(p.Near, p.Far, lab.Conditions{Delay: 40 * time.Millisecond})
	if ms := milliseconds(t, one); ms < 40 {
		t.Errorf("a delay one way: %v ms", ms)
	}
}

// TestDropEvery counts packets to the public address: a tunnel has some of its own.
func TestDropEvery(t *testing.T) {
	p := newPair(t)
	must(t, p.Tunnel.Close())
	p.Set(p.Near, p.Far, lab.Conditions{DropEvery: 4})
	pattern := []byte(strings.Repeat("-", 20))
	for _, m := range regexp.MustCompile(`\[(\d+)\], 64 bytes`).FindAllStringSubmatch(alive(t, p.Near.Node, "-c20 -p20 -t5000", peer), -1) {
		n, err := strconv.Atoi(m[1])
		must(t, err)
		pattern[n] = '+'
	}
	if string(pattern) != strings.Repeat("+++-", 5) {
		t.Errorf("each fourth dropped: %s", pattern)
	}
}
