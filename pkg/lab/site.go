package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Addrs are addresses for the configuration of a site. It panics if a text is
// none.
func Addrs(texts ...string) []netip.Addr { return parsed(texts, netip.MustParseAddr) }

// Prefixes are networks, likewise.
func Prefixes(texts ...string) []netip.Prefix { return parsed(texts, netip.MustParsePrefix) }

func parsed[T any](texts []string, parse func(string) T) []T {
	all := make([]T, len(texts))
	for i, s := range texts {
		all[i] = parse(s)
	}
	return all
}

// SiteConfig describes a site.
type SiteConfig struct {
	Name   string
	Public []netip.Addr // the gateway's, on the internet; IPv4, IPv6 or both

	// Networks are behind the gateway. An address in them that nobody has stays
	// silent. The internet leads to those with public addresses only; see
	// Tunnel.Bypass.
	Networks []netip.Prefix

	GatewayAddrs []netip.Addr // the gateway's own, in Networks; one of each family
	HostAddrs    []netip.Addr // the inside host's, in Networks; none: no such host
	Machines     []Machine

	// HostPublic are the inside host's addresses towards the internet. A real
	// site would translate its inner ones at the gateway; from outside it looks
	// the same.
	HostPublic []netip.Addr
}

// Site is one organisation's end of the tunnels. It is itself the [Node] where
// the checks run: the inside host, or the gateway where there is no such host.
type Site struct {
	*Node
	Gateway *Node

	SiteConfig
	internet *Internet
	wire     *os.File // the gateway's TUN device; the relay holds this end

	mu       sync.Mutex
	machines []*machine
	tunnels  int
}

// Device names, the same at each site.
const (
	outside = "outside" // at the gateway, to the internet
	lan     = "lan"     // at the gateway, to the inside host
	eth0    = "eth0"    // at the inside host
)

// AddSite makes a site and connects it.
func (i *Internet) AddSite(c SiteConfig) (*Site, error) {
	s := &Site{SiteConfig: c, internet: i}
	if err := s.build(); err != nil {
		s.close()
		return nil, fmt.Errorf("site %s: %w", c.Name, err)
	}
	i.connect(s, s.publicRoutes())
	return s, nil
}

func (s *Site) build() (err error) {
	if s.Gateway, err = NewNode(); err != nil {
		return err
	}
	s.Node = s.Gateway
	if err := s.Gateway.Do(s.buildGateway); err != nil {
		return err
	}
	if len(s.HostAddrs) > 0 {
		if err := s.addHost(); err != nil {
			return err
		}
	}
	for _, m := range s.Machines {
		m := &machine{Machine: m}
		s.machines = append(s.machines, m)
		if err := s.become(m, alive); err != nil {
			return err
		}
	}
	return nil
}

// publicRoutes is what the internet leads to this site.
func (s *Site) publicRoutes() []netip.Prefix {
	var routes []netip.Prefix
	for _, a := range slices.Concat(s.Public, s.HostPublic) {
		routes = append(routes, single(a))
	}
	for _, n := range s.Networks {
		if !n.Addr().IsPrivate() {
			routes = append(routes, n)
		}
	}
	return routes
}

// buildGateway makes the device to the internet and the routes, in the
// gateway's namespace.
func (s *Site) buildGateway() error {
	for _, path := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
		if err := setSysctl(path, "1"); err != nil {
			return err
		}
	}
	fd, err := openTUN(outside)
	if err != nil {
		return err
	}
	s.wire = os.NewFile(uintptr(fd), tunPath)
	link, err := raiseTUN(outside, 1500)
	if err != nil {
		return err
	}
	for _, a := range s.Public {
		if err := addAddress(link, a); err != nil {
			return err
		}
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: everything(a)}); err != nil {
			return fmt.Errorf("default route: %w", err)
		}
	}
	for _, n := range s.Networks {
		if err := netlink.RouteAdd(&netlink.Route{Dst: ipNet(n), Type: unix.RTN_BLACKHOLE}); err != nil {
			return fmt.Errorf("network %s: %w", n, err)
		}
	}
	// On the loopback, for a route by a tunnel goes away with the address that
	// it is from, and the device to the host may come and go.
	return addToLoopback(s.GatewayAddrs)
}

// close takes the site down. Programs that still run there are killed.
func (s *Site) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, m := range s.machines {
		m.hangUp()
	}
	if s.wire != nil {
		errs = append(errs, s.wire.Close())
	}
	if s.Node != s.Gateway {
		errs = append(errs, s.Node.Close())
	}
	if s.Gateway != nil {
		errs = append(errs, s.Gateway.Close())
	}
	return errors.Join(errs...)
}

// addAddress gives a device an address that works at once.
func addAddress(link netlink.Link, a netip.Addr) error {
	address := &netlink.Addr{IPNet: ipNet(single(a))}
	if a.Is6() {
		address.Flags = unix.IFA_F_NODAD
	}
	if err := netlink.AddrReplace(link, address); err != nil {
		return fmt.Errorf("address %s: %w", a, err)
	}
	return nil
}

func addToLoopback(addresses []netip.Addr) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if err := addAddress(lo, a); err != nil {
			return err
		}
	}
	return nil
}

// single is the prefix of one address.
func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// ipNet is the prefix in the form that netlink wants.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// everything is the prefix of all addresses of a's family.
func everything(a netip.Addr) *net.IPNet {
	if a.Is4() {
		return ipNet(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
	}
	return ipNet(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
}

// sameFamily returns the first address of a's family, or nil.
func sameFamily(addresses []netip.Addr, a netip.Addr) net.IP {
	for _, b := range addresses {
		if a.Is4() == b.Is4() {
			return b.AsSlice()
		}
	}
	return nil
}
