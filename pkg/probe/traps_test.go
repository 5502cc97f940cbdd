package probe

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"checkvpn/pkg/lab"
	"checkvpn/pkg/vpn"
)

// TestHostileReplies has answers that must not count, or not twice.
func TestHostileReplies(t *testing.T) {
	site, _ := newFake(t)
	for _, mode := range []struct{ privilege, groups string }{{"unprivileged", "0 2147483647"}, {"raw", "1 0"}} {
		check(t, site.Sysctl("net/ipv4/ping_group_range", mode.groups))
		for _, test := range []struct {
			name     string
			way      byte
			answered int
		}{
			{"honest", honest, 5},
			{"duplicates count once", twice, 5},
			{"a stranger's answer before the right one", stranger, 5},
			{"a stranger's answer alone", impostor, 0},
			{"late answers", late, 5},
			{"corrupted", corrupt, 0},
			{"reordered", reordered, 5},
			{"the time in the packet is not used", timeless, 5},
			{"payload cut off", cutOff, 0},
		} {
			t.Run(mode.privilege+"/"+test.name, func(t *testing.T) {
				a := asking{URL: fakeAddr(test.way), Looks: []vpn.Look{first(5)}}
				if test.answered == 0 {
					a.Wait = 300 * ms
				}
				got := a.at(t, site.Node)
				if got.count(vpn.Sent) != 5 || got.count(vpn.Answered) != test.answered || len(got) != 5+test.answered {
					t.Errorf("got %s", got.words())
				}
				got.sound(t, a.Looks...)
			})
		}
	}
}

// TestFailedSends has routes that turn packets away, at once and in mid-run:
// pro-bing would loop for ever, or say that nothing was lost.
func TestFailedSends(t *testing.T) {
	site, f := newFake(t)
	for name, kind := range map[string]int{
		"prohibited by a route of this host": unix.RTN_PROHIBIT,
		"blackholed by a route of this host": unix.RTN_BLACKHOLE,
		"no route to host":                   unix.RTN_UNREACHABLE,
	} {
		t.Run(name, func(t *testing.T) {
			check(t, site.Do(func() error { return setRoute("10.9.1.0/24", "", kind) }))
			for _, k := range []vpn.LookKind{vpn.FirstLook, vpn.Silence} {
				a := asking{URL: "10.9.1.1", Looks: []vpn.Look{{Kind: k, Packets: 7, Spacing: 20 * ms, First: 3}}}
				got := a.at(t, site.Node)
				got.expect(t, "7 local-error (no-route: "+name+")")
				got.sound(t, a.Looks...)
			}
		})
		t.Run(name+" in mid-run", func(t *testing.T) {
			check(t, site.Do(func() error { return setRoute(fakeAddr(leaving)+"/32", "fake0", unix.RTN_UNICAST) }))
			f.mu.Lock()
			f.n[leaving] = 0
			f.when[leaving] = func() {
				_ = site.Do(func() error { return setRoute(fakeAddr(leaving)+"/32", "", kind) })
			}
			f.mu.Unlock()
			a := asking{URL: fakeAddr(leaving), Wait: 200 * ms, Looks: []vpn.Look{{Kind: vpn.LossLook, First: 5, Packets: 9, Spacing: 50 * ms}}}
			got := a.at(t, site.Node)
			sent := got.count(vpn.Sent)
			if sent < 3 || sent > 5 || got.count(vpn.Answered) != sent-1 || got.count(vpn.LocalError) != 9-sent || !strings.Contains(got.words(), name) {
				t.Errorf("got %s", got.words())
			}
			got.sound(t, a.Looks...)
		})
	}
}

// TestPath sends by an interface and from an address that are not the route's,
// by both kinds of sockets.
func TestPath(t *testing.T) {
	site, _ := newFake(t)
	for _, test := range []struct {
		name string
		path Path
		want string // after three packets
	}{
		{"the interface of the route", Path{Interface: "fake0"}, "3 answered"},
		{"another interface", Path{Interface: "empty0"}, ""},
		{"an interface that is gone", Path{Interface: "gone0"}, "3 local-error (interface: interface gone)"},
		{"an address of this host", Path{Source: lab.Addrs("10.1.0.20")[0]}, "3 answered"},
		{"an address that is gone", Path{Source: lab.Addrs("10.1.0.99")[0]}, "3 local-error (source: source address gone)"},
		{"a code point", Path{DSCP: 46}, "3 answered"},
	} {
		for _, k := range []vpn.LookKind{vpn.FirstLook, vpn.Silence} {
			t.Run(test.name+"/"+string(k), func(t *testing.T) {
				a := asking{URL: fakeAddr(honest), Path: test.path, Looks: []vpn.Look{{Kind: k, Packets: 3, Spacing: 20 * ms}}, Wait: 300 * ms}
				got := a.at(t, site.Node)
				if words := got.words(); words != test.want && words != strings.TrimSuffix("3 sent, "+test.want, ", ") {
					t.Errorf("got %s", words)
				}
				got.sound(t, a.Looks...)
			})
		}
	}
}

// TestOwn has an address of this host as a target.
func TestOwn(t *testing.T) {
	site, _ := newFake(t)
	own := lab.Addrs("10.1.0.20")[0].String()
	looks := func(k vpn.LookKind) []vpn.Look { return []vpn.Look{{Kind: k, Packets: 2, Spacing: 20 * ms}} }
	for _, k := range []vpn.LookKind{vpn.FirstLook, vpn.Silence} {
		got := asking{URL: own, RefuseOwn: true, Looks: looks(k)}.at(t, site.Node)
		got.expect(t, "2 local-error (own-address: "+own+" is an address of this host itself)")
		got = asking{URL: own, Looks: looks(k)}.at(t, site.Node)
		got.expect(t, "2 sent, 2 answered")
		got = asking{URL: "127.0.0.9", RefuseOwn: true, Looks: looks(k)}.at(t, site.Node)
		got.expect(t, "2 sent, 2 answered")
	}
	got := asking{URL: "tcp://" + own + ":1", RefuseOwn: true, Looks: connectWithin(patience)}.at(t, site.Node)
	got.expect(t, "1 local-error (own-address: "+own+" is an address of this host itself)")
}

// TestNoPermission asks as a user who may send no echo requests.
func TestNoPermission(t *testing.T) {
	site, _ := newFake(t)
	check(t, site.Sysctl("net/ipv4/ping_group_range", "1 0"))
	for _, k := range []vpn.LookKind{vpn.FirstLook, vpn.Silence} {
		for _, to := range []string{fakeAddr(honest), "::1"} {
			a := asking{URL: to, User: 65534, Looks: []vpn.Look{{Kind: k, Packets: 3, Spacing: 20 * ms}}}
			a.at(t, site.Node).expect(t, "3 local-error (permission: "+noPermission+")")
		}
	}
}

// TestNoDescriptors asks without any, and with some that come back.
func TestNoDescriptors(t *testing.T) {
	site, _ := newFake(t)
	check(t, site.Sysctl("net/ipv4/ping_group_range", "0 2147483647"))
	for _, k := range []vpn.LookKind{vpn.FirstLook, vpn.Silence, vpn.Connect} {
		a := asking{URL: fakeAddr(honest), RefuseOwn: k == vpn.Silence, Files: 20, Looks: []vpn.Look{{Kind: k, Packets: 3, Spacing: 20 * ms}}}
		want, later := "3 local-error (descriptors: no file descriptor is free)", "3 sent, 3 answered"
		if k == vpn.Connect {
			a.URL, a.Looks[0].Packets = "tcp://127.0.0.1:1", 1
			want, later = "1 sent, "+strings.Replace(want, "3", "1", 1), "1 sent, 1 refused (reset: connection refused)"
		}
		if got := a.at(t, site.Node); !a.RefuseOwn {
			got.expect(t, want)
		} else if got[0].Fault.Code != vpn.NoDescriptors || !got[0].Fault.Own {
			t.Errorf("got %s", got.words())
		}
		a.Hold = 100 * ms
		got := a.at(t, site.Node)
		if n := got.count(vpn.LocalError); n > 0 || k == vpn.Connect && got.words() != later || got.count(vpn.Answered)+got.count(vpn.Refused) != a.Looks[0].Packets {
			t.Errorf("%s: got %s, want %s", k, got.words(), later)
		}
	}
}
