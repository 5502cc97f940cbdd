package probe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"checkvpn/pkg/lab"
	"checkvpn/pkg/probe"
)

// pingAt, in the environment, makes the test binary a program that pings one
// address by a path and prints what came of it.
const pingAt = "PROBE_TEST_PING"

type pinged struct {
	URL  string
	Path probe.Path

	Outcome        probe.Outcome
	Sent, Received int
	Took           time.Duration // of all answers together
	Reason         string
	Privilege      string
}

func init() {
	spec := os.Getenv(pingAt)
	if spec == "" {
		return
	}
	var p pinged
	if err := json.Unmarshal([]byte(spec), &p); err != nil {
		panic(err)
	}
	e, err := probe.ParseEndpoint(p.URL)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	q := probe.NewProber(probe.Settings{Packets: 5, MaxPackets: 7, Interval: 20 * ms, Wait: 600 * ms}).New(e, p.Path)
	q.Run(ctx)
	if ctx.Err() != nil {
		fmt.Println("it hangs")
		os.Exit(1)
	}
	r := q.Result()
	p.Outcome, p.Sent, p.Received, p.Took, p.Privilege = r.Outcome(), r.Sent(), r.Received(), r.Took(), r.Privilege
	if err := r.Reason(); err != nil {
		p.Reason = err.Error()
	}
	text, _ := json.Marshal(p)
	fmt.Println(string(text))
	os.Exit(0)
}

// ping asks at a site, in a process of its own.
func ping(t *testing.T, site *lab.Site, url string, path probe.Path) (p pinged) {
	t.Helper()
	spec, err := json.Marshal(pinged{URL: url, Path: path})
	must(t, err)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), pingAt+"="+string(spec), "GORACE=atexit_sleep_ms=0")
	r, err := site.Run(cmd)
	must(t, err)
	if r.Stderr != "" {
		t.Errorf("something on stderr: %s", r.Stderr)
	}
	if err := json.Unmarshal([]byte(r.Stdout), &p); err != nil {
		t.Fatalf("%v: %s", err, r.Stdout)
	}
	return p
}

// TestHostileReplies has answers that must not count, or not twice.
func TestHostileReplies(t *testing.T) {
	site, _ := newFake(t)
	for _, mode := range []struct{ privilege, groups string }{{"unprivileged", "0 2147483647"}, {"raw", "1 0"}} {
		must(t, site.Sysctl("net/ipv4/ping_group_range", mode.groups))
		for _, test := range []struct {
			name           string
			way            byte
			sent, received int
		}{
			{"honest", honest, 5, 5},
			{"duplicates count once", twice, 5, 5},
			{"a stranger's answer before the right one", stranger, 5, 5},
			{"a stranger's answer alone", impostor, 7, 0},
			{"answers after the wait", late, 7, 0},
			{"corrupted", corrupt, 7, 0},
			{"reordered", reordered, 5, 5},
			{"the time in the packet is not used", timeless, 5, 5},
			{"payload cut off", short, 7, 0},
		} {
			t.Run(mode.privilege+"/"+test.name, func(t *testing.T) {
				p := ping(t, site, fakeAddr(test.way), probe.Path{})
				if p.Privilege != mode.privilege {
					t.Errorf("sent by %s sockets", p.Privilege)
				}
				if p.Sent != test.sent || p.Received != test.received {
					t.Errorf("%d of %d answered, want %d of %d", p.Received, p.Sent, test.received, test.sent)
				}
				if p.Received > 0 && (p.Took <= 0 || p.Took > 5*600*ms) {
					t.Errorf("%d round trips took %v", p.Received, p.Took)
				}
			})
		}
	}
}

// TestFailedSends has routes that turn packets away, at once and in mid-run:
// pro-bing would loop for ever, or say that nothing was lost.
func TestFailedSends(t *testing.T) {
	site, f := newFake(t)
	for name, kind := range map[string]int{
		"prohibited by a route of this machine": unix.RTN_PROHIBIT,
		"blackholed by a route of this machine": unix.RTN_BLACKHOLE,
		"no route to host":                      unix.RTN_UNREACHABLE,
	} {
		t.Run(name, func(t *testing.T) {
			must(t, site.Do(func() error { return setRoute("10.9.1.0/24", "", kind) }))
			p := ping(t, site, "10.9.1.1", probe.Path{})
			if p.Outcome != probe.Silent || p.Sent != 7 || p.Received != 0 || p.Reason != name {
				t.Errorf("got %+v", p)
			}
		})
		t.Run(name+" in mid-run", func(t *testing.T) {
			must(t, site.Do(func() error { return setRoute(fakeAddr(leaving)+"/32", "fake0", unix.RTN_UNICAST) }))
			f.mu.Lock()
			f.n[leaving] = 0
			f.when[leaving] = func() {
				_ = site.Do(func() error { return setRoute(fakeAddr(leaving)+"/32", "", kind) })
			}
			f.mu.Unlock()
			p := ping(t, site, fakeAddr(leaving), probe.Path{})
			if p.Outcome != probe.Answered || p.Sent != 7 || p.Received < 3 || p.Received > 4 || p.Reason != name {
				t.Errorf("got %+v", p)
			}
		})
	}
}

// TestPath sends by an interface and from an address that are not the route's.
func TestPath(t *testing.T) {
	site, _ := newFake(t)
	for _, test := range []struct {
		name     string
		path     probe.Path
		received int
		reason   string
	}{
		{"the interface of the route", probe.Path{Interface: "fake0"}, 5, ""},
		{"another interface", probe.Path{Interface: "empty0"}, 0, ""},
		{"an interface that is gone", probe.Path{Interface: "gone0"}, 0, "interface gone"},
		{"an address of this machine", probe.Path{Source: lab.Addrs("10.1.0.20")[0]}, 5, ""},
		{"an address that is gone", probe.Path{Source: lab.Addrs("10.1.0.99")[0]}, 0, "source address gone"},
		{"a code point", probe.Path{DSCP: 46}, 5, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := ping(t, site, fakeAddr(honest), test.path)
			if p.Received != test.received || p.Reason != test.reason {
				t.Errorf("got %+v", p)
			}
		})
	}
}
