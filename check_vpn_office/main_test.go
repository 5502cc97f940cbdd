package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/plugin/script"
	"checkvpn/pkg/vpn"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"check_vpn_office": main})
}

func TestScripts(t *testing.T) { script.Run(t, "check_vpn_office") }

// london is a moment by the office's clock.
func london(t *testing.T, clock string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04:05", clock, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestImpact(t *testing.T) {
	holidays := filepath.Join(t.TempDir(), "bank-holidays.json")
	err := os.WriteFile(holidays, []byte(`{"england-and-wales":{"division":"england-and-wales","events":[{"title":"Boxing Day","date":"2026-12-28"}]}}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name               string
		clock              string
		cause              vpn.Cause
		state              nagios.State
		answering, failing int // services
		want               nagios.State
		text               string
	}{
		{"Monday at noon", "2026-11-23 12:00:00", vpn.TunnelDown, nagios.Critical, 0, 0, nagios.Warning, "Low impact in office hours"},
		{"the first minute", "2026-11-23 09:30:00", vpn.Down, nagios.Critical, 0, 0, nagios.Warning, "Low impact in office hours"},
		{"just before it", "2026-11-23 09:29:59", vpn.Down, nagios.Critical, 0, 0, nagios.Critical, "monitoring or vCloud Director, not both"},
		{"the last second", "2026-11-23 17:29:59", vpn.PeerDown, nagios.Critical, 0, 0, nagios.Warning, "Low impact in office hours"},
		{"just after it", "2026-11-23 17:30:00", vpn.PeerDown, nagios.Critical, 0, 0, nagios.Critical, "monitoring or vCloud Director, not both"},
		{"midnight", "2026-11-24 00:00:00", vpn.NearDown, nagios.Critical, 0, 0, nagios.Critical, "monitoring or vCloud Director, not both"},
		{"Saturday", "2026-11-28 12:00:00", vpn.TunnelDown, nagios.Critical, 0, 0, nagios.Critical, "monitoring or vCloud Director, not both"},
		{"a bank holiday on a Monday", "2026-12-28 12:00:00", vpn.TunnelDown, nagios.Critical, 0, 0, nagios.Critical, "monitoring or vCloud Director, not both"},
		{"the day after", "2026-12-29 12:00:00", vpn.TunnelDown, nagios.Critical, 0, 0, nagios.Warning, "Low impact in office hours"},
		{"summer time begins", "2026-03-30 09:30:00", vpn.TunnelDown, nagios.Critical, 0, 0, nagios.Warning, "Low impact in office hours"},
		{"summer time ends", "2026-10-26 09:29:00", vpn.TunnelDown, nagios.Critical, 0, 0, nagios.Critical, "monitoring or vCloud Director, not both"},
		{"one service fails at night", "2026-11-23 03:00:00", vpn.ServiceDown, nagios.Warning, 1, 1, nagios.Warning, "not the VPN"},
		{"all services fail at night", "2026-11-23 03:00:00", vpn.ServiceDown, nagios.Warning, 0, 2, nagios.Critical, "not the VPN"},
		{"all services fail in office hours", "2026-11-23 12:00:00", vpn.ServiceDown, nagios.Warning, 0, 2, nagios.Warning, "not the VPN"},
		{"degraded in office hours", "2026-11-23 12:00:00", vpn.Degraded, nagios.Critical, 0, 0, nagios.Critical, ""},
		{"up", "2026-11-23 03:00:00", vpn.Up, nagios.OK, 2, 0, nagios.OK, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := &office{}
			o.OfficeHours.Set("Mon-Fri 09:30-17:30")
			o.Timezone.Set("Europe/London")
			o.BankHolidays.Set(holidays)
			o.Division.Set("england-and-wales")
			if err := o.prepare(); err != nil {
				t.Fatal(err)
			}
			problem := vpn.Problem{Cause: test.cause, State: test.state}
			v := vpn.Verdict{Problems: []vpn.Problem{problem}}
			for i := range test.answering + test.failing {
				fate := vpn.Silent
				if i < test.answering {
					fate = vpn.Answers
				}
				v.Findings = append(v.Findings, vpn.Finding{Target: vpn.Target{Role: service}, Fate: fate})
			}
			// The clock of the host may be in any zone.
			now := london(t, test.clock).In(time.FixedZone("far away", -9*3600))
			got := impact(v, problem, o.staffed(now))
			if got.State != test.want || !strings.Contains(got.Text, test.text) || test.text == "" && got.Text != "" {
				t.Errorf("got %s, %q", got.State, got.Text)
			}
			if outdated := test.clock > "2026-12-29"; outdated != (len(o.notes(now)) > 0) {
				t.Errorf("got notes %q", o.notes(now))
			}
		})
	}
}

func TestFirstLines(t *testing.T) { script.FirstLines(t, "check_vpn_office", "service") }
