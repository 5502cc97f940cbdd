package lab

import (
	"errors"
	"net/netip"
)

// Kinds of tunnel in a [World].
const (
	Office    = "office"
	DR        = "dr"
	Licensing = "licensing"
)

// World is the seven tunnels of GOV.UK, raised, and the public web site, which is
// reached over the internet and not by a tunnel.
type World struct {
	Internet *Internet
	VPNs     []*VPN
}

// VPN is one of the tunnels, with what a check of it needs to know.
type VPN struct {
	Kind        string
	Environment string // integration, staging or production; empty for the office, which exists once

	Near, Far *Site   // the checks run in Near, at its inside host
	Tunnel    *Tunnel // nil if there is none

	NearGateway netip.Addr // the near gateway, before the tunnel
	Peer        netip.Addr // the far gateway's public address, outside the tunnel
	DNS         *DNS       // the near site's name server
	Zone        NameServer // what it answers as a rule
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

// Close takes everything down.
func (w *World) Close() error { return w.Internet.Close() }

// SevenTunnels raises the seven tunnels: the office's, and DR and licensing in
// three environments. DR and licensing of an environment share a near site.
func SevenTunnels() (*World, error) {
	i, err := NewInternet()
	if err != nil {
		return nil, err
	}
	w := &World{Internet: i}
	if err := w.raise(); err != nil {
		return nil, errors.Join(err, i.Close())
	}
	return w, nil
}

func (w *World) raise() error {
	if _, err := w.Internet.AddSite(wwwSite()); err != nil {
		return err
	}
	add := func(near SiteConfig, ends ...farEnd) error {
		records := map[string][]netip.Addr{}
		for _, e := range append(ends, farEnd{SiteConfig: wwwSite()}) {
			for _, m := range e.Machines {
				for _, name := range m.Names {
					records[name] = m.Addrs
				}
			}
		}
		vpns, err := w.Internet.join(Kinds()[0], near, Zone(records), ends...)
		w.VPNs = append(w.VPNs, vpns...)
		return err
	}
	err := add(officeSite(), farEnd{Office, "", carrenzaSite()})
	for _, e := range environments {
		if err == nil {
			err = add(e.liveSite(), farEnd{DR, e.name, e.drSite()}, farEnd{Licensing, e.name, e.licensingSite()})
		}
	}
	return err
}

// farEnd is the far end of a tunnel to be.
type farEnd struct {
	kind, environment string
	SiteConfig
}

// join makes a near site with its name server, the far sites, and a tunnel to each
// of them.
func (i *Internet) join(kind Kind, nearConfig SiteConfig, zone NameServer, ends ...farEnd) ([]*VPN, error) {
	near, err := i.AddSite(nearConfig)
	if err != nil {
		return nil, err
	}
	gateway := near.GatewayAddrs[0]
	dns, err := near.Gateway.ServeNames(gateway, zone)
	if err != nil {
		return nil, err
	}
	if err := near.SetResolver(gateway); err != nil {
		return nil, err
	}
	var vpns []*VPN
	for _, e := range ends {
		far, err := i.AddSite(e.SiteConfig)
		if err != nil {
			return nil, err
		}
		v := &VPN{
			Kind: e.kind, Environment: e.environment, Near: near, Far: far,
			NearGateway: gateway, Peer: far.Public[0], DNS: dns, Zone: zone,
		}
		if kind.Raise != nil {
			if v.Tunnel, err = kind.Raise(i, near, far); err != nil {
				return nil, err
			}
		}
		vpns = append(vpns, v)
	}
	return vpns, nil
}
