package probe

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// What is done to sockets of any kind.

// option is a socket option that has a number of its own in each family.
type option struct{ four, six int }

var (
	errorQueue    = option{unix.IP_RECVERR, unix.IPV6_RECVERR} // see error_queue.go
	packetInfo    = option{unix.IP_PKTINFO, unix.IPV6_RECVPKTINFO}
	mtuDiscovery  = option{unix.IP_MTU_DISCOVER, unix.IPV6_MTU_DISCOVER}
	typeOfService = option{unix.IP_TOS, unix.IPV6_TCLASS}
	hopLimit      = option{unix.IP_TTL, unix.IPV6_UNICAST_HOPS} // -1 is the host's default
)

func (o option) set(fd int, f Family, value int) error {
	level, name := unix.IPPROTO_IP, o.four
	if f == IPv6 {
		level, name = unix.IPPROTO_IPV6, o.six
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, name, value))
}

// turnOnErrorQueue gives a socket an error queue. What tells this host's own
// ICMP errors from others is the address that they were sent to, so that is
// asked for as well.
func turnOnErrorQueue(fd int, f Family) error {
	return errors.Join(errorQueue.set(fd, f, 1), packetInfo.set(fd, f, 1))
}

// prepare makes a new socket send by the path.
func (p Path) prepare(fd int, f Family) error {
	if p.Interface != "" {
		if err := bindToInterface(fd, p.Interface); err != nil {
			return err
		}
	}
	if p.DSCP != 0 {
		if err := typeOfService.set(fd, f, int(p.DSCP)<<2); err != nil {
			return err
		}
	}
	if !p.Source.IsValid() {
		return nil
	}
	source, err := socketAddr(fd, p.Source.Unmap())
	if err != nil {
		return err
	}
	return os.NewSyscallError("bind", unix.Bind(fd, source))
}

// bindToInterface makes a socket send by one interface alone, which needs no
// privilege since Linux 5.7. The kernel takes a short alternative name, but of a
// long one only its first 15 bytes, which may be the name of another interface.
func bindToInterface(fd int, name string) error {
	if len(name) >= unix.IFNAMSIZ {
		link, err := linkNamed(name)
		if err != nil {
			return err
		}
		name = link.Attrs().Name
	}
	return os.NewSyscallError("setsockopt", unix.BindToDevice(fd, name))
}

// onSocket calls f with the descriptor of a socket.
func onSocket(c syscall.RawConn, f func(fd int) error) error {
	var err error
	outer := c.Control(func(fd uintptr) { err = f(int(fd)) })
	return errors.Join(outer, err)
}

// afOf is the family of an address, as the kernel numbers it.
func afOf(addr netip.Addr) int {
	if addr.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// socketAddr is an address for a system call. The interface of a zone is looked
// up by the socket, so that it is one of the socket's own network.
func socketAddr(fd int, addr netip.Addr) (unix.Sockaddr, error) {
	if addr.Is4() {
		return &unix.SockaddrInet4{Addr: addr.As4()}, nil
	}
	a := &unix.SockaddrInet6{Addr: addr.As16()}
	if addr.Zone() == "" {
		return a, nil
	}
	if n, err := strconv.ParseUint(addr.Zone(), 10, 32); err == nil {
		a.ZoneId = uint32(n)
		return a, nil
	}
	request, err := unix.NewIfreq(addr.Zone())
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request)
	}
	if err != nil {
		return nil, os.NewSyscallError("ioctl", err)
	}
	a.ZoneId = request.Uint32()
	return a, nil
}

// addrPortOf is what a sockaddr says, without its zone.
func addrPortOf(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// ownAddrOf is the address and port that a socket sends from.
func ownAddrOf(fd int) (netip.AddrPort, error) {
	a, err := unix.Getsockname(fd)
	return addrPortOf(a), os.NewSyscallError("getsockname", err)
}
