package probe

import (
	"errors"
	"math"
	"net/netip"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// openEchoSocket opens a socket of one family, IPv4 or IPv6, raw if it is privileged. Its
// errors are those of the system call: *os.SyscallError for "socket",
// "setsockopt" and "bind".
func openEchoSocket(f Family, path Path, privileged bool) (*echoSocket, error) {
	domain, kind, protocol := unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP
	if f == IPv6 {
		domain, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	if privileged {
		kind = unix.SOCK_RAW
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &echoSocket{family: f, header: privileged && f != IPv6, table: newEchoTable(f), replies: make([]byte, math.MaxUint16)}
	if err := s.prepare(fd, path, privileged); err != nil {
		unix.Close(fd)
		return nil, err
	}
	s.file = os.NewFile(uintptr(fd), "icmp")
	// A deadline proves that Go's poller has taken the socket.
	err = s.file.SetReadDeadline(time.Time{})
	if err == nil {
		s.raw, err = s.file.SyscallConn()
	}
	if err != nil {
		s.file.Close()
		return nil, err
	}
	return s, nil
}

// prepare sets the options and addresses of a new socket. A datagram socket gets
// its id when it is bound, be it to no address.
func (s *echoSocket) prepare(fd int, path Path, privileged bool) error {
	if path.Interface != "" {
		if err := bindToInterface(fd, path.Interface); err != nil {
			return err
		}
	}
	if err := setOptions(fd, echoOptions(s.family, path)); err != nil {
		return err
	}
	if err := turnOnErrorQueue(fd, s.family); err != nil {
		return err
	}
	if privileged {
		return errors.Join(onlyReplies(fd, s.family), s.bind(fd, path.Source))
	}
	if err := s.bind(fd, path.Source); err != nil {
		return err
	}
	id, err := boundID(fd)
	s.table.id = id
	return err
}

// echoOptions has large buffers: replies come in bursts, and packets to a
// neighbour that does not answer wait in the kernel for three seconds.
func echoOptions(f Family, path Path) []socketOption {
	const buffer = 1 << 20 // the kernel gives as much of it as it may
	both := []socketOption{{unix.SOL_SOCKET, unix.SO_SNDBUF, buffer}, {unix.SOL_SOCKET, unix.SO_RCVBUF, buffer}}
	if f == IPv6 {
		return append(both,
			socketOption{unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE},
			socketOption{unix.IPPROTO_IPV6, unix.IPV6_TCLASS, int(path.DSCP) << 2})
	}
	return append(both,
		socketOption{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE},
		socketOption{unix.IPPROTO_IP, unix.IP_TOS, int(path.DSCP) << 2})
}

// onlyReplies keeps everything but echo replies from a raw socket. In both
// filters a bit that is set holds a type back.
func onlyReplies(fd int, f Family) error {
	if f == IPv6 {
		var filter unix.ICMPv6Filter
		for i := range filter.Data {
			filter.Data[i] = math.MaxUint32
		}
		reply := typeNumber(formOf(f).reply)
		filter.Data[reply/32] &^= 1 << (reply % 32)
		const icmp6Filter = 1
		return os.NewSyscallError("setsockopt", unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, icmp6Filter, &filter))
	}
	const icmpFilter = 1
	return setOptions(fd, []socketOption{{unix.SOL_RAW, icmpFilter, ^(1 << typeNumber(formOf(f).reply))}})
}

// bind binds the socket to a source address, if there is one.
func (s *echoSocket) bind(fd int, source netip.Addr) error {
	if !source.IsValid() {
		source = netip.IPv4Unspecified()
		if s.family == IPv6 {
			source = netip.IPv6Unspecified()
		}
	}
	to, err := socketAddr(fd, source)
	if err != nil {
		return err
	}
	return os.NewSyscallError("bind", unix.Bind(fd, to))
}

// boundID is the id of a datagram socket, which the kernel calls its port.
func boundID(fd int) (uint16, error) {
	a, err := unix.Getsockname(fd)
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return uint16(a.Port), nil
	case *unix.SockaddrInet6:
		return uint16(a.Port), nil
	}
	return 0, os.NewSyscallError("getsockname", err)
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

// hopLimit is the control message that gives a packet its number of hops; none
// if that is the host's default.
func hopLimit(f Family, hops int) []byte {
	if hops == 0 {
		return nil
	}
	b := make([]byte, unix.CmsgSpace(4))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = unix.IPPROTO_IP, unix.IP_TTL
	if f == IPv6 {
		h.Level, h.Type = unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT
	}
	h.SetLen(unix.CmsgLen(4))
	*(*int32)(unsafe.Pointer(&b[unix.CmsgLen(0)])) = int32(hops)
	return b
}
