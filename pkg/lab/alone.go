package lab

import (
	"errors"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
)

// NewNode returns a node that is joined to nothing: it has a loopback and no
// way out. The caller closes it.
func NewNode() (*Node, error) { return newNode() }

// Close takes a node of NewNode down. Programs that still run there are killed.
func (n *Node) Close() error { return n.close() }

// Device is a network device at a node, of which the caller holds the far end.
type Device struct {
	Name   string
	MTU    int
	Addrs  []netip.Addr   // the node's own, on the device
	Routes []netip.Prefix // what lies behind it
}

// OpenDevice makes a device. What the node sends by it is read from the file, a
// whole IP packet at a time, and what is written to the file the node receives.
// The device goes when the file is closed.
func (n *Node) OpenDevice(d Device) (*os.File, error) {
	var file *os.File
	err := n.Do(func() error {
		fd, err := openTUN(d.Name)
		if err != nil {
			return err
		}
		file = os.NewFile(uintptr(fd), tunPath)
		link, err := raiseTUN(d.Name, d.MTU)
		if err != nil {
			return errors.Join(err, file.Close())
		}
		for _, a := range d.Addrs {
			if err := addAddress(link, a); err != nil {
				return errors.Join(err, file.Close())
			}
		}
		for _, p := range d.Routes {
			route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(p), Src: sameFamily(d.Addrs, p.Addr())}
			if err := netlink.RouteReplace(route); err != nil {
				return errors.Join(err, file.Close())
			}
		}
		return nil
	})
	return file, err
}
