package probe

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"checkvpn/pkg/vpn"
)

// An interface has one name of at most 15 bytes, and since Linux 5.5 any number
// of alternative names of up to 127 (ip link property add dev eth0 altname
// enp3s0). No two interfaces of a network namespace share one.
const maxInterfaceName = 127

// IsInterfaceName tells whether an interface could have this name. One that does
// not exist is no mistake: a dead VPN takes its interface with it.
//
// The kernel would let an alternative name have a colon. Here it is refused, for
// then it is more likely a mistyped address.
func IsInterfaceName(name string) bool {
	return name != "" && len(name) <= maxInterfaceName && name != "." && name != ".." &&
		!strings.ContainsAny(name, "/: \t\n\v\f\r\x00")
}

// resolveInterface finds the interface that has this name, and its own name. If
// there is none the error is syscall.ENODEV; any other is our own fault.
func resolveInterface(name string) (index int, canonical string, err error) {
	link, err := linkNamed(name)
	if err != nil {
		return 0, "", err
	}
	return link.Index, link.Name, nil
}

func linkNamed(name string) (*netlink.LinkAttrs, error) {
	if !IsInterfaceName(name) {
		return nil, syscall.ENODEV
	}
	return attrsOf(netlink.LinkByName(name))
}

func linkOf(index int) (*netlink.LinkAttrs, error) { return attrsOf(netlink.LinkByIndex(index)) }

func attrsOf(link netlink.Link, err error) (*netlink.LinkAttrs, error) {
	_, missing := errors.AsType[netlink.LinkNotFoundError](err)
	switch {
	case missing:
		return nil, syscall.ENODEV
	case err != nil:
		return nil, cannotAsk("an interface", err)
	}
	return link.Attrs(), nil
}

// bindToInterface makes a socket send by one interface alone, which needs no
// privilege since Linux 5.7. The kernel takes a short alternative name, but of a
// long one only its first 15 bytes, which may be the name of another interface.
func bindToInterface(fd int, name string) error {
	if len(name) >= unix.IFNAMSIZ {
		var err error
		if _, name, err = resolveInterface(name); err != nil {
			return err
		}
	}
	return os.NewSyscallError("setsockopt", unix.BindToDevice(fd, name))
}

// counters reads how many packets an interface has sent and received since it
// was made, by any of its names. They say what passed the interface, not what
// left the machine: a TUN device counts what its daemon reads. They come over
// netlink, which needs no privilege and, unlike /sys, shows the network namespace
// that this process is in. If there is no such interface, the error is
// syscall.ENODEV.
func counters(name string) (vpn.Counters, error) {
	link, err := netlink.LinkByName(name)
	attrs, err := attrsOf(link, err)
	switch {
	case err != nil:
		return vpn.Counters{}, err
	case attrs.Statistics == nil:
		return vpn.Counters{}, ownFault("the interface " + attrs.Name + " has no counters")
	}
	return vpn.Counters{Interface: name, Kind: link.Type(), Out: attrs.Statistics.TxPackets, In: attrs.Statistics.RxPackets}, nil
}
