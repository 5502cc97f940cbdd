package probe

import (
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestOwnAddress(t *testing.T) {
	t.Parallel()
	f := newFork(t)
	if err := f.Sysctl("net/ipv6/conf/all/forwarding", "1"); err != nil { // a router, with anycast addresses
		t.Fatal(err)
	}
	f.do(t, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		for _, text := range []string{"10.5.0.1/32", "fd00:5::1/128"} {
			if err := addAddress(lo, text); err != nil {
				return err
			}
		}
		for _, network := range []string{"10.8.0.0/24", "fd00:8::/64"} {
			if err := addRoute(network, netlink.Route{LinkIndex: lo.Attrs().Index, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST}); err != nil {
				return err
			}
		}
		if err := addRoute("10.2.9.0/24", netlink.Route{Type: unix.RTN_PROHIBIT}); err != nil {
			return err
		}
		for text, want := range map[string]bool{
			"10.60.0.1": true, "fd00:60::1": true, "::ffff:10.60.0.1": true,
			"10.5.0.1": true, "fd00:5::1": true, // of lo
			"10.8.0.7": true, "fd00:8::7": true, // whole networks
			"fd00:60::":       true, // anycast
			linkLocal("v0"):   true,
			"fe80::9%v0":      false,
			"fe80::9%gone0":   false,
			"127.0.0.1":       false,
			"127.9.9.9":       false,
			"::1":             false,
			"10.60.0.2":       false,
			"fd00:60::2":      false,
			"10.60.0.255":     false, // broadcast
			"10.2.0.1":        false,
			"fd00:2::1":       false,
			"10.2.9.1":        false, // prohibited
			"10.99.0.1":       false, // no way there
			"fd00:99::1":      false,
			"ff02::1":         false,
			"255.255.255.255": false,
		} {
			if got, err := new(sharedRoutes).ownAddress(netip.MustParseAddr(text)); err != nil || got != want {
				t.Errorf("%s: got %t, %v, want %t", text, got, err, want)
			}
		}
		return nil
	})
}

// linkLocal is the own link-local address of an interface, once the kernel has
// given it one.
func linkLocal(name string) string {
	link, err := netlink.LinkByName(name)
	for range 1000 {
		if err != nil {
			return err.Error()
		}
		var list []netlink.Addr
		list, err = netlink.AddrList(link, netlink.FAMILY_V6)
		for _, a := range list {
			if a.IP.IsLinkLocalUnicast() && awaitLocal(a.IP, link) == nil {
				return a.IP.String() + "%" + name
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return "no link-local address"
}
