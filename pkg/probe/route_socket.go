package probe

import (
	"errors"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// routeSocket asks the kernel for routes over rtnetlink. netlink's own function
// for this cannot ask for DSCP, protocol and port, nor does it tell an error of
// the socket from one that is the kernel's answer: if SELinux forbids the
// socket, EACCES would read as a prohibited route.
type routeSocket struct{ *nl.NetlinkSocket }

// routeAnswer is what the kernel says of one route, or of one next hop of it.
type routeAnswer struct {
	kind            uint8 // unix.RTN_UNICAST and so on
	link            int
	source, gateway netip.Addr
	hops            []routeAnswer
}

func openRoutes() (*routeSocket, error) {
	s, err := nl.Subscribe(unix.NETLINK_ROUTE) // to no group: a socket to ask with
	if err != nil {
		return nil, cannotAsk("a route", err)
	}
	// It answers at once, or it is in trouble.
	patience := &unix.Timeval{Sec: 2}
	return &routeSocket{s}, errors.Join(s.SetSendTimeout(patience), s.SetReceiveTimeout(patience))
}

func (s *routeSocket) close() { s.Close() }

// lookUp asks for the route of a flow that is bound to an interface, or to none
// if link is 0. A syscall.Errno is the kernel's answer; any other error is an
// *vpn.Fault. With the flag RTM_F_FIB_MATCH the answer is the whole entry of
// the routing table, with its next hops, in place of what becomes of the flow.
func (s *routeSocket) lookUp(f flow, link int, flags uint32) (routeAnswer, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETROUTE, 0)
	req.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{
		Family:  afOf(f.To),
		Dst_len: uint8(f.To.BitLen()),
		Src_len: uint8(f.Source.BitLen()),
		Tos:     f.DSCP << 2,
		Flags:   flags,
	}})
	req.AddData(nl.NewRtAttr(unix.RTA_DST, f.To.AsSlice()))
	req.AddData(nl.NewRtAttr(unix.RTA_UID, nl.Uint32Attr(user())))
	if f.Source.IsValid() {
		req.AddData(nl.NewRtAttr(unix.RTA_SRC, f.Source.AsSlice()))
	}
	if link != 0 {
		req.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(link))))
	}
	if f.Protocol != 0 {
		req.AddData(nl.NewRtAttr(unix.RTA_IP_PROTO, nl.Uint8Attr(f.Protocol)))
	}
	if f.Port != 0 {
		req.AddData(nl.NewRtAttr(unix.RTA_DPORT, nl.BEUint16Attr(f.Port)))
	}
	data, err := s.ask(req)
	if err != nil {
		return routeAnswer{}, err
	}
	return parseRoute(data)
}

func afOf(addr netip.Addr) uint8 {
	if addr.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// ask sends a request and waits for the one message that answers it.
func (s *routeSocket) ask(req *nl.NetlinkRequest) ([]byte, error) {
	if err := s.Send(req); err != nil {
		return nil, cannotAsk("a route", err)
	}
	for {
		messages, from, err := s.Receive()
		if err != nil {
			return nil, cannotAsk("a route", err)
		}
		for _, m := range messages {
			switch {
			case from.Pid != nl.PidKernel || m.Header.Seq != req.Seq:
			case m.Header.Type == unix.NLMSG_ERROR && len(m.Data) >= 4:
				return nil, syscall.Errno(-int32(nl.NativeEndian().Uint32(m.Data)))
			case m.Header.Type == unix.RTM_NEWROUTE && len(m.Data) >= unix.SizeofRtMsg:
				return m.Data, nil
			}
		}
	}
}

func parseRoute(data []byte) (routeAnswer, error) {
	attrs, err := nl.ParseRouteAttr(data[unix.SizeofRtMsg:])
	if err != nil {
		return routeAnswer{}, cannotAsk("a route", err)
	}
	a := routeAnswer{kind: nl.DeserializeRtMsg(data).Type}
	for _, attr := range attrs {
		switch attr.Attr.Type {
		case unix.RTA_OIF:
			a.link = int(nl.NativeEndian().Uint32(attr.Value))
		case unix.RTA_PREFSRC:
			a.source, _ = netip.AddrFromSlice(attr.Value)
		case unix.RTA_MULTIPATH:
			a.hops, err = parseHops(attr.Value)
		default:
			a.readGateway(attr)
		}
	}
	return a, err
}

// readGateway reads the attributes that a route and a next hop have in common.
func (a *routeAnswer) readGateway(attr syscall.NetlinkRouteAttr) {
	switch {
	case attr.Attr.Type == unix.RTA_GATEWAY:
		a.gateway, _ = netip.AddrFromSlice(attr.Value)
	case attr.Attr.Type == unix.RTA_VIA && len(attr.Value) > 2: // of another family (RFC 5549), which stands before it
		a.gateway, _ = netip.AddrFromSlice(attr.Value[2:])
	}
}

// parseHops reads the next hops that the kernel uses: not those whose interface
// is down.
func parseHops(data []byte) (hops []routeAnswer, err error) {
	for len(data) >= unix.SizeofRtNexthop {
		head := nl.DeserializeRtNexthop(data)
		size := int(head.RtNexthop.Len)
		if size < unix.SizeofRtNexthop || size > len(data) {
			return nil, cannotAsk("a route", syscall.EBADMSG)
		}
		attrs, err := nl.ParseRouteAttr(data[unix.SizeofRtNexthop:size])
		if err != nil {
			return nil, cannotAsk("a route", err)
		}
		hop := routeAnswer{kind: unix.RTN_UNICAST, link: int(head.Ifindex)}
		for _, attr := range attrs {
			hop.readGateway(attr)
		}
		if head.Flags&unix.RTNH_F_DEAD == 0 {
			hops = append(hops, hop)
		}
		data = data[min((size+unix.RTNH_ALIGNTO-1)&^(unix.RTNH_ALIGNTO-1), len(data)):]
	}
	return hops, nil
}
