package vpn

import (
	"net/netip"
	"time"
)

// Kind is what happened.
type Kind string

// The kinds of events. A packet is an echo request, or an attempt to connect,
// to ask for a page or to ask an IKE peer.
const (
	Resolved    Kind = "resolved"     // a name: Addrs, or Fault if it has none
	Sent        Kind = "sent"         // a packet left, or an attempt began
	Answered    Kind = "answered"     // an answer came, however late
	Refused     Kind = "refused"      // the far end said no to a connection or a question: Fault
	ICMPError   Kind = "icmp-error"   // somebody on the way sent an ICMP error about a packet: ICMP
	AttemptOver Kind = "attempt-over" // an attempt ended without an answer: Fault
	LocalError  Kind = "local-error"  // a packet did not leave this host: Fault
	Routed      Kind = "route"        // the kernel's route: Route, or Fault if it could not be asked
	Counted     Kind = "counters"     // packets that an interface counted: Counters, or Fault if there is none
	Paused      Kind = "paused"       // this program did not run for the time Took, until At
	Panicked    Kind = "panic"        // a bug: Fault
	Judged      Kind = "judged"       // the judge looked at all the events before
	Interrupted Kind = "interrupted"  // a signal, or the end of -t: Fault
)

// Event is one thing that happened to one question. Events are all that a
// verdict is made of.
type Event struct {
	Kind   Kind          `json:"kind"`
	At     time.Duration `json:"at"`               // since the check began, by the monotonic clock, in nanoseconds
	Target int           `json:"target"`           // its place in Plan.Targets, from 0
	Look   LookKind      `json:"look,omitempty"`   // what the packet was part of
	Addr   netip.Addr    `json:"addr,omitzero"`    // the address that was asked
	Seq    int           `json:"seq,omitempty"`    // the number of the packet among all those to Addr, from 0
	Took   time.Duration `json:"took,omitempty"`   // the round-trip time of an answer; how long an attempt or a pause lasted
	Answer string        `json:"answer,omitempty"` // what was answered, if it has a name, as NO_PROPOSAL_CHOSEN of IKE
	Fault  *Fault        `json:"fault,omitempty"`
	ICMP   *ICMPMessage  `json:"icmp,omitempty"`
	Route  *Route        `json:"route,omitempty"`
	Count  *Counters     `json:"count,omitempty"`
	Addrs  []netip.Addr  `json:"addrs,omitempty"`
}

// ICMPMessage is an ICMP error about one of our packets (RFC 792, RFC 4443). The
// sender is not authenticated.
type ICMPMessage struct {
	From netip.Addr `json:"from,omitzero"` // who sent it; invalid if it was this host itself
	Type uint8      `json:"type"`
	Code uint8      `json:"code"`
	MTU  int        `json:"mtu,omitempty"` // bytes that were said to fit, if a packet was too big
}

// Counters are how many packets an interface has sent and received since it
// was made.
type Counters struct {
	Interface string `json:"interface"`      // as it was asked for
	Kind      string `json:"kind,omitempty"` // of the link, as netlink has it: "device" is a network card
	Out       uint64 `json:"out"`
	In        uint64 `json:"in"`
}

// Fault is why something failed, in a form that survives a recording.
type Fault struct {
	Code  Code   `json:"code"`
	Words string `json:"words"`         // our own words, lower case: nothing that a far end chose
	Own   bool   `json:"own,omitempty"` // our own fault: no evidence about the way
}

// Error is the words.
func (f *Fault) Error() string { return f.Words }

func (f *Fault) isOwn() bool { return f != nil && f.Own }

// Code tells faults apart that are judged differently.
type Code string

// The codes. Any other is judged as OtherFault.
const (
	NoPermission  Code = "permission"  // Own: ICMP may not be sent
	NoDescriptors Code = "descriptors" // Own: no file descriptor is free
	OwnAddress    Code = "own-address" // Own: the address is this host's
	QueueFull     Code = "queue"       // Own: the send queue of this host is full
	NoTime        Code = "no-time"     // Own: the check ended before it could be asked
	NoName        Code = "no-name"     // a name that does not exist
	NoResolver    Code = "resolver"    // the resolver is silent or refuses
	NoInterface   Code = "interface"   // the interface of -I or --via is gone
	NoSource      Code = "source"      // the source address of -s is gone
	NoRoute       Code = "no-route"    // this host has no route there, or one that prohibits it
	Timeout       Code = "timeout"     // no answer in the time given
	Reset         Code = "reset"       // refused or reset by the host, or by a firewall in its name
	HTTPStatus    Code = "status"      // an HTTP status that is no answer
	Forbidden     Code = "status-403"  // HTTP status 403
	BadAnswer     Code = "bad-answer"  // something came back that is no answer: TLS, HTTP
	Signal        Code = "signal"      // a signal ended the check
	TooShort      Code = "too-short"   // a recording ended before all was known
	Bug           Code = "bug"         // Own: a panic
	OtherFault    Code = "other"       // anything else
)
