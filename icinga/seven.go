// Package icinga has the configuration of the daemons, which its tests run, and raises
// the tunnels that it describes in a laboratory.
package icinga

import (
	_ "embed"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"checkvpn/pkg/lab"
	"checkvpn/pkg/plugin"
)

// Tunnels is check_vpn.ini.
//
//go:embed check_vpn.ini
var Tunnels string

// nearSites are where the checks run, with what check_vpn.ini does not say of them.
// Public addresses are from the ranges for documentation (RFC 5737, RFC 3849).
var nearSites = []struct {
	name               string
	public, hostPublic string
	tunnels            []string // sections of check_vpn.ini
}{
	{"office", "192.0.2.10", "192.0.2.20", []string{"office"}},
	{"integration", "198.51.100.101", "198.51.100.121", []string{"dr-integration", "licensing-integration"}},
	{"staging", "198.51.100.102", "198.51.100.122", []string{"dr-staging", "licensing-staging"}},
	{"production", "198.51.100.103", "198.51.100.123", []string{"dr-production", "licensing-production"}},
}

// SevenTunnels raises the tunnels that check_vpn.ini describes: the office's, and DR
// and licensing in three environments, which share a near site there.
func SevenTunnels() (*lab.World, error) {
	ini, err := sections(plugin.INI(Tunnels))
	if err != nil {
		return nil, err
	}
	var groups []lab.Group
	for _, n := range nearSites {
		near := lab.SiteConfig{
			Name:         n.name,
			Public:       both(n.public),
			GatewayAddrs: both(ini[n.tunnels[0]].address("near")),
			HostAddrs:    both(ini["host monitoring-"+n.name].address("address")),
			HostPublic:   both(n.hostPublic),
			Machines:     ini["dr-"+n.name+"-standby"].machines(), // the primaries, from which data is replicated
		}
		near.Networks = networks(append(near.Machines, lab.Machine{Addrs: near.GatewayAddrs}))
		g := lab.Group{Near: near}
		for _, tunnel := range n.tunnels {
			g.Far = append(g.Far, ini[tunnel].farSite(tunnel))
		}
		groups = append(groups, g)
	}
	return lab.NewWorld(lab.WireGuard, lab.WebSite("www.gov.uk", both("203.0.113.80")...), groups...)
}

// section has the values of each key.
type section map[string][]string

func sections(ini plugin.INI) (map[string]section, error) {
	all := map[string]section{}
	err := ini.Lines(func(l plugin.Line) error {
		if all[l.Section] == nil {
			all[l.Section] = section{}
		}
		all[l.Section][l.Key] = append(all[l.Section][l.Key], l.Value)
		return nil
	})
	return all, err
}

// address is that of a key's first target.
func (s section) address(key string) string {
	value := s[key][0]
	return value[strings.Index(value, "=")+1:]
}

// farSite has a gateway beside the far targets: gates are machines, which can be
// stopped.
func (s section) farSite(name string) lab.SiteConfig {
	c := lab.SiteConfig{Name: name, Public: both(s.address("peer")), Machines: s.machines()}
	c.Networks = networks(c.Machines)
	gateway := c.Networks[0].Addr().As4()
	gateway[3] = 254
	c.GatewayAddrs = both(netip.AddrFrom4(gateway).String())
	return c
}

// machines are the far targets, with the ports and pages that are asked of them.
func (s section) machines() (all []lab.Machine) {
	for _, target := range s["far"] {
		label, address, _ := strings.Cut(target, "=")
		name, group, _ := strings.Cut(label, "/")
		m := lab.Machine{Name: name, Group: group, Addrs: both(address)}
		for _, replication := range s["replication"] {
			_, port, _ := strings.Cut(replication, "=tcp://"+address+":")
			if n, err := strconv.ParseUint(port, 10, 16); err == nil {
				m.TCP = append(m.TCP, uint16(n))
			}
		}
		for _, service := range s["service"] {
			if _, page, found := strings.Cut(service, "=https://"+name+"."); found {
				m.Names, m.HTTPS = []string{name + "." + strings.TrimSuffix(page, "/")}, []uint16{443}
			}
		}
		all = append(all, m)
	}
	return all
}

// networks are those that the machines are in.
func networks(machines []lab.Machine) (all []netip.Prefix) {
	for _, m := range machines {
		for i, bits := range []int{24, 64} { // of IPv4 and IPv6
			if n, _ := m.Addrs[i].Prefix(bits); !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	return all
}

// both is an address in IPv4, and one in IPv6 that is made up of the same digits:
// 10.3.11.6 and fd00:3:11::6, 203.0.113.80 and 2001:db8:203:0:113::80.
func both(v4 string) []netip.Addr {
	a := netip.MustParseAddr(v4)
	b := a.As4()
	prefix := "fd00"
	if !a.IsPrivate() {
		prefix = fmt.Sprintf("2001:db8:%d", b[0])
	}
	return []netip.Addr{a, netip.MustParseAddr(fmt.Sprintf("%s:%d:%d::%d", prefix, b[1], b[2], b[3]))}
}
