package probe

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"checkvpn/pkg/vpn"
)

// RouteTo asks the kernel which way packets to an address of an endpoint would
// leave by path, and sends nothing. That there is no way is an answer, in the
// route's Fault; the error, a *vpn.Fault, is that of asking.
func RouteTo(e vpn.Endpoint, addr netip.Addr, path Path) (vpn.Route, error) {
	r, err := new(sharedRoutes).routeOf(newFlow(e, addr, path))
	if err != nil {
		return vpn.Route{}, faultOf(err)
	}
	return r, nil
}

// askRoute asks for the route of the packets of the look's target.
func (l *look) askRoute() {
	e := vpn.Event{Kind: vpn.Routed, Seq: l.First}
	if route, err := l.routes.routeOf(newFlow(l.Endpoint, l.Addr, l.Path)); err != nil {
		e.Fault = faultOf(err)
	} else {
		e.Route = &route
	}
	e.At = l.set.Now()
	l.emit(e)
}

// count reads the counters of the look's interface.
func (l *look) count() {
	c, err := counters(l.Interface)
	c.Interface = l.Interface
	l.emit(vpn.Event{Kind: vpn.Counted, At: l.set.Now(), Seq: l.First, Count: &c, Fault: faultOf(err)})
}

// flow is what the kernel chooses a route by, as far as it can be asked about
// it: rules may look at the source, the interface, the DSCP, the protocol, the
// port and the user.
//
// A mark cannot be asked about. nftables sets it on a packet that has a route
// already (chain type route, hook output), and the kernel then looks for another
// one: nothing but the packet itself shows which. The counters of the
// interface do.
type flow struct {
	To netip.Addr
	Path
	Protocol uint8  // unix.IPPROTO_ICMP and so on
	Port     uint16 // of the destination; 0 if the protocol has none
	link     int    // index of the interface that the packets are bound to, 0 if none
}

// newFlow is the flow of what an endpoint is asked with, at one of its addresses.
func newFlow(e vpn.Endpoint, addr netip.Addr, path Path) flow {
	f := flow{To: addr, Path: path, Port: e.Port}
	switch {
	case e.Scheme == vpn.ICMP && addr.Unmap().Is6():
		f.Protocol = unix.IPPROTO_ICMPV6
	case e.Scheme == vpn.ICMP:
		f.Protocol = unix.IPPROTO_ICMP
	case e.Scheme == vpn.IKE:
		f.Protocol = unix.IPPROTO_UDP
	default:
		f.Protocol = unix.IPPROTO_TCP
	}
	return f
}

// noWay are the kernel's answers that there is no route. Any other one is about
// our question.
var noWay = []syscall.Errno{
	syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EACCES, syscall.EINVAL, syscall.ENODEV, syscall.ENETDOWN,
	syscall.EADDRNOTAVAIL,
}

// routeOf asks the kernel which way the packets of a flow leave. That there is
// none is an answer, in its Fault, and so is an interface or a source address
// that is gone. The error is that of asking, and our own fault.
func (s *sharedRoutes) routeOf(f flow) (route vpn.Route, err error) {
	f.To, f.Source = f.To.Unmap(), f.Source.Unmap()
	if !f.To.IsValid() {
		return vpn.Route{}, cannotAsk("a route", errors.New("no address"))
	}
	if f.Source.IsValid() && f.Source.Is4() != f.To.Is4() {
		return vpn.Route{}, cannotAsk("a route", errors.New("the source address is of another family"))
	}
	err = s.use(func(socket *routeSocket) error {
		route, err = socket.routeOf(f)
		return err
	})
	if errno, ok := errors.AsType[syscall.Errno](err); ok && slices.Contains(noWay, errno) {
		return vpn.Route{Fault: faultOf(errno)}, nil
	} else if ok {
		return vpn.Route{}, cannotAsk("a route", errno)
	}
	return route, err
}

func (s *routeSocket) routeOf(f flow) (route vpn.Route, err error) {
	if f.link, err = f.boundTo(); err != nil {
		return route, err
	}
	if err := f.checkSource(); err != nil {
		return route, err
	}
	answer, err := s.lookUp(f, 0)
	if err != nil {
		return route, err
	}
	route, err = f.routeBy(answer)
	if err == nil && answer.kind == unix.RTN_UNICAST {
		route.Hops, err = s.hops(f)
	}
	return route, err
}

// boundTo is the index of the interface that the packets are bound to, 0 if none.
// The zone of an address binds them too; it may be written as the index.
func (f flow) boundTo() (int, error) {
	name := f.Interface
	if name == "" {
		name = f.To.Zone()
	}
	if name == "" {
		return 0, nil
	}
	link, err := linkNamed(name)
	if err == nil {
		return link.Attrs().Index, nil
	}
	if number, bad := strconv.ParseUint(name, 10, 31); bad == nil && f.Interface == "" {
		return int(number), nil
	}
	return 0, err
}

// checkSource binds a socket to the source address, and gives EADDRNOTAVAIL if
// that is no address of this host. The kernel's answer for IPv6 is as if one could
// send from any.
func (f flow) checkSource() error {
	if !f.Source.IsValid() {
		return nil
	}
	fd, err := unix.Socket(afOf(f.To), unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return cannotAsk("a source address", os.NewSyscallError("socket", err))
	}
	defer unix.Close(fd)
	err = f.Path.prepare(fd, familyFor(f.To))
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return syscall.EADDRNOTAVAIL
	case err != nil && faultOf(err).Own:
		return cannotAsk("a source address", err)
	}
	return nil // whatever else there is, packets will meet with it
}

// routeBy gives an answer of the kernel its names. The source address is the
// given one if there is one: IPv4 then answers with none, and IPv6 with the one
// that it would have chosen itself.
func (f flow) routeBy(a routeAnswer) (vpn.Route, error) {
	link, err := linkOrFault(netlink.LinkByIndex(a.link))
	if err != nil {
		return vpn.Route{}, err
	}
	r := vpn.Route{Interface: link.Attrs().Name, AltNames: link.Attrs().AltNames, Source: a.source, Gateway: a.gateway}
	if f.Source.IsValid() {
		r.Source = f.Source.WithZone("")
	}
	return r, nil
}

// hops are the next hops of the route that matches, if there are several in use.
// The source address of each is that of the flow if it is bound to the interface
// of the hop; if the kernel gives none, it stays unknown.
func (s *routeSocket) hops(f flow) (hops []vpn.Route, err error) {
	whole, err := s.lookUp(f, unix.RTM_F_FIB_MATCH)
	if err != nil {
		return nil, noErrno(err) // it has gone since, or none matches and the interface alone decides
	}
	for _, hop := range whole.hops {
		if f.link != 0 && hop.link != f.link {
			continue
		}
		bound := f
		bound.link = hop.link
		answer, err := s.lookUp(bound, 0)
		if noErrno(err) != nil {
			return nil, err
		}
		hop.source = answer.source
		route, err := f.routeBy(hop)
		if err != nil {
			return nil, err
		}
		hops = append(hops, route)
	}
	if len(hops) < 2 {
		return nil, nil
	}
	return hops, nil
}

// ownAddress tells whether packets to addr would never leave this host,
// because it is one of its own addresses. Whole networks can be its own too (ip
// route add local 10.5.0.0/24 dev lo), and an IPv6 router has an anycast address
// in each network. The loopback range is not counted: people try things with it.
//
// The kernel decides, by its routes. So an address of another VRF is none of
// ours: the same one may well be a host behind the tunnel.
func (s *sharedRoutes) ownAddress(addr netip.Addr) (own bool, err error) {
	f := flow{To: addr.Unmap()}
	if f.To.IsLoopback() {
		return false, nil
	}
	if f.link, err = f.boundTo(); err != nil {
		return false, noErrno(err)
	}
	err = s.use(func(socket *routeSocket) error {
		answer, err := socket.lookUp(f, 0)
		own = answer.kind == unix.RTN_LOCAL || answer.kind == unix.RTN_ANYCAST
		return err
	})
	return own, noErrno(err)
}
