package vpn

import (
	"net/netip"
	"slices"
	"time"
)

// World is a network that does not exist: what would become of what a judge
// wants to be asked. It is how --explain finds examples of verdicts, and how
// tests run a check in no time. Nil functions are those of a world in which all
// is well and each answer takes Trip.
type World struct {
	Trip time.Duration
	// Echo tells whether an echo request, of so many bytes if it is one of Sizes
	// (else 0), is answered, and when.
	Echo func(l Look, at time.Duration, bytes int) (took time.Duration, answered bool)
	// Local is why what a look asks cannot leave this host; nil if it can.
	Local func(l Look) *Fault
	// ICMP is the error that somebody sends about an echo request to a target;
	// nil if nobody does.
	ICMP func(l Look, number int) *ICMPMessage
	// Connect gives the event that an attempt ends with; its kind is empty if
	// there is silence.
	Connect func(l Look) Event
	// Resolve gives the address of a name, or the fault.
	Resolve func(target int) (netip.Addr, *Fault)
	// Route is the kernel's route.
	Route func(l Look) Route
}

// Imagine runs a check in a world, in virtual time. Each thing that is wanted is
// asked at once and at its time, and judged as soon as it is answered.
func Imagine(p *Plan, w World) Verdict {
	return imagine(NewJudge(p), p, w, func(Event) {})
}

// imagine also hands out what happens, as it would be recorded.
func imagine(j *Judge, p *Plan, w World, record func(Event)) Verdict {
	m := &imagined{plan: p, world: w.complete(p), judge: j, record: record, started: map[Look]bool{}, running: map[Look]bool{}}
	for {
		record(Event{Kind: Judged, At: m.now})
		wants, decided := m.judge.Step(m.now)
		if decided {
			return m.judge.Verdict()
		}
		m.want(wants.Looks)
		m.advance(wants.Wake)
	}
}

// someAddr stands for the address of a name (RFC 5737).
var someAddr = netip.AddrFrom4([4]byte{192, 0, 2, 2})

func (w World) complete(p *Plan) World {
	if w.Echo == nil {
		w.Echo = func(Look, time.Duration, int) (time.Duration, bool) { return w.Trip, true }
	}
	if w.Local == nil {
		w.Local = func(Look) *Fault { return nil }
	}
	if w.ICMP == nil {
		w.ICMP = func(Look, int) *ICMPMessage { return nil }
	}
	if w.Connect == nil {
		w.Connect = func(Look) Event { return Event{Kind: Answered, Took: w.Trip} }
	}
	if w.Resolve == nil {
		w.Resolve = func(int) (netip.Addr, *Fault) { return someAddr, nil }
	}
	if w.Route == nil {
		route := Route{Interface: "tun0", Source: p.Limits.Via.Source}
		if name := p.Limits.Via.Interface; name != "" {
			route.Interface = name
		}
		w.Route = func(Look) Route { return route }
	}
	return w
}

// imagined is one check in a world.
type imagined struct {
	plan    *Plan
	world   World
	judge   *Judge
	record  func(Event)
	now     time.Duration
	started map[Look]bool
	running map[Look]bool
	queue   []*happening // in the order of their times
}

// happening is an event to come, and the look that it belongs to.
type happening struct {
	event Event
	look  Look
}

// want begins the looks that were never wanted before. What is not wanted any
// more has ended: none of its packets leaves or is answered.
func (m *imagined) want(looks []Look) {
	clear(m.running)
	for _, l := range looks {
		m.running[l] = true
		if !m.started[l] {
			m.started[l] = true
			m.begin(l)
		}
	}
}

func (m *imagined) begin(l Look) {
	e := Event{At: m.now, Target: l.Target, Look: l.Kind, Addr: l.Addr, Seq: l.First}
	switch l.Kind {
	case Resolving:
		addr, fault := m.world.Resolve(l.Target)
		if e.Kind, e.Fault = Resolved, fault; fault == nil {
			e.Addrs = []netip.Addr{addr}
		}
	case AskRoute:
		route := m.world.Route(l)
		e.Kind, e.Route = Routed, &route
	case Count:
		e.Kind, e.Count = Counted, &Counters{Interface: l.Interface}
	case Connect:
		m.connect(l, e)
		return
	default:
		m.echo(l, e)
		return
	}
	m.put(l, e)
}

func (m *imagined) connect(l Look, e Event) {
	if e.Fault = m.world.Local(l); e.Fault != nil {
		e.Kind = LocalError
		m.put(l, e)
		return
	}
	e.Kind = Sent
	m.put(l, e)
	end := m.world.Connect(l)
	if end.Kind == "" {
		end = Event{Kind: AttemptOver, Took: l.Limit, Fault: &Fault{Code: Timeout, Words: "no answer in time"}}
	}
	end.At, end.Target, end.Look, end.Addr, end.Seq = m.now+end.Took, l.Target, l.Kind, l.Addr, l.First
	m.put(l, end)
}

func (m *imagined) echo(l Look, e Event) {
	for i := range l.Packets {
		at := m.now + time.Duration(i)*l.Spacing
		e.Kind, e.At, e.Seq, e.Took, e.ICMP = Sent, at, l.First+i, 0, nil
		if e.Fault = m.world.Local(l); e.Fault != nil {
			e.Kind = LocalError
			m.put(l, e)
			continue
		}
		m.put(l, e)
		if e.ICMP = m.world.ICMP(l, i); e.ICMP != nil {
			e.Kind, e.At = ICMPError, at+m.world.Trip
			m.put(l, e)
			continue
		}
		if took, ok := m.world.Echo(l, at, l.BytesOf(i)); ok {
			e.Kind, e.At, e.Took = Answered, at+took, took
			m.put(l, e)
		}
	}
}

// advance goes to the next moment at which something happens, and takes in all
// that happens then.
func (m *imagined) advance(wake time.Duration) {
	if len(m.queue) > 0 {
		wake = min(wake, m.queue[0].event.At)
	}
	m.now = max(m.now, wake)
	for len(m.queue) > 0 && m.queue[0].event.At <= m.now {
		h := m.queue[0]
		m.queue = m.queue[1:]
		if m.running[h.look] {
			m.record(h.event)
			m.judge.Add(h.event)
		}
	}
}

// put has an event happen at its time, after all those of the same time.
func (m *imagined) put(l Look, e Event) {
	place, _ := slices.BinarySearchFunc(m.queue, e.At, func(h *happening, at time.Duration) int {
		if h.event.At <= at {
			return -1
		}
		return 1
	})
	m.queue = slices.Insert(m.queue, place, &happening{e, l})
}
