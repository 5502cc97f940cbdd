package probe

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"checkvpn/pkg/vpn"
)

// names answers for one family each; a nil answer is silence.
type names map[string]func() ([]netip.Addr, error)

func (n names) LookupNetIP(ctx context.Context, network, _ string) ([]netip.Addr, error) {
	if answer := n[network]; answer != nil {
		return answer()
	}
	<-ctx.Done()
	return nil, &net.DNSError{Err: ctx.Err().Error(), IsTimeout: true}
}

func gives(addrs ...string) func() ([]netip.Addr, error) {
	return func() ([]netip.Addr, error) {
		var list []netip.Addr
		for _, a := range addrs {
			list = append(list, netip.MustParseAddr(a))
		}
		return list, nil
	}
}

func denies() ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

func breaks() ([]netip.Addr, error) { return nil, &net.DNSError{Err: "server misbehaving"} }

func TestResolve(t *testing.T) {
	var many []string
	for i := range 2000 {
		many = append(many, netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}).String())
	}
	tests := []struct {
		name     string
		resolver names
		family   Family
		source   string
		want     string // addresses, or the error
	}{
		{"both families, IPv6 first", names{"ip4": gives("10.0.0.1", "10.0.0.2"), "ip6": gives("fd00::1")}, AnyFamily, "", "fd00::1 10.0.0.1 10.0.0.2"},
		{"only IPv4", names{"ip4": gives("10.0.0.1"), "ip6": gives("fd00::1")}, IPv4, "", "10.0.0.1"},
		{"only IPv6", names{"ip4": gives("10.0.0.1"), "ip6": gives("fd00::1")}, IPv6, "", "fd00::1"},
		{"the family of the source", names{"ip4": gives("10.0.0.1"), "ip6": gives("fd00::1")}, AnyFamily, "fd00::9", "fd00::1"},
		{"the server never answers for IPv6", names{"ip4": gives("10.0.0.1")}, AnyFamily, "", "10.0.0.1"},
		{"the server fails for IPv6", names{"ip4": gives("10.0.0.1"), "ip6": breaks}, AnyFamily, "", "10.0.0.1"},
		{"mapped and repeated addresses are one", names{"ip4": gives("::ffff:10.0.0.1", "10.0.0.1"), "ip6": denies}, AnyFamily, "", "10.0.0.1"},
		{"addresses that are no machine's", names{"ip4": gives("0.0.0.0", "224.0.0.1", "10.0.0.1"), "ip6": denies}, AnyFamily, "", "10.0.0.1"},
		{"none but such", names{"ip4": gives("0.0.0.0"), "ip6": denies}, AnyFamily, "", "no such name (a.example)"},
		{"two thousand addresses", names{"ip4": gives(many...), "ip6": denies}, AnyFamily, "", strings.Join(many[:8], " ")},
		{"no such name", names{"ip4": denies, "ip6": denies}, AnyFamily, "", "no such name (a.example)"},
		{"silent", names{}, AnyFamily, "", "the resolver is silent (a.example)"},
		{"refusing", names{"ip4": breaks, "ip6": breaks}, AnyFamily, "", "the resolver refuses (a.example)"},
		{"denied by one and failed by the other", names{"ip4": breaks, "ip6": denies}, AnyFamily, "", "the resolver refuses (a.example)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := Question{Endpoint: vpn.Endpoint{Scheme: vpn.ICMP, Host: "a.example"}}
				if test.source != "" {
					q.Path.Source = netip.MustParseAddr(test.source)
				}
				heard := make(chan vpn.Event, 10)
				began := time.Now()
				p := New(Settings{Questions: []Question{q}, Family: test.family, Resolver: test.resolver,
					Now: func() time.Duration { return time.Since(began) }, Emit: func(e vpn.Event) { heard <- e }})
				defer p.Close()
				p.Want(t.Context(), []vpn.Look{{Kind: vpn.Resolving, Limit: 3 * time.Second}})
				e := <-heard
				var words []string
				for _, a := range e.Addrs {
					words = append(words, a.String())
				}
				if e.Fault != nil {
					words = append(words, e.Fault.Words)
					if (e.Fault.Code == vpn.NoName) != strings.HasPrefix(test.want, "no such name") || e.Fault.Own {
						t.Errorf("got %+v", e.Fault)
					}
				}
				if got := strings.Join(words, " "); got != test.want || e.Kind != vpn.Resolved {
					t.Errorf("got %s, want %s", got, test.want)
				}
				if e.At > 3*time.Second || e.At > otherFamily && !strings.Contains(test.want, "silent") {
					t.Errorf("only after %v", e.At)
				}
			})
		})
	}
}

// TestResolveEnds has a lookup that is not wanted any more: that says nothing of
// the name.
func TestResolveEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Settings{Questions: []Question{{}}, Resolver: names{}, Now: func() time.Duration { return 0 },
			Emit: func(e vpn.Event) { t.Errorf("got %+v", e) }})
		p.Want(t.Context(), []vpn.Look{{Kind: vpn.Resolving}})
		synctest.Wait()
		p.Want(t.Context(), nil)
		synctest.Wait()
	})
}

// TestResolveOurFault: a resolver that could not be asked denies nothing.
func TestResolveOurFault(t *testing.T) {
	out := &vpn.Fault{Code: vpn.NoDescriptors, Words: "no file descriptor is free", Own: true}
	refuses := &net.DNSError{Err: "dial udp 127.0.0.1:53: socket: too many open files"}
	if f := unresolved("a.example", refuses, out); f.Code != vpn.NoDescriptors || !f.Own || f.Words != "cannot ask the resolver: no file descriptor is free (a.example)" {
		t.Errorf("got %+v", f)
	}
	site, _ := newFake(t)
	got := asking{URL: "a.example", Files: 20, Looks: []vpn.Look{{Kind: vpn.Resolving, Limit: 5 * time.Second}}}.at(t, site.Node)
	got.expect(t, "1 resolved (descriptors: cannot ask the resolver: no file descriptor is free (a.example))")
}
