package lab_test

import (
	"context"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

func TestMachines(t *testing.T) {
	p := newPair(t)
	host := p.near.Node
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	connects := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), quiet)
		defer cancel()
		conn, err := p.near.Dial(ctx, "tcp", one+":5432")
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}

	must(p.far.StopMachine("one"))
	mustBeSilent(t, host, one)
	mustBeSilent(t, host, one6)
	if connects() {
		t.Error("a stopped machine accepts a connection")
	}
	mustAnswer(t, host, two)
	must(p.far.StartMachine("one"))
	must(p.far.StartMachine("one")) // again: no error
	mustAnswer(t, host, one)
	mustAnswer(t, host, one6)
	if !connects() {
		t.Error("a started machine accepts no connection")
	}

	must(p.far.StopGroup("numbers"))
	mustBeSilent(t, host, one)
	mustBeSilent(t, host, two)
	mustAnswer(t, host, web)
	must(p.far.StartGroup("numbers"))
	mustAnswer(t, host, one)
	mustAnswer(t, host, two)

	must(p.far.RejectMachine("one"))
	mustBeICMP(t, host, one, 64, 3, 13)
	mustBeICMP(t, host, one6, 64, 1, 1)
	must(p.far.StopMachine("one"))
	mustBeSilent(t, host, one)
	must(p.far.RejectGroup("numbers"))
	must(p.far.StartGroup("numbers"))
	mustAnswer(t, host, one)

	if p.far.StopMachine("three") == nil || p.far.StopGroup("letters") == nil {
		t.Error("no error for a machine or group that does not exist")
	}
}

func TestStopInside(t *testing.T) {
	p := newPair(t)
	for range 2 {
		if err := p.near.StopInside(); err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{nearGateway, nearGateway6, one, one6, peer} {
			mustBeSilent(t, p.near.Node, to)
		}
		if err := p.near.StartInside(); err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{nearGateway, nearGateway6, one, one6, peer} {
			mustAnswer(t, p.near.Node, to)
		}
	}
}

func TestSiteErrors(t *testing.T) {
	i, err := lab.NewInternet()
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	machine := lab.Machine{Name: "m", Addrs: lab.Addrs("10.1.0.1"), TCP: []uint16{1, 1}}
	_, err = i.AddSite(lab.SiteConfig{Name: "a", Public: lab.Addrs("192.0.2.1"), Machines: []lab.Machine{machine}})
	if err == nil {
		t.Error("no error for a port that is used twice")
	}
	// IPv4 alone is fine.
	s, err := i.AddSite(lab.SiteConfig{Name: "b", Public: lab.Addrs("192.0.2.2")})
	if err != nil {
		t.Fatal(err)
	}
	if got := echo(t, s.Node, "192.0.2.2", 64, time.Second); !got.echo {
		t.Errorf("the site's own address: %v", got)
	}
}
