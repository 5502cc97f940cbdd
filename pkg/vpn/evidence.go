package vpn

import (
	"net/netip"
	"slices"
	"time"
)

// evidence is what the events come to: for each target its addresses, and for
// each address every packet and attempt. It is folded from events alone, and
// nothing is ever taken back.
type evidence struct {
	plan     *Plan
	wait     time.Duration
	targets  []*record
	pauses   []span
	faults   []*Fault // panics, signals, the end of -t
	defaults []Route  // of default routes
	counts   map[string][]counted
	gone     map[string]*Fault // interfaces that are not there to be counted
}

type span struct{ from, to time.Duration }

// counted are the counters of an interface at a time.
type counted struct {
	Counters
	at time.Duration
}

// record is what is known of one target.
type record struct {
	target   Target
	resolved bool
	fault    *Fault // why its name has no address
	lookup   Look   // of its name, if that was wanted
	addrs    []*asked
}

// asked is what is known of one address of a target.
type asked struct {
	index    int // the target's place in Plan.Targets
	addr     netip.Addr
	packets  []packet     // echo requests by their number
	attempts []attempt    // connections and questions by their number
	icmp     *ICMPMessage // the last ICMP error about an echo request that asked whether it is silent
	fault    *Fault       // the last error of this host in sending, that is evidence
	own      *Fault       // why it cannot be asked: our own fault
	routes   []Route
	// routesAsked is how often the kernel was asked for the route, also in vain.
	routesAsked int
	planned     int // packets that looks have been made of, so far
	changed     int // how often the packets have changed
	answers     int // packets and attempts that were answered, however late
	course      course
	tallies
}

// course is what was wanted of one address.
type course struct {
	first Look
	tries []Look // connections
	path  Look   // how far packets get
}

// plan numbers the packets of a new look, and gives the number of the first.
func (a *asked) plan(n int) (first int) {
	first = a.planned
	a.planned += n
	return first
}

// look makes a look of more packets.
func (a *asked) look(kind LookKind, packets int, spacing time.Duration) Look {
	return Look{Kind: kind, Target: a.index, Addr: a.addr, First: a.plan(packets), Packets: packets, Spacing: spacing}
}

// heard tells whether anything was answered, however late.
func (a *asked) heard() bool { return a.answers > 0 }

// from are so many packets from a number on, or those of them that are known of.
func (a *asked) from(first, n int) []packet {
	return a.packets[min(first, len(a.packets)):min(first+n, len(a.packets))]
}

// packet is one echo request. It is planned when a look has been wanted that
// contains it.
type packet struct {
	look   LookKind
	state  state
	late   bool          // answered after the wait
	sent   time.Duration // when it left, since the check began
	took   time.Duration // its round-trip time, if answered
	paused time.Duration // for how long of that this program did not run
	icmp   *ICMPMessage  // of sizes and path
}

// attempt is one connection, page or question to an IKE peer.
type attempt struct {
	state  state
	at     time.Duration
	took   time.Duration
	answer string
	fault  *Fault
	icmp   *ICMPMessage
}

type state uint8

const (
	planned  state = iota // not sent yet
	void                  // it did not leave, by our own fault: it counts for nothing
	underWay              // sent; nothing came back yet
	failed                // it did not leave, or the attempt ended without an answer
	refused               // the far end said no
	answered
)

func newEvidence(p *Plan) *evidence {
	e := &evidence{plan: p, wait: p.Wait(), counts: map[string][]counted{}, gone: map[string]*Fault{}}
	for i, t := range p.Targets {
		r := &record{target: t}
		if t.Endpoint.Addr.IsValid() {
			r.resolved = true
			r.addrs = []*asked{{index: i, addr: t.Endpoint.Addr}}
		}
		e.targets = append(e.targets, r)
	}
	return e
}

// Bounds on what is kept of hostile or mistaken recordings.
const (
	maxAddrs    = 8
	maxNumber   = 1 << 16 // packets to one address
	maxAttempts = 16
	maxRoutes   = 64
)

// add folds one event in. What cannot be, as a packet of an unknown target, is
// ignored: a recording may hold anything.
func (e *evidence) add(ev Event) {
	switch ev.Kind {
	case Paused:
		e.pause(span{ev.At - ev.Took, ev.At})
		return
	case Panicked, Interrupted:
		if ev.Fault != nil {
			e.faults = append(e.faults, ev.Fault)
		}
		return
	case Counted:
		e.count(ev)
		return
	}
	if ev.Target < 0 || ev.Target >= len(e.targets) {
		return
	}
	r := e.targets[ev.Target]
	if ev.Kind == Resolved {
		r.resolve(ev)
		return
	}
	a := r.address(ev.Addr)
	if a == nil {
		if ev.Kind == Routed && ev.Route != nil && slices.Contains(elsewhere, ev.Addr) && len(e.defaults) < maxRoutes {
			e.defaults = append(e.defaults, *ev.Route)
		}
		return
	}
	switch {
	case ev.Kind == Routed:
		a.route(ev)
	case ev.Look == Connect:
		e.attempt(a, ev)
	default:
		e.packet(a, ev)
	}
}

func (r *record) resolve(ev Event) {
	r.resolved, r.fault = true, ev.Fault
	for _, addr := range ev.Addrs {
		if len(r.addrs) < maxAddrs && addr.IsValid() && r.address(addr) == nil {
			r.addrs = append(r.addrs, &asked{index: ev.Target, addr: addr})
		}
	}
}

func (r *record) address(addr netip.Addr) *asked {
	for _, a := range r.addrs {
		if a.addr == addr {
			return a
		}
	}
	return nil
}

func (a *asked) route(ev Event) {
	a.routesAsked++
	if ev.Route != nil && len(a.routes) < maxRoutes {
		a.routes = append(a.routes, *ev.Route)
	}
}

func (e *evidence) count(ev Event) {
	switch {
	case ev.Count == nil:
	case ev.Fault != nil:
		e.gone[ev.Count.Interface] = ev.Fault
	case len(e.counts[ev.Count.Interface]) < maxRoutes:
		e.counts[ev.Count.Interface] = append(e.counts[ev.Count.Interface], counted{*ev.Count, ev.At})
	}
}

// isCounted tells whether an interface has been counted once, or cannot be.
func (e *evidence) isCounted(name string) bool { return len(e.counts[name]) > 0 || e.gone[name] != nil }

// attempt folds in what became of a connection.
func (e *evidence) attempt(a *asked, ev Event) {
	if ev.Seq < 0 || ev.Seq >= maxAttempts {
		return
	}
	for len(a.attempts) <= ev.Seq {
		a.attempts = append(a.attempts, attempt{})
	}
	t := &a.attempts[ev.Seq]
	switch ev.Kind {
	case Sent:
		t.at, t.state = ev.At, max(t.state, underWay)
		return
	case ICMPError:
		t.icmp = ev.ICMP
		return
	case Answered:
		count(&a.answers, t.state != answered)
		t.state = answered
	case Refused:
		t.state = refused
	case AttemptOver, LocalError:
		t.state = failed
	}
	if ev.Kind == LocalError && ev.Fault.isOwn() {
		t.state, a.own = void, ev.Fault
	}
	if t.took, t.answer, t.fault = ev.Took, ev.Answer, ev.Fault; ev.ICMP != nil {
		t.icmp = ev.ICMP
	}
}

// packet folds in what became of an echo request.
func (e *evidence) packet(a *asked, ev Event) {
	if ev.Seq < 0 || ev.Seq >= maxNumber {
		return
	}
	for len(a.packets) <= ev.Seq {
		a.packets = append(a.packets, packet{look: ev.Look})
	}
	p := &a.packets[ev.Seq]
	a.changed++
	switch ev.Kind {
	case Sent:
		p.look, p.sent = ev.Look, ev.At
		p.state = max(p.state, underWay)
	case LocalError:
		p.look, p.sent, p.state = ev.Look, ev.At, failed
		if ev.Fault.isOwn() {
			p.state, a.own = void, ev.Fault
		} else {
			a.fault = ev.Fault
		}
	case Answered:
		if p.state != answered {
			p.look, p.state, p.took = ev.Look, answered, ev.Took
			a.answers++
			e.settle(p)
		}
	case ICMPError:
		p.icmp = ev.ICMP
		if p.look == Silence && ev.ICMP != nil && ev.ICMP.what(a.addr) != "" {
			a.icmp = ev.ICMP
		}
	}
}

// settle finds out whether an answer was late, and for how long of its way this
// program did not run.
func (e *evidence) settle(p *packet) {
	p.paused = e.pausedIn(p.sent, p.sent+p.took)
	p.late = p.took-p.paused >= e.wait
}

// pause takes back what was concluded from times in which nobody listened.
func (e *evidence) pause(s span) {
	if s.to <= s.from {
		return
	}
	e.pauses = append(e.pauses, s)
	for _, r := range e.targets {
		for _, a := range r.addrs {
			for i := range a.packets {
				if p := &a.packets[i]; p.state == answered {
					e.settle(p)
				}
			}
		}
	}
}

// pausedIn is for how long between two times this program did not run.
func (e *evidence) pausedIn(from, to time.Duration) (sum time.Duration) {
	for _, s := range e.pauses {
		if overlap := min(s.to, to) - max(s.from, from); overlap > 0 {
			sum += overlap
		}
	}
	return sum
}

// age is how long a packet or an attempt that began at a time has been waited
// for. Time in which nobody listened does not count.
func (e *evidence) age(at, now time.Duration) time.Duration { return now - at - e.pausedIn(at, now) }

// lost tells whether a packet was not answered in time: not yet, if the time is
// not over.
func (e *evidence) lost(p *packet, now time.Duration) bool {
	switch p.state {
	case underWay:
		return e.age(p.sent, now) >= e.wait
	case failed:
		return true
	case answered:
		return p.late
	}
	return false
}

// inTime tells whether a packet was answered and the answer counts.
func (p *packet) inTime() bool { return p.state == answered && !p.late }

// known tells whether what became of a packet cannot change any more.
func (e *evidence) known(p *packet, now time.Duration) bool {
	return p.state == answered || p.state != planned && e.lost(p, now)
}
