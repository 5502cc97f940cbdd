package probe

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// routeSocket asks the kernel for routes over rtnetlink. netlink's own function
// for this cannot ask for DSCP, protocol and port, nor does it tell an error of
// the socket from one that is the kernel's answer: if SELinux forbids the
// socket, EACCES would read as a prohibited route.
type routeSocket struct {
	fd     int
	answer [16 << 10]byte
}

// sharedRoutes is a route socket that is open while anybody is to ask by it. So a
// hundred targets need one in all; and whoever has but one file descriptor can ask
// about an address, and then ping it. The zero value has nobody.
type sharedRoutes struct {
	mutex  sync.Mutex
	users  int
	socket *routeSocket
}

// join counts one more who is to ask, until leave is called.
func (s *sharedRoutes) join() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.users++
}

func (s *sharedRoutes) leave() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.users--; s.users == 0 && s.socket != nil {
		_ = s.socket.Close()
		s.socket = nil
	}
}

// use has one at a time ask.
func (s *sharedRoutes) use(ask func(*routeSocket) error) (err error) {
	s.join()
	defer s.leave()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.socket == nil {
		if s.socket, err = openRoutes(); err != nil {
			return err
		}
	}
	return ask(s.socket)
}

// routeAnswer is what the kernel says of one route, or of one next hop of it.
type routeAnswer struct {
	kind            uint8 // unix.RTN_UNICAST and so on
	link            int
	source, gateway netip.Addr
	hops            []routeAnswer
}

func openRoutes() (*routeSocket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, cannotAsk("a route", err)
	}
	return &routeSocket{fd: fd}, nil
}

func (s *routeSocket) Close() error { return unix.Close(s.fd) }

// lookUp asks for the route of a flow. A syscall.Errno is the kernel's answer; any
// other error is an *vpn.Fault. With the flag RTM_F_FIB_MATCH the answer is the
// whole entry of the routing table, with its next hops, in place of what becomes
// of the flow.
func (s *routeSocket) lookUp(f flow, flags uint32) (routeAnswer, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETROUTE, 0)
	req.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{
		Family:  uint8(afOf(f.To)),
		Dst_len: uint8(f.To.BitLen()),
		Src_len: uint8(f.Source.BitLen()),
		Tos:     f.DSCP << 2,
		Flags:   flags,
	}})
	add := func(kind int, value []byte) { req.AddData(nl.NewRtAttr(kind, value)) }
	add(unix.RTA_DST, f.To.AsSlice())
	// For rules with a uidrange. The kernel would take the real user ID of who
	// asks, but the effective one makes sockets.
	add(unix.RTA_UID, nl.Uint32Attr(uint32(os.Geteuid())))
	if f.Source.IsValid() {
		add(unix.RTA_SRC, f.Source.AsSlice())
	}
	if f.link != 0 {
		add(unix.RTA_OIF, nl.Uint32Attr(uint32(f.link)))
	}
	if f.Protocol != 0 {
		add(unix.RTA_IP_PROTO, nl.Uint8Attr(f.Protocol))
	}
	if f.Port != 0 {
		add(unix.RTA_DPORT, nl.BEUint16Attr(f.Port))
	}
	data, err := s.ask(req)
	if err != nil {
		return routeAnswer{}, err
	}
	a := routeAnswer{kind: nl.DeserializeRtMsg(data).Type}
	if err := a.read(data[unix.SizeofRtMsg:]); err != nil {
		return routeAnswer{}, cannotAsk("a route", err)
	}
	return a, nil
}

// ask sends a request and reads the one message that answers it, which stays until
// the next is asked. The kernel has put it into the socket's queue before the
// request is sent.
func (s *routeSocket) ask(req *nl.NetlinkRequest) ([]byte, error) {
	if err := unix.Sendto(s.fd, req.Serialize(), unix.MSG_DONTWAIT, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, cannotAsk("a route", err)
	}
	for {
		n, from, err := unix.Recvfrom(s.fd, s.answer[:], unix.MSG_DONTWAIT)
		if err != nil {
			return nil, cannotAsk("a route", err)
		}
		messages, err := syscall.ParseNetlinkMessage(s.answer[:n])
		if err != nil {
			return nil, cannotAsk("a route", err)
		}
		sender, known := from.(*unix.SockaddrNetlink)
		for _, m := range messages {
			switch {
			case !known || sender.Pid != nl.PidKernel || m.Header.Seq != req.Seq:
			case m.Header.Type == unix.NLMSG_ERROR && len(m.Data) >= 4:
				return nil, syscall.Errno(-int32(nl.NativeEndian().Uint32(m.Data)))
			case m.Header.Type == unix.RTM_NEWROUTE && len(m.Data) >= unix.SizeofRtMsg:
				return m.Data, nil
			}
		}
	}
}

// noErrno leaves out the kernel's answer that there is no way.
func noErrno(err error) error {
	if is[syscall.Errno](err) {
		return nil
	}
	return err
}

// read reads the attributes of a route, or of one next hop.
func (a *routeAnswer) read(data []byte) error {
	attrs, err := nl.ParseRouteAttr(data)
	for _, attr := range attrs {
		switch attr.Attr.Type {
		case unix.RTA_OIF:
			a.link = int(nl.NativeEndian().Uint32(attr.Value))
		case unix.RTA_PREFSRC:
			a.source, _ = netip.AddrFromSlice(attr.Value)
		case unix.RTA_GATEWAY:
			a.gateway, _ = netip.AddrFromSlice(attr.Value)
		case unix.RTA_VIA: // of another family (RFC 5549), which stands before it
			a.gateway, _ = netip.AddrFromSlice(attr.Value[min(2, len(attr.Value)):])
		case unix.RTA_MULTIPATH:
			err = errors.Join(err, a.readHops(attr.Value))
		}
	}
	return err
}

// readHops reads the next hops that the kernel uses: not those whose interface
// is down.
func (a *routeAnswer) readHops(data []byte) error {
	for len(data) >= unix.SizeofRtNexthop {
		head := nl.DeserializeRtNexthop(data)
		size := int(head.RtNexthop.Len)
		if size < unix.SizeofRtNexthop || size > len(data) {
			return syscall.EBADMSG
		}
		hop := routeAnswer{link: int(head.Ifindex)}
		if err := hop.read(data[unix.SizeofRtNexthop:size]); err != nil {
			return err
		}
		if head.Flags&unix.RTNH_F_DEAD == 0 {
			a.hops = append(a.hops, hop)
		}
		data = data[size:] // which is a multiple of RTNH_ALIGNTO
	}
	return nil
}
