package probe

import (
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"

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

// linkNamed finds the interface that has this name. If there is none the error is
// syscall.ENODEV; any other is our own fault.
func linkNamed(name string) (netlink.Link, error) {
	if !IsInterfaceName(name) {
		return nil, syscall.ENODEV
	}
	return linkOrFault(netlink.LinkByName(name))
}

func linkOrFault(link netlink.Link, err error) (netlink.Link, error) {
	switch {
	case is[netlink.LinkNotFoundError](err):
		return nil, syscall.ENODEV
	case err != nil:
		return nil, cannotAsk("an interface", err)
	}
	return link, nil
}

// counters reads how many packets an interface has sent and received since it
// was made, by any of its names. They say what passed the interface, not what
// left the host: a TUN device counts what its daemon reads. They come over
// netlink, which needs no privilege and, unlike /sys, shows the network namespace
// that this process is in. If there is no such interface, the error is
// syscall.ENODEV.
func counters(name string) (vpn.Counters, error) {
	link, err := linkNamed(name)
	if err != nil {
		return vpn.Counters{}, err
	}
	passed := link.Attrs().Statistics
	if passed == nil {
		return vpn.Counters{}, ownFault("the interface " + name + " has no counters")
	}
	return vpn.Counters{Interface: name, Kind: link.Type(), Out: passed.TxPackets, In: passed.RxPackets}, nil
}
