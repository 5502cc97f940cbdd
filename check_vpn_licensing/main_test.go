package main

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/plugin/script"
	"checkvpn/pkg/vpn"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"check_vpn_licensing": main})
}

func TestScripts(t *testing.T) { script.Run(t, "check_vpn_licensing") }

func TestImpact(t *testing.T) {
	tests := []struct {
		cause              vpn.Cause
		state              nagios.State
		answering, failing int // public targets
		want               nagios.State
		text               string
	}{
		{vpn.TunnelDown, nagios.Critical, 1, 0, nagios.Warning, "licence applications still work"},
		{vpn.TunnelDown, nagios.Critical, 0, 1, nagios.Critical, "licence applications fail"},
		{vpn.PeerDown, nagios.Critical, 1, 1, nagios.Critical, "licence applications fail"},
		{vpn.Down, nagios.Critical, 0, 0, nagios.Critical, "Licensing hosts unreachable"},
		{vpn.ServiceDown, nagios.Warning, 0, 1, nagios.Warning, "it is not the VPN"},
		{vpn.Degraded, nagios.Critical, 1, 0, nagios.Critical, ""},
		{vpn.Up, nagios.OK, 1, 0, nagios.OK, ""},
	}
	for _, test := range tests {
		problem := vpn.Problem{Cause: test.cause, State: test.state}
		v := vpn.Verdict{Problems: []vpn.Problem{problem}}
		for i := range test.answering + test.failing {
			fate := vpn.Silent
			if i < test.answering {
				fate = vpn.Answers
			}
			v.Findings = append(v.Findings, vpn.Finding{Target: vpn.Target{Role: vpn.Role{Name: "public"}}, Fate: fate})
		}
		got := impact(v, problem, false)
		if got.State != test.want || !strings.Contains(got.Text, test.text) || test.text == "" && got.Text != "" {
			t.Errorf("%s with %d of %d: got %s, %q", test.cause, test.answering, test.answering+test.failing, got.State, got.Text)
		}
		if strings.Contains(strings.ToLower(got.Text), "disaster") {
			t.Errorf("Licensing is another organisation than disaster recovery: %q", got.Text)
		}
	}
}

func TestFirstLines(t *testing.T) { script.FirstLines(t, "check_vpn_licensing", "public") }
