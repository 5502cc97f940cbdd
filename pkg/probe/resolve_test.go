package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				prober := NewProber(Settings{Packets: 5, Interval: 20 * ms, Wait: 600 * ms, Family: test.family, Resolver: test.resolver})
				var path Path
				if test.source != "" {
					path.Source = netip.MustParseAddr(test.source)
				}
				began := time.Now()
				addrs, err := prober.New(Endpoint{Scheme: ICMP, Host: "a.example"}, path).resolve(ctx)
				var words []string
				for _, a := range addrs {
					words = append(words, a.String())
				}
				if err != nil {
					words = append(words, err.Error())
				}
				if got := strings.Join(words, " "); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
				if left := 10*time.Second - time.Since(began); left < 680*ms {
					t.Errorf("only %v left for a first look", left)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

func TestAddressesNeedNoResolver(t *testing.T) {
	resolver := names{"ip4": func() ([]netip.Addr, error) { return nil, errors.New("must not be asked") }}
	e, _ := ParseEndpoint("10.0.0.1")
	addrs, err := NewProber(Settings{Resolver: resolver}).New(e, Path{}).resolve(t.Context())
	if err != nil || !slices.Equal(addrs, []netip.Addr{netip.MustParseAddr("10.0.0.1")}) {
		t.Errorf("got %v, %v", addrs, err)
	}
}
