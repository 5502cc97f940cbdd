package probe

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"checkvpn/pkg/vpn"
)

// maxAddrs bounds how many addresses of one name are asked.
const maxAddrs = 8

// otherFamily is how long the answer for one address family waits for that of
// the other: some servers never answer for IPv6. RFC 8305, section 3, has 50 ms
// for people who wait for a page; a check can afford more.
const otherFamily = 250 * time.Millisecond

// Resolver looks names up. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Family restricts the addresses that are asked.
type Family uint8

// The families.
const (
	AnyFamily Family = iota
	IPv4
	IPv6
)

// Has tells whether addr is of the family.
func (f Family) Has(addr netip.Addr) bool {
	return f == AnyFamily || (f == IPv4) == addr.Is4()
}

// familyFor is the family of an address.
func familyFor(addr netip.Addr) Family {
	if addr.Is4() {
		return IPv4
	}
	return IPv6
}

// resolve asks for the addresses of the name, at most maxAddrs that may be asked.
func (l *look) resolve() {
	ctx, cancel := l.limited()
	defer cancel()
	addrs, err := retry(ctx, func() ([]netip.Addr, error) { return l.lookUp(ctx) })
	addrs = slices.DeleteFunc(order(addrs), func(a netip.Addr) bool {
		return !vpn.Askable(a) || !l.family(l.set.Family).Has(a)
	})
	addrs = addrs[:min(len(addrs), maxAddrs)]
	fault := faultOf(err)
	switch {
	case len(addrs) > 0:
		fault = nil
	case fault == nil:
		fault = unresolved(l.Endpoint.Host, &net.DNSError{IsNotFound: true}, nil)
	}
	l.emit(vpn.Event{Kind: vpn.Resolved, At: l.set.Now(), Addrs: addrs, Fault: fault})
}

// limited is the context of an attempt or a lookup.
func (l *look) limited() (context.Context, context.CancelFunc) {
	if l.Limit <= 0 {
		return context.WithCancel(l.ctx)
	}
	return context.WithTimeout(l.ctx, l.Limit)
}

// family is the one that the address, or else the source address, leaves of those
// that may be asked.
func (q Question) family(may Family) Family {
	switch {
	case q.Endpoint.Addr.IsValid():
		return familyFor(q.Endpoint.Addr)
	case q.Path.Source.IsValid():
		return familyFor(q.Path.Source)
	}
	return may
}

// systemResolver is the system's. It keeps in ours what was wrong on this host when
// it was asked: Go's own errors have that in their text alone.
func systemResolver(ours *atomic.Pointer[vpn.Fault]) Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if f := faultOf(err); f != nil && f.Own {
			ours.Store(f)
		}
		return conn, err
	}}
}

// lookUp asks for both families at once. The first answer with addresses
// waits only a moment for the other. The error is a *vpn.Fault.
func (l *look) lookUp(ctx context.Context) (found []netip.Addr, err error) {
	var ours atomic.Pointer[vpn.Fault]
	resolver := l.set.Resolver
	if resolver == nil {
		resolver = systemResolver(&ours)
	}
	type answer struct {
		addrs []netip.Addr
		err   error
	}
	answers, asked := make(chan answer, 2), 0
	for network, family := range map[string]Family{"ip4": IPv4, "ip6": IPv6} {
		if f := l.family(l.set.Family); f != AnyFamily && f != family {
			continue
		}
		asked++
		l.spawn(func() {
			addrs, err := resolver.LookupNetIP(ctx, network, l.Endpoint.Host)
			answers <- answer{addrs, err}
		})
	}
	var soon <-chan time.Time
	for range asked {
		select {
		case a := <-answers:
			found, err = append(found, a.addrs...), worse(err, a.err)
			if len(found) > 0 && soon == nil {
				soon = time.After(otherFamily)
			}
		case <-soon:
			return found, nil
		case <-ctx.Done():
			err = worse(err, ctx.Err())
		}
	}
	if err != nil {
		return found, unresolved(l.Endpoint.Host, err, ours.Load())
	}
	return found, nil
}

// worse prefers what a resolver failed to do over what it denied: "no such name"
// is only true if every answer says so.
func worse(a, b error) error {
	if a == nil || b != nil && isDenied(a) {
		return b
	}
	return a
}

func isDenied(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// order puts IPv6 and IPv4 addresses in turn, IPv6 first as RFC 6724 has it,
// so that a bound on their number drops neither family.
func order(addrs []netip.Addr) []netip.Addr {
	place := map[netip.Addr]int{} // even for IPv6, odd for IPv4
	var six, four int             // addresses of each family
	for _, a := range addrs {
		a = a.Unmap()
		switch _, twice := place[a]; {
		case twice:
		case a.Is6():
			place[a] = 2 * six
			six++
		default:
			place[a] = 2*four + 1
			four++
		}
	}
	return slices.SortedFunc(maps.Keys(place), func(a, b netip.Addr) int { return place[a] - place[b] })
}
