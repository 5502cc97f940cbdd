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
	testscript.Main(m, map[string]func(){"check_vpn_dr": main})
}

func TestScripts(t *testing.T) { script.Run(t, "check_vpn_dr") }

func TestImpact(t *testing.T) {
	tests := []struct {
		cause              vpn.Cause
		state              nagios.State
		answering, failing int // replication targets
		want               nagios.State
		text               string
	}{
		{vpn.TunnelDown, nagios.Critical, 0, 0, nagios.Critical, "data replication will pause"},
		{vpn.NearDown, nagios.Critical, 1, 0, nagios.Critical, "data replication will pause"},
		{vpn.ServiceDown, nagios.Warning, 1, 1, nagios.Warning, "Part of the data replication"},
		{vpn.ServiceDown, nagios.Warning, 0, 2, nagios.Critical, "Data replication pauses"},
		{vpn.Degraded, nagios.Critical, 0, 0, nagios.Critical, ""},
		{vpn.Partial, nagios.Warning, 0, 2, nagios.Warning, ""},
		{vpn.Up, nagios.OK, 2, 0, nagios.OK, ""},
	}
	for _, test := range tests {
		v := vpn.Verdict{Cause: test.cause, State: test.state}
		for i := range test.answering + test.failing {
			v.Findings = append(v.Findings, vpn.Finding{
				Observation: vpn.Observation{Target: vpn.Target{Role: vpn.Replication}}, Answers: i < test.answering})
		}
		got := impact(v, time.Time{})
		if got.State != test.want || !strings.Contains(got.Text, test.text) || test.text == "" && got.Text != "" {
			t.Errorf("%s with %d of %d: got %s, %q", test.cause, test.answering, test.answering+test.failing, got.State, got.Text)
		}
	}
}
