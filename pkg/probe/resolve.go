package probe

import (
	"context"
	"errors"
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
	var short shortage
	addrs, fault := l.lookUp(ctx)
	for fault != nil && short.mayPass(fault) && sleep(ctx, nextTry) {
		addrs, fault = l.lookUp(ctx)
	}
	addrs = slices.DeleteFunc(addrs, func(a netip.Addr) bool {
		return !vpn.Askable(a) || !l.family().Has(a)
	})
	addrs = addrs[:min(len(addrs), maxAddrs)]
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

// family is the one that the source address leaves, or the one asked for.
func (l *look) family() Family {
	if source := l.Path.Source; source.IsValid() {
		return familyFor(source)
	}
	return l.set.Family
}

// ourFault is the last thing that was wrong on this host when the system's
// resolver was asked. The errors of Go's own have it in their text alone.
type ourFault struct{ atomic.Pointer[vpn.Fault] }

func (o *ourFault) resolver() Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if f := faultOf(err); err != nil && f.Own {
			o.Store(f)
		}
		return conn, err
	}}
}

// lookUp asks for both families at once. The first answer with addresses
// waits only a moment for the other.
func (l *look) lookUp(ctx context.Context) ([]netip.Addr, *vpn.Fault) {
	var ours ourFault
	resolver := l.set.Resolver
	if resolver == nil {
		resolver = ours.resolver()
	}
	var networks []string
	for network, family := range map[string]Family{"ip4": IPv4, "ip6": IPv6} {
		if f := l.family(); f == AnyFamily || f == family {
			networks = append(networks, network)
		}
	}
	type answer struct {
		addrs []netip.Addr
		err   error
	}
	answers := make(chan answer, len(networks))
	for _, network := range networks {
		l.spawn(func() {
			addrs, err := resolver.LookupNetIP(ctx, network, l.Endpoint.Host)
			answers <- answer{addrs, err}
		})
	}
	var found []netip.Addr
	var failures []error
	var soon <-chan time.Time
	for range networks {
		select {
		case a := <-answers:
			found, failures = append(found, unmapped(a.addrs)...), append(failures, a.err)
			if len(found) > 0 && soon == nil {
				soon = time.After(otherFamily)
			}
		case <-soon:
			return order(found), nil
		case <-ctx.Done():
			failures = append(failures, ctx.Err())
		}
	}
	if err := worstFailure(failures); err != nil {
		return order(found), unresolved(l.Endpoint.Host, err, ours.Load())
	}
	return order(found), nil
}

func unmapped(addrs []netip.Addr) []netip.Addr {
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs
}

// order puts IPv6 and IPv4 addresses in turn, IPv6 first as RFC 6724 has it,
// so that a bound on their number drops neither family.
func order(addrs []netip.Addr) []netip.Addr {
	var six, four, mixed []netip.Addr
	for _, a := range addrs {
		switch {
		case slices.Contains(six, a), slices.Contains(four, a):
		case a.Is6():
			six = append(six, a)
		default:
			four = append(four, a)
		}
		if len(six)+len(four) >= 4*maxAddrs {
			break
		}
	}
	for i := range max(len(six), len(four)) {
		if i < len(six) {
			mixed = append(mixed, six[i])
		}
		if i < len(four) {
			mixed = append(mixed, four[i])
		}
	}
	return mixed
}

// worstFailure prefers what a resolver failed to do over what it denied: "no
// such name" is only true when every answer says so.
func worstFailure(errs []error) error {
	var denied error
	for _, err := range errs {
		var dns *net.DNSError
		switch {
		case err == nil:
		case errors.As(err, &dns) && dns.IsNotFound:
			denied = err
		default:
			return err
		}
	}
	return denied
}
