package vpn

import (
	"net/netip"
	"time"
)

// LookKind is what is asked.
type LookKind string

// The kinds of looks. doc.go says what each is for and when it ends.
const (
	Resolving LookKind = "resolve"  // which addresses does the name have?
	FirstLook LookKind = "first"    // is there any doubt? echo requests
	Silence   LookKind = "silence"  // is it silent? quick echo requests, whose errors are read
	LossLook  LookKind = "loss"     // how much is lost? echo requests, measured afresh
	Control   LookKind = "control"  // did another's packet pass at that moment? one echo request
	Connect   LookKind = "connect"  // one attempt of tcp, http, https or ike
	Sizes     LookKind = "sizes"    // do packets of these sizes pass in one piece? echo requests
	Path      LookKind = "path"     // how far do packets get? echo requests of rising TTL
	AskRoute  LookKind = "route"    // by which way does this host send?
	Count     LookKind = "counters" // what did the interface count?
)

// Look is one thing that the judge wants to be asked. Two looks that are equal
// are the same look: it is started once, and ended when it is not wanted any
// more. A look that is wanted and has done all its asking listens for answers.
type Look struct {
	Kind    LookKind
	Target  int        // its place in Plan.Targets
	Addr    netip.Addr // who is asked; invalid for Resolving and Count
	First   int        // the number of its first packet among all those to Addr
	Packets int
	Spacing time.Duration // between the packets
	// Bytes and To are the sizes of whole IP packets, of Sizes: they rise evenly
	// from the first packet to the last. 0 is the usual small size.
	Bytes, To int
	Limit     time.Duration // how long an attempt or a lookup may take
	Interface string        // of Count
}

// descriptors is how many file descriptors a look holds at most. Looks by the
// echo sockets share theirs, which are kept free beforehand.
func (l Look) descriptors() int {
	switch l.Kind {
	case Resolving:
		return 4 // a socket for each address family, and files like hosts
	case FirstLook, LossLook, Control:
		return 1
	case Connect:
		return 2 // the connection, and its error queue; two ports of ike
	}
	return 0
}

// Wants is what the judge still wants to know.
type Wants struct {
	Looks []Look // all looks that shall run now, the most important first
	// Wake is when time alone can change something, since the check began; 0 is
	// never.
	Wake time.Duration
}
