package lab

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// bypassTable holds the routes around the tunnels. It is asked before all
// others, strongSwan's table 220 included.
const (
	bypassTable    = 100
	bypassPriority = 100
)

// Bypass leads what is between the networks of the two sites over the internet
// in clear, both ways. Machines then answer outside the tunnel, which stays as
// it is: there or, after Down, gone.
func (t *Tunnel) Bypass() error {
	if !t.setBypassed(true) {
		return nil
	}
	return errors.Join(
		reroute(t.Near, t.Far, netlink.RouteAdd, netlink.RuleAdd),
		reroute(t.Far, t.Near, netlink.RouteAdd, netlink.RuleAdd))
}

// Restore ends a Bypass.
func (t *Tunnel) Restore() error {
	if !t.setBypassed(false) {
		return nil
	}
	return errors.Join(
		reroute(t.Near, t.Far, netlink.RouteDel, netlink.RuleDel),
		reroute(t.Far, t.Near, netlink.RouteDel, netlink.RuleDel))
}

// setBypassed tells the relay, and reports whether that is news.
func (t *Tunnel) setBypassed(b bool) bool {
	i := t.Near.internet
	i.mu.Lock()
	defer i.mu.Unlock()
	news := t.bypassed != b
	t.bypassed = b
	return news
}

// around returns the site that a packet goes to outside the tunnel, if it does.
func (t *Tunnel) around(from *Site, to netip.Addr) *Site {
	other := t.Far
	if from == t.Far {
		other = t.Near
	} else if from != t.Near {
		return nil
	}
	if t.bypassed && other.has(to) {
		return other
	}
	return nil
}

// has reports whether an address is in the site's networks.
func (s *Site) has(a netip.Addr) bool {
	for _, n := range s.Networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// reroute adds or deletes the routes by the internet from one site to another.
func reroute(from, to *Site, route func(*netlink.Route) error, rule func(*netlink.Rule) error) error {
	return from.Gateway.Do(func() error {
		link, err := netlink.LinkByName(outside)
		if err != nil {
			return err
		}
		for _, n := range to.Networks {
			r := netlink.NewRule()
			r.Dst, r.Table, r.Priority, r.Family = ipNet(n), bypassTable, bypassPriority, unix.AF_INET
			if n.Addr().Is6() {
				r.Family = unix.AF_INET6
			}
			err := errors.Join(rule(r), route(&netlink.Route{
				LinkIndex: link.Attrs().Index,
				Dst:       ipNet(n),
				Table:     bypassTable,
				Src:       sameFamily(from.GatewayAddrs, n.Addr()),
			}))
			if err != nil {
				return fmt.Errorf("route to %s by the internet: %w", n, err)
			}
		}
		return nil
	})
}
