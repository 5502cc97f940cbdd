package probe

import (
	"errors"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ownAddress tells whether packets to addr would never leave this host,
// because it is one of its own addresses. The loopback range is not counted:
// people try things with it.
//
// The kernel decides, by its routes. So an address of another VRF is none of
// ours: the same one may well be a host behind the tunnel.
func ownAddress(addr netip.Addr) (bool, error) {
	addr = addr.Unmap()
	if addr.IsLoopback() {
		return false, nil
	}
	s, err := openRoutes()
	if err != nil {
		return false, err
	}
	defer s.close()
	return s.isOwn(addr)
}

// isOwn tells whether the kernel keeps packets to addr. Whole networks can be
// its own too (ip route add local 10.5.0.0/24 dev lo), and an IPv6 router has an
// anycast address in each network.
func (s *routeSocket) isOwn(addr netip.Addr) (bool, error) {
	f := flow{To: addr}
	link, err := f.link()
	if err != nil {
		return false, noErrno(err)
	}
	answer, err := s.lookUp(f, link, 0)
	if err != nil {
		return false, noErrno(err)
	}
	return answer.kind == unix.RTN_LOCAL || answer.kind == unix.RTN_ANYCAST, nil
}

// noErrno leaves out the kernel's answer that there is no way.
func noErrno(err error) error {
	if isErrno(err) {
		return nil
	}
	return err
}

// isAssigned tells whether any interface has this address.
func isAssigned(addr netip.Addr) (bool, error) {
	list, err := netlink.AddrList(nil, int(afOf(addr)))
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return false, cannotAsk("the addresses of this host", err)
	}
	for _, a := range list {
		if own, ok := netip.AddrFromSlice(a.IP); ok && own.Unmap() == addr.WithZone("") {
			return true, nil
		}
	}
	return false, nil
}
