package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/plugin"
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
		{vpn.TunnelDown, nagios.Critical, 0, 0, nagios.Critical, "replication is paused"},
		{vpn.NearDown, nagios.Critical, 1, 0, nagios.Critical, "replication is paused"},
		{vpn.ServiceDown, nagios.Warning, 1, 1, nagios.Warning, "Part of the replication"},
		{vpn.ServiceDown, nagios.Warning, 0, 2, nagios.Critical, "Replication is paused"},
		{vpn.Degraded, nagios.Critical, 0, 0, nagios.Critical, ""},
		{vpn.Partial, nagios.Warning, 0, 2, nagios.Warning, ""},
		{vpn.Up, nagios.OK, 2, 0, nagios.OK, ""},
	}
	for _, test := range tests {
		problem := vpn.Problem{Cause: test.cause, State: test.state}
		v := vpn.Verdict{Problems: []vpn.Problem{problem}}
		for i := range test.answering + test.failing {
			fate := vpn.Silent
			if i < test.answering {
				fate = vpn.Answers
			}
			v.Findings = append(v.Findings, vpn.Finding{Target: vpn.Target{Role: vpn.Role{Name: "replication"}}, Fate: fate})
		}
		got := impact(v, problem, false)
		if got.State != test.want || !strings.Contains(got.Text, test.text) || test.text == "" && got.Text != "" {
			t.Errorf("%s with %d of %d: got %s, %q", test.cause, test.answering, test.answering+test.failing, got.State, got.Text)
		}
	}
}

func TestFirstLines(t *testing.T) { script.FirstLines(t, "check_vpn_dr", "replication") }

// TestRecordings judges recorded outages of real tunnels again, one of each cause
// and kind of tunnel: what comes out must be what was said when it happened. make
// record makes them anew.
func TestRecordings(t *testing.T) {
	files, err := filepath.Glob("../pkg/vpn/testdata/*.events")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			recorded, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(recorded)), "\n")
			var now strings.Builder
			plugin.Run(tunnel(), []string{"--replay=" + file, "-o", "json", "-E", "production"}, &now)
			if got, want := strings.TrimSpace(now.String()), lines[len(lines)-1]; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			// An apostrophe would be cleaned away, as what may upset a shell.
			if cut := regexp.MustCompile(`\w+ s \w+`).FindString(now.String()); cut != "" {
				t.Errorf("an apostrophe of ours was lost: %q", cut)
			}
		})
	}
}
