package probe

import (
	"net/netip"

	"checkvpn/pkg/vpn"
)

// RouteTo asks the kernel which way packets to an address of an endpoint would
// leave by path, and sends nothing. That there is no way is an answer, in the
// route's Fault; the error, a *vpn.Fault, is that of asking.
func RouteTo(e vpn.Endpoint, addr netip.Addr, path Path) (vpn.Route, error) {
	r, err := routeOf(newFlow(e, addr, path))
	if err != nil {
		return vpn.Route{}, faultOf(err)
	}
	return r, nil
}

// askRoute asks for the route of the packets of the look's target.
func (l *look) askRoute() {
	e := vpn.Event{Kind: vpn.Routed, Seq: l.First}
	if route, err := RouteTo(l.Endpoint, l.Addr, l.Path); err != nil {
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
