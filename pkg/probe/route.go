package probe

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
)

// Route is how the kernel sends packets to an address at one moment.
type Route struct {
	Interface string     // that they leave by; empty where there is no way
	Source    netip.Addr // their source address; invalid where there is no way
	Err       error      // why there is no way, as "prohibited by a route of this machine"
}

// String is the route in a few words.
func (r Route) String() string {
	switch {
	case r.Err != nil:
		return r.Err.Error()
	case r.Source.IsValid():
		return "by " + r.Interface + " from " + r.Source.String()
	}
	return "by " + r.Interface
}

// Via is a way that traffic must leave by: an interface, or a source address.
// The zero value asks for nothing.
//
// The kernel's answer ends at this machine's interface. It cannot tell whether
// a policy of IPsec on this machine encrypts what leaves by that interface, nor
// what a gateway further along does.
type Via struct {
	Interface string
	Source    netip.Addr
}

// IsZero tells whether nothing is asked for.
func (v Via) IsZero() bool { return v == Via{} }

// Holds tells whether a route leaves this way.
func (v Via) Holds(r Route) bool {
	switch {
	case v.IsZero():
		return true
	case r.Err != nil:
		return false
	case v.Source.IsValid():
		return r.Source == v.Source
	}
	return r.Interface == v.Interface
}

// String is the interface or the address.
func (v Via) String() string {
	if v.Source.IsValid() {
		return v.Source.String()
	}
	return v.Interface
}

// NoteRoute asks the kernel for the route to each address that is asked, and
// adds the answers to the result, where the path asks for a way. A route may change while packets are under
// way, so it is called before and after.
func (p *Probe) NoteRoute() {
	p.mu.Lock()
	records := p.records
	p.mu.Unlock()
	for _, r := range records {
		p.noteRoute(r)
	}
}

func (p *Probe) noteRoute(r *record) {
	if p.path.Via.IsZero() {
		return
	}
	route, err := routeTo(r.addr, p.path)
	p.note(func() {
		if err != nil {
			r.err = err
			return
		}
		r.routes = append(r.routes, route)
	})
}

// noWay are the kernel's answers that there is no route. Any other error is
// that of asking.
var noWay = []syscall.Errno{
	syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EACCES, syscall.EINVAL, syscall.ENODEV, syscall.ENETDOWN,
}

// routeTo asks the kernel over rtnetlink. An error of its own is ours; that
// there is no way is an answer.
func routeTo(addr netip.Addr, path Path) (Route, error) {
	options := &netlink.RouteGetOptions{Oif: path.Interface}
	if path.Source.IsValid() {
		options.SrcAddr = path.Source.AsSlice()
	}
	routes, err := netlink.RouteGetWithOptions(addr.AsSlice(), options)
	var missing netlink.LinkNotFoundError
	var errno syscall.Errno
	switch {
	case errors.As(err, &missing):
		return Route{Err: explain(syscall.ENODEV)}, nil
	case errors.Is(err, syscall.EINVAL) && path.Source.IsValid():
		return Route{Err: explain(syscall.EADDRNOTAVAIL)}, nil
	case errors.As(err, &errno) && slices.Contains(noWay, errno):
		return Route{Err: explain(err)}, nil
	case err != nil:
		return Route{}, &UnableError{What: "cannot ask the kernel for a route: " + err.Error()}
	case len(routes) == 0:
		return Route{Err: explain(syscall.ENETUNREACH)}, nil
	}
	link, err := net.InterfaceByIndex(routes[0].LinkIndex)
	if err != nil {
		return Route{Err: explain(syscall.ENODEV)}, nil
	}
	source, _ := netip.AddrFromSlice(routes[0].Src)
	return Route{Interface: link.Name, Source: source.Unmap()}, nil
}
