package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Kinds of tunnel in a [World].
const (
	Office    = "office"
	DR        = "dr"
	Licensing = "licensing"
)

// World is the seven tunnels of GOV.UK, raised, and the public web site.
type World struct {
	Internet *Internet
	WWW      *Site // www.gov.uk, reached over the internet and not by a tunnel
	VPNs     []*VPN
}

// VPN is one of the tunnels, with what a check of it needs to know.
type VPN struct {
	Kind        string
	Environment string // integration, staging or production; empty for the office, which exists once

	Near, Far *Site // the checks run in Near, at its inside host
	Tunnel    *Tunnel

	NearGateway netip.Addr // the near gateway, before the tunnel
	Peer        netip.Addr // the far gateway's public address, outside the tunnel
	DNS         *DNS       // the near site's name server
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
func SevenTunnels() (_ *World, err error) {
	i, err := NewInternet()
	if err != nil {
		return nil, err
	}
	w := &World{Internet: i}
	defer func() {
		if err != nil {
			err = errors.Join(err, i.Close())
		}
	}()
	if w.WWW, err = i.AddSite(wwwSite()); err != nil {
		return nil, err
	}
	results := make([][]*VPN, 1+len(environments))
	var g errgroup.Group
	g.Go(func() (err error) {
		results[0], err = i.pair(officeSite(), end{Office, "", carrenzaSite()})
		return err
	})
	for n, e := range environments {
		g.Go(func() (err error) {
			results[1+n], err = i.pair(e.liveSite(), end{DR, e.name, e.drSite()}, end{Licensing, e.name, e.licensingSite()})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	w.VPNs = slices.Concat(results...)
	return w, nil
}

// end is the far end of a tunnel to be.
type end struct {
	kind, environment string
	site              SiteConfig
}

// pair makes a near site with its name server, the far sites and the tunnels.
func (i *Internet) pair(nearConfig SiteConfig, ends ...end) ([]*VPN, error) {
	near, err := i.AddSite(nearConfig)
	if err != nil {
		return nil, err
	}
	gateway := near.GatewayAddrs[0]
	records := map[string][]netip.Addr{}
	collect(records, wwwSite())
	vpns := make([]*VPN, len(ends))
	var g errgroup.Group
	for n, e := range ends {
		collect(records, e.site)
		g.Go(func() error {
			far, err := i.AddSite(e.site)
			if err != nil {
				return err
			}
			tunnel, err := i.WireGuard(near, far)
			vpns[n] = &VPN{
				Kind: e.kind, Environment: e.environment,
				Near: near, Far: far, Tunnel: tunnel,
				NearGateway: gateway, Peer: far.Public[0],
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	dns, err := near.ServeDNS(gateway, records)
	if err != nil {
		return nil, err
	}
	for _, v := range vpns {
		v.DNS = dns
	}
	if err := near.SetResolver(gateway); err != nil {
		return nil, fmt.Errorf("site %s: %w", near.Name, err)
	}
	return vpns, nil
}

// collect adds the names of a site's machines.
func collect(records map[string][]netip.Addr, c SiteConfig) {
	for _, m := range c.Machines {
		for _, name := range m.Names {
			records[name] = m.Addrs
		}
	}
}
