package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/plugin/script"
	"checkvpn/pkg/vpn"
)

func testTunnel() Tunnel {
	return Tunnel{Name: "test", Title: "test VPN", Impact: func(_ vpn.Verdict, p vpn.Problem, _ bool) Impact { return Impact{State: p.State} }}
}

// planOf is what the arguments ask for.
func planOf(t testing.TB, args ...string) *plan {
	t.Helper()
	o, _, err := parse(testTunnel(), args)
	if err != nil {
		t.Fatal(err)
	}
	p, err := makePlan(testTunnel(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// checkNow makes a check that begins now.
func checkNow(ctx context.Context, p *plan) output {
	p.began = time.Now()
	return p.run(ctx, testTunnel(), io.Discard)
}

// resolver answers as a function does.
type resolver func(ctx context.Context) ([]netip.Addr, error)

func (r resolver) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) { return r(ctx) }

func silence(ctx context.Context) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// deaf does not even heed its context.
func deaf(context.Context) ([]netip.Addr, error) {
	time.Sleep(time.Hour)
	return nil, errors.New("too late")
}

func TestSilentResolver(t *testing.T) {
	for name, r := range map[string]resolver{"silent": silence, "deaf": deaf} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var args []string
				for _, host := range "abcdefghijklmnopqrst" {
					args = append(args, "-H", string(host)+".example")
				}
				p := planOf(t, args...)
				p.resolver = r
				out := checkNow(t.Context(), p)
				if took := time.Since(p.began); took > 10*time.Second-margin {
					t.Errorf("took %v", took)
				}
				if out.code != 2 || !strings.HasPrefix(out.text, "CRITICAL: test VPN down: cannot resolve any far host: the resolver is silent") {
					t.Errorf("got %d, %s", out.code, out.text)
				}
				time.Sleep(2 * time.Hour) // the deaf ones wake up
			})
		})
	}
}

func TestDeadline(t *testing.T) {
	tests := []struct {
		timeout string
		code    int
		text    string
	}{
		{"2", 3, "UNKNOWN: test VPN not checked: the time of -t ran out"},
		{"2:CRITICAL", 2, "CRITICAL: test VPN not checked: the time of -t ran out"},
		{"2:1", 1, "WARNING: test VPN not checked: the time of -t ran out"},
	}
	for _, test := range tests {
		p := planOf(t, "-H", "127.0.0.1", "-t", test.timeout)
		p.Packets, p.Interval = 1000, time.Second // no first look can end in time
		out := checkNow(t.Context(), p)
		if out.code != test.code || !strings.HasPrefix(out.text, test.text) {
			t.Errorf("-t %s: got %d, %s", test.timeout, out.code, out.text)
		}
	}
}

func TestSignal(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT} {
		p := planOf(t, "-H", "127.0.0.1", "-H", "a.example", "-t", "60:CRITICAL")
		p.resolver = resolver(silence)
		go func() {
			time.Sleep(200 * time.Millisecond)
			_ = syscall.Kill(os.Getpid(), signal)
		}()
		ctx, stop := onSignal(t.Context())
		out := checkNow(ctx, p)
		stop(nil)
		// Nobody knows: -t's state is for the deadline alone.
		if out.code != 3 || !strings.HasPrefix(out.text, "UNKNOWN: test VPN not checked: stopped by a signal, 1 of 2 hosts answers so far\n") {
			t.Errorf("%v: got %d, %s", signal, out.code, out.text)
		}
	}
}

func TestPanics(t *testing.T) {
	t.Run("in a goroutine", func(t *testing.T) {
		p := planOf(t, "-H", "a.example", "-t", "10:CRITICAL")
		p.resolver = resolver(func(context.Context) ([]netip.Addr, error) { panic("a bug | here") })
		out := checkNow(t.Context(), p)
		if out.code != 3 || !strings.HasPrefix(out.text, "UNKNOWN: test VPN not checked: internal error: a bug here") {
			t.Errorf("got %d, %s", out.code, out.text)
		}
	})
	t.Run("in the impact", func(t *testing.T) {
		tunnel := testTunnel()
		tunnel.Impact = func(vpn.Verdict, vpn.Problem, bool) Impact { panic("a bug") }
		var stdout bytes.Buffer
		if code := Run(tunnel, []string{"-H", "127.0.0.1"}, &stdout); code != 3 || stdout.String() != "UNKNOWN: internal error: a bug\n" {
			t.Errorf("got %d, %s", code, stdout.String())
		}
		stdout.Reset()
		if code := Run(tunnel, []string{"-H", "127.0.0.1", "-o", "json"}, &stdout); code != 3 || !json.Valid(stdout.Bytes()) || !strings.Contains(stdout.String(), `"cause":"failed"`) {
			t.Errorf("got %d, %s", code, stdout.String())
		}
	})
}

// TestSlowReader has a stdout that nobody reads.
func TestSlowReader(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close()
	began := time.Now()
	if code := Run(testTunnel(), []string{"-H", "127.0.0.1", "-t", "1"}, w); code != 0 {
		t.Errorf("got %d", code)
	}
	if time.Since(began) > 5*time.Second {
		t.Error("held up by its reader")
	}
}

func TestManyTargetsFitIntoTheOutput(t *testing.T) {
	p := planOf(t, "-H", "127.0.0.1", "-E", strings.Repeat("e", 32), "-o", "nagios")
	findings := make([]vpn.Finding, 5000)
	for i := range findings {
		findings[i].Target = vpn.Target{Role: vpn.Far, Name: strings.Repeat("n", 40), URL: strings.Repeat("u", 200)}
	}
	v := vpn.Verdict{Plan: &p.Plan, Problems: []vpn.Problem{{Cause: vpn.TunnelDown, State: nagios.Critical}}, Findings: findings, FarTotal: 5000}
	for _, totals := range []bool{false, true} {
		p.totals = totals
		out := render(testTunnel(), p, v)
		line, _, _ := strings.Cut(out.text, "\n")
		if len(out.text) >= 60<<10 || totals && len(line) >= 1000 {
			t.Errorf("%d bytes, %d in line 1", len(out.text), len(line))
		}
	}
}

func FuzzINI(f *testing.F) {
	f.Add("[a]\nfar = 127.0.0.1\nhost-check\n# c\n[b]\n", "a")
	f.Add("\ufeff[a]\r\nx=y=z\r\n", "a")
	f.Fuzz(func(t *testing.T, text, section string) {
		args, found, err := INI(text).args(section)
		if !found && len(args) > 0 {
			t.Errorf("%q from a section that is not there", args)
		}
		for _, arg := range args {
			if err == nil && (!strings.HasPrefix(arg, "--") || strings.ContainsAny(arg, "\n")) {
				t.Errorf("%q is not one argument with a long option", arg)
			}
		}
	})
}

// FuzzArguments: whatever the arguments and a file of options say, the output has the
// right form. Nothing is sent: what they ask for is explained, and a recorded outage
// is judged by their limits.
func FuzzArguments(f *testing.F) {
	for _, line := range []string{
		"--near near=10.9.9.9 --peer ike://127.0.0.1 -E production -w @1:2,~:60% -c 0:5000,60% -m 100% -n 10 --perfdata totals -vvv",
		"-H x/g=::1 -H tcp://[::1]:2 -H http://127.0.0.1/a?b --max-packets 40 --via lo --mtu 1400 --http-status 200-299,401 -o json",
		"--title a --impact b --contact c --runbook https://127.0.0.1/ --dscp 46 -4 -t 2:WARNING --host-check --partial OK -o ticket",
		"-H fe80::1%lo -s nobody -I a/b -w nan,1% -c -5:10,20% -n 010 -i 1.5 --replay /dev/zero --extra-opts=@/dev/zero",
		"--h\x1b[m -H http://u:p@h/ -H x=y=z --title %s%d%n --impact \u202e --contact \xff|' -- --nothing",
	} {
		f.Add(line, "[x]\nfar = 127.0.0.1\n")
	}
	f.Fuzz(func(t *testing.T, line, ini string) {
		file := filepath.Join(t.TempDir(), "x.ini")
		if err := os.WriteFile(file, []byte(ini), 0o600); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"--extra-opts=x@" + file}, strings.Split(line, " ")...)
		valid := func(out output) {
			if err := script.Valid(out.text, out.code); err != nil || out.code < 0 || out.code > 3 {
				t.Errorf("%q: exit code %d, %v", args, out.code, err)
			}
		}
		g := look(args)
		p, fault := prepare(t.Context(), testTunnel(), args, time.Now().Add(g.timeout))
		if fault != nil {
			valid(ownFault(testTunnel(), g.json || fault.asJSON, fault.cause, fault.err))
			return
		}
		valid(explain(testTunnel(), p, time.Now()))
		p.replay = "../vpn/testdata/ipsec-tunnel-down.events"
		valid(replay(testTunnel(), p))
	})
}
