package lab

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
)

// Tunnel joins the networks of two sites over the internet.
type Tunnel struct {
	Near, Far *Site
	Interface string // at the near gateway

	near, far tunnelEnd
	bypassed  bool // the internet's mutex guards it
}

// tunnelEnd is one gateway's end of a tunnel. Each kind of tunnel has its own.
type tunnelEnd interface {
	up() error   // makes the interface and its routes; the near end waits for the far one
	down() error // takes them away; no error when there are none
}

var errDown = errors.New("the tunnel is down")

// Down takes the tunnel down at the near end: its interface and routes are
// gone, and the far end waits in vain.
func (t *Tunnel) Down() error { return t.near.down() }

// Up brings the near end back and waits until the tunnel stands.
func (t *Tunnel) Up() error { return t.near.up() }

// Close takes the tunnel down at both ends.
func (t *Tunnel) Close() error { return errors.Join(t.near.down(), t.far.down()) }

// SetMTU sets the largest packet that the near gateway puts into the tunnel. It
// answers larger ones that they are too big.
func (t *Tunnel) SetMTU(bytes int) error {
	return t.Near.Gateway.Do(func() error {
		link, err := netlink.LinkByName(t.Interface)
		if err != nil {
			return err
		}
		return netlink.LinkSetMTU(link, bytes)
	})
}

// raise brings up both ends, the far one first, so that the near one finds it
// listening.
func (i *Internet) raise(kind string, t *Tunnel) (*Tunnel, error) {
	err := t.far.up()
	if err == nil {
		err = t.near.up()
	}
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("%s from %s to %s: %w", kind, t.Near.Name, t.Far.Name, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tunnels = append(i.tunnels, t)
	return t, nil
}

// leadInto leads the far site's networks into the tunnel's interface, in the
// near gateway's namespace. What the gateway itself sends comes from its inner
// address.
func leadInto(link netlink.Link, near, far *Site) error {
	for _, n := range far.Networks {
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(n), Src: sameFamily(near.GatewayAddrs, n.Addr())}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("route to %s: %w", n, err)
		}
	}
	return nil
}

// nextTunnel numbers the tunnels of a site.
func (s *Site) nextTunnel() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tunnels == maxTunnels {
		return 0, fmt.Errorf("site %s has %d tunnels already", s.Name, s.tunnels)
	}
	s.tunnels++
	return s.tunnels - 1, nil
}
