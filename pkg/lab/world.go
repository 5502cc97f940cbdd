package lab

import (
	"errors"
	"net/netip"
	"strings"
)

// Kinds of tunnel in a [World].
const (
	Office    = "office"
	DR        = "dr"
	Licensing = "licensing"
)

// World is tunnels, raised, and a public web site, which is reached over the internet
// and not by a tunnel.
type World struct {
	*Internet
	WWW  *Site
	VPNs []*VPN
}

// VPN is one of the tunnels, with what a check of it needs to know.
type VPN struct {
	Kind        string
	Environment string // integration, staging or production; empty for the office, which exists once

	Near, Far *Site   // the checks run in Near, at its inside host
	Tunnel    *Tunnel // nil if there is none

	DNS  *DNS       // the near site's name server
	Zone NameServer // what it answers as a rule
}

// VPN returns a tunnel by its kind and environment, or nil.
func (w *World) VPN(kind, environment string) *VPN {
	for _, v := range w.VPNs {
		if v.Kind == kind && v.Environment == environment {
			return v
		}
	}
	return nil
}

// Group is a near site, and the far ones to which tunnels lead from it.
type Group struct {
	Near SiteConfig
	Far  []SiteConfig // the kind and environment of a tunnel are in the name: dr-production
}

// NewWorld raises tunnels of a kind. Each near site has a name server, which knows
// its far machines and the web site.
func NewWorld(k Kind, www SiteConfig, groups ...Group) (*World, error) {
	i, err := NewInternet()
	if err != nil {
		return nil, err
	}
	w := &World{Internet: i}
	w.WWW, err = i.AddSite(www)
	for _, g := range groups {
		if err == nil {
			err = w.join(k, g, Zone(append(g.Far, www)))
		}
	}
	if err != nil {
		return nil, errors.Join(err, i.Close())
	}
	return w, nil
}

func (w *World) join(k Kind, g Group, zone NameServer) error {
	near, err := w.AddSite(g.Near)
	if err != nil {
		return err
	}
	gateway := near.GatewayAddrs[0]
	dns, err := near.Gateway.ServeNames(gateway, zone)
	if err != nil {
		return err
	}
	if err := near.SetResolver(gateway); err != nil {
		return err
	}
	for _, end := range g.Far {
		far, err := w.AddSite(end)
		if err != nil {
			return err
		}
		v := &VPN{Near: near, Far: far, DNS: dns, Zone: zone}
		v.Kind, v.Environment, _ = strings.Cut(end.Name, "-")
		if k.ends != nil {
			if v.Tunnel, err = k.Raise(w.Internet, near, far); err != nil {
				return err
			}
		}
		w.VPNs = append(w.VPNs, v)
	}
	return nil
}

// WebSite is one with a page, by HTTP and HTTPS.
func WebSite(name string, addresses ...netip.Addr) SiteConfig {
	return SiteConfig{
		Name: "www", Public: Addrs("203.0.113.81", "2001:db8:81::1"), Networks: single(addresses...),
		Machines: []Machine{{Name: "www", Addrs: addresses, Names: []string{name}, HTTP: []uint16{80}, HTTPS: []uint16{443}}},
	}
}
