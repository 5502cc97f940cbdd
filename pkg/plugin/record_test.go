package plugin

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/vpn"
)

// TestRecordedTargets has targets that differ by their paths alone, which a
// recording does not keep: it can be replayed all the same.
func TestRecordedTargets(t *testing.T) {
	p := planOf(t, "-H", "http://10.0.0.1/", "-H", "http://10.0.0.1/secret?a", "-H", "http://10.0.0.1/b", "-H", "far-3=10.0.0.2", "-H", "b=http://10.0.0.1/b")
	text := string(header(testTunnel(), p))
	if strings.Contains(text, "secret") || !strings.Contains(text, `"http://10.0.0.1/"`) {
		t.Errorf("the header is %s", text)
	}
	file := filepath.Join(t.TempDir(), "recording")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args, err := recordedArgs(testTunnel(), file, []string{"-v"})
	if err != nil {
		t.Fatal(err)
	}
	replayed := planOf(t, args...)
	for i, target := range replayed.Targets {
		if want := p.Targets[i]; target.Role != want.Role || target.Endpoint.Addr != want.Endpoint.Addr || target.Endpoint.Scheme != want.Endpoint.Scheme {
			t.Errorf("target %d is %+v, want %+v", i, target, want)
		}
	}
	if len(replayed.Targets) != len(p.Targets) {
		t.Errorf("%d targets of %d", len(replayed.Targets), len(p.Targets))
	}
}

// slowReader takes a while for each line.
type slowReader struct{ bytes.Buffer }

func (w *slowReader) Write(b []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	return w.Buffer.Write(b)
}

// TestReportComesLast has a slow reader get all events, and then the report.
func TestReportComesLast(t *testing.T) {
	var w slowReader
	began := time.Now()
	rec := newRecorder(Tunnel{Name: "x"}, &plan{output: asEvents}, &w)
	for range 50 {
		rec.event(vpn.Event{Kind: vpn.Judged})
	}
	output{text: "the report\n", after: rec.finish(), timeout: 10 * time.Second}.write(&w, began)
	lines := strings.Split(strings.TrimSuffix(w.String(), "\n"), "\n")
	if len(lines) != 52 || lines[51] != "the report" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}
