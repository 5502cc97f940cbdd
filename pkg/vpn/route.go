package vpn

import (
	"net/netip"
	"slices"
	"strings"
)

// Route is how the kernel sends packets of one kind to an address at one moment.
type Route struct {
	Interface string     `json:"interface,omitempty"` // that they leave by; empty if there is no way
	AltNames  []string   `json:"altnames,omitempty"`  // the other names of that interface
	Source    netip.Addr `json:"source,omitzero"`     // their source address; invalid if there is no way, or if it is not known
	Gateway   netip.Addr `json:"gateway,omitzero"`    // the next hop; invalid if the destination is on the link
	// Hops are all the next hops of the route if the kernel picks one of several
	// by a hash. The fields above are then those of its pick for this question,
	// and real packets, whose hash is another, may go another way.
	Hops  []Route `json:"hops,omitempty"`
	Fault *Fault  `json:"fault,omitempty"` // why there is no way, as "prohibited by a route of this host"
}

// String is the route in a few words.
func (r Route) String() string {
	switch {
	case r.Fault != nil:
		return r.Fault.Words
	case len(r.Interfaces()) > 1:
		return "by one of " + strings.Join(r.Interfaces(), ", ")
	case r.Source.IsValid() && len(r.Hops) == 0:
		return "by " + r.Interface + " from " + r.Source.String()
	}
	return "by " + r.Interface
}

// Interfaces are those that packets may leave by.
func (r Route) Interfaces() (names []string) {
	for _, hop := range r.ways() {
		if !slices.Contains(names, hop.Interface) {
			names = append(names, hop.Interface)
		}
	}
	return names
}

// ways are the next hops that packets may take: one, or several.
func (r Route) ways() []Route {
	if len(r.Hops) == 0 {
		return []Route{r}
	}
	return r.Hops
}

// Via is the way that traffic behind the tunnel must leave by: an interface, or
// a source address. The zero value asks for nothing.
//
// The kernel's answer ends at this host's interface. It cannot tell whether a
// policy of IPsec on this host encrypts what leaves by that interface, nor what
// a gateway further along does.
type Via struct {
	Interface string     `json:"interface,omitempty"` // any of its names
	Source    netip.Addr `json:"source,omitzero"`
}

// IsZero tells whether nothing is asked for.
func (v Via) IsZero() bool { return v == Via{} }

// String is the interface or the address.
func (v Via) String() string {
	if v.Source.IsValid() {
		return v.Source.String()
	}
	return v.Interface
}

// Holding is whether packets of a route leave by the way that is asked for.
type Holding uint8

// What can be said of a route.
const (
	Holds     Holding = iota // they leave that way, or do not leave at all
	CannotSay                // it has several next hops, and some of them are, or may be, that way
	Leaves                   // they leave another way
)

// Holding tells whether packets of a route leave this way.
func (v Via) Holding(r Route) Holding {
	other := func(hop Route) bool { return !v.isWay(hop) }
	maybe := func(hop Route) bool { return v.isWay(hop) || v.Source.IsValid() && !hop.Source.IsValid() }
	switch {
	case v.IsZero(), r.Fault != nil, !slices.ContainsFunc(r.ways(), other):
		return Holds
	case slices.ContainsFunc(r.Hops, maybe):
		return CannotSay
	}
	return Leaves
}

// isWay compares one way. A name means the same interface in all its forms:
// within a network namespace the kernel gives no name twice, alternative ones
// included.
func (v Via) isWay(hop Route) bool {
	if v.Source.IsValid() {
		return hop.Source == v.Source.WithZone("").Unmap()
	}
	return v.Interface == hop.Interface || slices.Contains(hop.AltNames, v.Interface)
}
