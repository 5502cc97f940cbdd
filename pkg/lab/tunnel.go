package lab

import (
	"errors"

	"github.com/vishvananda/netlink"
)

// Tunnel joins the networks of two sites over the internet.
type Tunnel struct {
	Near, Far *Site
	Interface string // at the near gateway

	near, far tunnelEnd
}

// tunnelEnd is one gateway's end of a tunnel. Each kind of tunnel has its own.
type tunnelEnd interface {
	up() error   // makes the interface and its routes; the near end waits for the far one
	down() error // takes them away; no error when there are none
}

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
func (i *Internet) raise(t *Tunnel) (*Tunnel, error) {
	err := t.far.up()
	if err == nil {
		err = t.near.up()
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tunnels = append(i.tunnels, t)
	return t, nil
}
