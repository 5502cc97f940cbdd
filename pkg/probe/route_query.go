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
func routeOf(f flow) (vpn.Route, error) {
	f.To, f.Source = f.To.Unmap(), f.Source.Unmap()
	if !f.To.IsValid() {
		return vpn.Route{}, cannotAsk("a route", errors.New("no address"))
	}
	if f.Source.IsValid() && f.Source.Is4() != f.To.Is4() {
		return vpn.Route{}, cannotAsk("a route", errors.New("the source address is of another family"))
	}
	s, err := openRoutes()
	if err != nil {
		return vpn.Route{}, err
	}
	defer s.close()
	route, err := s.routeOf(f)
	if errno, ok := errors.AsType[syscall.Errno](err); ok && slices.Contains(noWay, errno) {
		return vpn.Route{Fault: faultOf(errno)}, nil
	} else if ok {
		return vpn.Route{}, cannotAsk("a route", errno)
	}
	return route, err
}

func (s *routeSocket) routeOf(f flow) (vpn.Route, error) {
	link, err := f.link()
	if err != nil {
		return vpn.Route{}, err
	}
	if err := s.checkSource(f.Source); err != nil {
		return vpn.Route{}, err
	}
	answer, err := s.lookUp(f, link, 0)
	if err != nil {
		return vpn.Route{}, err
	}
	route, err := f.routeBy(answer)
	if err == nil && answer.kind == unix.RTN_UNICAST {
		route.Hops, err = s.hops(f, link)
	}
	return route, err
}

// link is the index of the interface that the packets are bound to, 0 if none.
// The zone of an address binds them too; it may be written as the index.
func (f flow) link() (int, error) {
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

// checkSource gives EADDRNOTAVAIL if addr is no address of this host, from
// which nothing can be sent. For IPv6 the kernel answers as if it could.
func (s *routeSocket) checkSource(addr netip.Addr) error {
	if !addr.IsValid() {
		return nil
	}
	own, err := s.isOwn(addr)
	if err == nil && !own {
		// A VRF has its own addresses in a table of its own.
		own, err = isAssigned(addr)
	}
	if err == nil && !own {
		return syscall.EADDRNOTAVAIL
	}
	return err
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
func (s *routeSocket) hops(f flow, link int) ([]vpn.Route, error) {
	whole, err := s.lookUp(f, link, unix.RTM_F_FIB_MATCH)
	switch {
	case isErrno(err): // it has gone since, or none matches and the interface alone decides
		return nil, nil
	case err != nil:
		return nil, err
	}
	var hops []vpn.Route
	for _, hop := range whole.hops {
		if link != 0 && hop.link != link {
			continue
		}
		route, err := s.hop(f, hop)
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

// hop is one next hop. Its source address is that of the flow if it is bound to
// the interface of the hop; if the kernel gives none, it stays unknown.
func (s *routeSocket) hop(f flow, hop routeAnswer) (vpn.Route, error) {
	bound, err := s.lookUp(f, hop.link, 0)
	if err != nil && !isErrno(err) {
		return vpn.Route{}, err
	}
	hop.source = bound.source
	return f.routeBy(hop)
}

func isErrno(err error) bool {
	_, ok := errors.AsType[syscall.Errno](err)
	return ok
}

// user is whose packets these are, for rules with a uidrange. The kernel would
// take the real user ID of who asks, but the effective one makes sockets.
func user() uint32 { return uint32(os.Geteuid()) }
