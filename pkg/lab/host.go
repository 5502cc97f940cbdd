package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"

	"github.com/vishvananda/netlink"
)

// addHost makes the host inside, joined to the gateway by a virtual cable.
func (s *Site) addHost() error {
	host, err := NewNode()
	if err != nil {
		return err
	}
	s.Node = host
	err = s.Gateway.Do(func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: lan},
			PeerName:      eth0,
			PeerNamespace: netlink.NsFd(int(host.ns.file.Fd())),
		})
	})
	if err != nil {
		return fmt.Errorf("cable to the host: %w", err)
	}
	err = s.Gateway.Do(func() error {
		_, err := join(lan, s.GatewayAddrs, slices.Concat(s.HostAddrs, s.HostPublic))
		return err
	})
	if err != nil {
		return err
	}
	return host.Do(s.joinHost)
}

// StopInside makes the near gateway dead as seen from the inside host: what the
// host sends still leaves, and nobody answers, not even for the hardware address.
// The cable taken down would let the host's kernel know. It needs nft.
func (s *Site) StopInside() error {
	return s.nft("add table netdev dead; add chain netdev dead in { type filter hook ingress device " + lan + " priority 0; policy drop; }")
}

// StartInside brings the near gateway back.
func (s *Site) StartInside() error { return s.nft("delete table netdev dead") }

func (s *Site) nft(commands string) error {
	r, err := s.Gateway.Run(exec.Command("nft", commands))
	if err == nil && r.Code != 0 {
		err = errors.New("nft: " + r.Stderr)
	}
	return err
}

// joinHost brings up the host's side. All else lies behind the gateway: private
// networks, asked from the host's inner address, and the internet.
func (s *Site) joinHost() error {
	link, err := join(eth0, slices.Concat(s.HostAddrs, s.HostPublic), s.GatewayAddrs)
	if err != nil {
		return err
	}
	for _, gateway := range s.GatewayAddrs {
		for _, p := range beyond {
			if p.Addr().Is4() != gateway.Is4() {
				continue
			}
			route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(p), Gw: gateway.AsSlice()}
			route.Src = sameFamily(s.HostAddrs, gateway)
			if p.Bits() == 0 && len(s.HostPublic) > 0 {
				route.Src = sameFamily(s.HostPublic, gateway)
			}
			if err := netlink.RouteReplace(route); err != nil {
				return fmt.Errorf("route to %s: %w", p, err)
			}
		}
	}
	return nil
}

// beyond is what lies behind a gateway: the private networks and the rest.
var beyond = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("0.0.0.0/0"),
	netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("::/0"),
}

// join brings up one side of the cable, with its own addresses and routes to
// the other side's.
//
// Addresses are single, not of the whole network: the host asks the gateway for
// its neighbours, so that a stopped one is silent and not "unreachable".
func join(device string, own, other []netip.Addr) (netlink.Link, error) {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return nil, err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, err
	}
	for _, a := range own {
		if err := addAddress(link, a); err != nil {
			return nil, err
		}
	}
	for _, a := range other {
		route := &netlink.Route{
			LinkIndex: link.Attrs().Index,
			Dst:       ipNet(single(a)),
			Src:       sameFamily(own, a),
			Scope:     netlink.SCOPE_LINK,
		}
		if err := netlink.RouteReplace(route); err != nil {
			return nil, fmt.Errorf("route to %s: %w", a, err)
		}
	}
	return link, nil
}
