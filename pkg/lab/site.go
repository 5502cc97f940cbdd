package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
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
	i.connect(s)
	return s, nil
}

func (s *Site) build() (err error) {
	if s.Gateway, err = NewNode(); err != nil {
		return err
	}
	s.Node = s.Gateway
	if err := s.buildGateway(); err != nil {
		return err
	}
	if len(s.HostAddrs) > 0 {
		if err := s.addHost(); err != nil {
			return err
		}
	}
	for _, m := range s.Machines {
		s.machines = append(s.machines, &machine{Machine: m})
	}
	return s.power(true, s.machines)
}

// buildGateway makes the device to the internet and the routes.
func (s *Site) buildGateway() (err error) {
	for _, path := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
		if err := s.Gateway.Sysctl(path, "1"); err != nil {
			return err
		}
	}
	everything := Prefixes("0.0.0.0/0", "::/0")
	everything = slices.DeleteFunc(everything, func(n netip.Prefix) bool { return from(s.Public, n) == "" })
	s.wire, err = s.Gateway.OpenDevice(Device{Name: outside, MTU: 1500, Addrs: s.Public, Routes: everything})
	if err != nil {
		return err
	}
	var commands []string
	for _, n := range s.Networks {
		commands = append(commands, "route add blackhole "+n.String())
	}
	// On the loopback, for a route by a tunnel goes away with the address that
	// it is from, and the device to the host may come and go.
	for _, a := range s.GatewayAddrs {
		commands = append(commands, address("add", a, "lo"))
	}
	return s.Gateway.ip(commands...)
}

// addHost makes the host inside, joined to the gateway by a virtual cable. All
// else lies behind the gateway: private networks, asked from the host's inner
// address, and the internet.
func (s *Site) addHost() error {
	host, err := NewNode()
	if err != nil {
		return err
	}
	s.Node = host
	addresses := slices.Concat(s.HostAddrs, s.HostPublic)
	cable := fmt.Sprintf("link add %s type veth peer name %s netns /proc/%d/fd/%d", lan, eth0, os.Getpid(), host.ns.Fd())
	if err := s.Gateway.ip(append([]string{cable}, plug(lan, s.GatewayAddrs, addresses)...)...); err != nil {
		return err
	}
	commands := plug(eth0, addresses, s.GatewayAddrs)
	for _, n := range Prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "0.0.0.0/0", "fc00::/7", "::/0") {
		source := from(s.HostAddrs, n)
		if public := from(s.HostPublic, n); n.Bits() == 0 && public != "" {
			source = public
		}
		for _, gateway := range s.GatewayAddrs {
			if gateway.Is4() == n.Addr().Is4() {
				commands = append(commands, fmt.Sprintf("route replace %s via %s dev %s%s", n, gateway, eth0, source))
			}
		}
	}
	return host.ip(commands...)
}

// plug are ip's commands that bring up one side of the cable, with its own
// addresses and routes to the other side's.
//
// Addresses are single, not of the whole network: the host asks the gateway for
// its neighbours, so that a stopped one is silent and not "unreachable".
func plug(device string, own, other []netip.Addr) []string {
	commands := []string{"link set " + device + " up"}
	for _, a := range own {
		commands = append(commands, address("add", a, device))
	}
	return append(commands, routes(device, own, single(other...)...)...)
}

// StopInside makes the near gateway dead as seen from the inside host: what the
// host sends still leaves, and nobody answers, not even for the hardware address.
// The cable taken down would let the host's kernel know. It needs nft.
func (s *Site) StopInside() error {
	return s.Gateway.Tool("nft", "add table netdev dead; add chain netdev dead in { type filter hook ingress device "+lan+" priority 0; policy drop; }")
}

// StartInside brings the near gateway back.
func (s *Site) StartInside() error { return s.Gateway.Tool("nft", "delete table netdev dead") }

// close takes the site down. Programs that still run there are killed.
func (s *Site) close() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.machines {
		m.hangUp()
	}
	if s.wire != nil {
		err = s.wire.Close()
	}
	if s.Node != s.Gateway {
		err = errors.Join(err, s.Node.Close())
	}
	if s.Gateway != nil {
		err = errors.Join(err, s.Gateway.Close())
	}
	return err
}
