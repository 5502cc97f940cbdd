package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"
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

// resolve gives the addresses of the endpoint that may be asked, at most
// maxAddrs. An endpoint that is an address never meets the resolver.
func (p *Probe) resolve(ctx context.Context) ([]netip.Addr, error) {
	if p.endpoint.Addr.IsValid() {
		return []netip.Addr{p.endpoint.Addr}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeToResolve(ctx))
	defer cancel()
	addrs, err := p.lookUpInTurn(ctx)
	addrs = slices.DeleteFunc(addrs, func(a netip.Addr) bool {
		return !askable(a) || !p.family().Has(a)
	})
	switch {
	case len(addrs) > 0:
		return addrs[:min(len(addrs), maxAddrs)], nil
	case err == nil:
		err = &net.DNSError{IsNotFound: true}
	}
	return nil, &ResolveError{Name: p.endpoint.Host, What: whyUnresolved(err)}
}

// timeToResolve leaves the time that both looks may take, so that a name whose
// resolver is slow is judged as surely as an address. Where there is not so
// much, the resolver may have the larger part: it takes five seconds to turn
// from a dead name server to the next. It never has the time of the first look.
func (p *Probe) timeToResolve(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Hour
	}
	left := time.Until(deadline)
	look := p.prober.FirstLook(p.endpoint.Scheme)
	both := look + p.prober.secondLook(p.endpoint.Scheme)
	if p.path.MTU > 0 {
		look = max(look, p.prober.set.FullSize())
	}
	return min(left-look, max(left-both, left*3/5))
}

// lookUpInTurn waits for a turn, because lookups hold sockets.
func (p *Probe) lookUpInTurn(ctx context.Context) ([]netip.Addr, error) {
	select {
	case p.prober.lookups <- struct{}{}:
		defer func() { <-p.prober.lookups }()
		return p.lookUp(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// family is the one that the source address leaves, or the one asked for.
func (p *Probe) family() Family {
	switch src := p.path.Source; {
	case src.Is4():
		return IPv4
	case src.Is6():
		return IPv6
	}
	return p.prober.set.Family
}

// lookUp asks for both families at once. The first answer with addresses
// waits only a moment for the other.
func (p *Probe) lookUp(ctx context.Context) ([]netip.Addr, error) {
	var networks []string
	for network, family := range map[string]Family{"ip4": IPv4, "ip6": IPv6} {
		if f := p.family(); f == AnyFamily || f == family {
			networks = append(networks, network)
		}
	}
	type answer struct {
		addrs []netip.Addr
		err   error
	}
	answers := make(chan answer, len(networks))
	for _, network := range networks {
		p.prober.spawn(func() {
			addrs, err := p.prober.set.Resolver.LookupNetIP(ctx, network, p.endpoint.Host)
			answers <- answer{addrs, err}
		})
	}
	var found []netip.Addr
	var failures []error
	var enough <-chan time.Time
	for range networks {
		select {
		case a := <-answers:
			found, failures = append(found, unmapped(a.addrs)...), append(failures, a.err)
			if len(found) > 0 && enough == nil {
				enough = time.After(otherFamily)
			}
		case <-enough:
			return order(found), nil
		case <-ctx.Done():
			return order(found), ctx.Err()
		}
	}
	return order(found), worstFailure(failures)
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

func whyUnresolved(err error) string {
	var dns *net.DNSError
	switch isDNS := errors.As(err, &dns); {
	case isDNS && dns.IsNotFound:
		return "no such name"
	case isTimeout(err): // a context that has run out, too
		return "the resolver is silent"
	}
	return "the resolver refuses"
}
