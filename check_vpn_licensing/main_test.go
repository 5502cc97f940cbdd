package main

import (
	"strings"
	"testing"
	"time"

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
		{vpn.TunnelDown, nagios.Critical, 1, 0, nagios.Warning, "applying for a licence goes on"},
		{vpn.TunnelDown, nagios.Critical, 0, 1, nagios.Critical, "applying for a licence fails"},
		{vpn.PeerDown, nagios.Critical, 1, 1, nagios.Critical, "applying for a licence fails"},
		{vpn.Down, nagios.Critical, 0, 0, nagios.Critical, "Licensing hosts appear unreachable"},
		{vpn.ServiceDown, nagios.Warning, 0, 1, nagios.Warning, "it is not the VPN"},
		{vpn.Degraded, nagios.Critical, 1, 0, nagios.Critical, ""},
		{vpn.Up, nagios.OK, 1, 0, nagios.OK, ""},
	}
	for _, test := range tests {
		v := vpn.Verdict{Cause: test.cause, State: test.state}
		for i := range test.answering + test.failing {
			v.Findings = append(v.Findings, vpn.Finding{
				Observation: vpn.Observation{Target: vpn.Target{Role: vpn.Public}}, Answers: i < test.answering})
		}
		got := impact(v, time.Time{})
		if got.State != test.want || !strings.Contains(got.Text, test.text) || test.text == "" && got.Text != "" {
			t.Errorf("%s with %d of %d: got %s, %q", test.cause, test.answering, test.answering+test.failing, got.State, got.Text)
		}
		if strings.Contains(strings.ToLower(got.Text), "disaster") {
			t.Errorf("Licensing is another organisation than disaster recovery: %q", got.Text)
		}
	}
}
