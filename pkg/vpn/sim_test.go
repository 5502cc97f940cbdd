package vpn

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"checkvpn/pkg/nagios"
)

// A simulation is one check in virtual time: a prober that carries out the looks
// that are wanted, over a way that loses and delays packets by a rule.
type simulation struct {
	plan    *Plan
	way     impairment
	rng     *rand.Rand
	names   map[int]time.Duration // targets whose name is resolved later than the check begins
	pauses  []span                // in which the program does not run, in order
	whole   bool                  // simulates the whole judge, not the loss test alone
	subject subject

	now     time.Duration
	queue   simQueue
	looks   []Look
	running map[lookID]bool
	packets int
}

// A subject is what is simulated: what judges events and wants looks.
type subject interface {
	add(Event)
	step(now time.Duration) (looks []Look, wake time.Duration, done bool)
	verdict() simVerdict
}

// An impairment says what becomes of a packet: whether it is lost, else how long it takes.
type impairment func(rng *rand.Rand, target int, sent time.Duration) (took time.Duration, passes bool)

// What a way says of packets that do not leave.
const (
	noRoute  = -1
	ownFault = -2
)

type simVerdict struct {
	cause  string // up, partial, degraded, too-few, down or failed
	state  nagios.State
	named  []int
	silent []int
	loss   float64       // of the first look
	rta    time.Duration // 0 if it was not measured
	words  string        // by what figures
	unsure []int         // not measured
}

func (v simVerdict) String() string {
	text := v.cause
	if v.cause == "degraded" {
		text += " " + v.state.String()
	}
	if len(v.named) > 0 {
		text += fmt.Sprint(" named ", v.named)
	}
	if len(v.silent) > 0 && v.cause != "down" {
		text += fmt.Sprint(" silent ", v.silent)
	}
	if len(v.unsure) > 0 {
		text += fmt.Sprint(" not measured ", v.unsure)
	}
	return text
}

// lookID tells looks at the same target apart.
type lookID struct {
	kind          LookKind
	target, first int
}

type simEvent struct {
	at   time.Duration
	kind Kind
	look Look
	seq  int // of the packet in its look
	sent time.Duration
}

func simPlan(k int) *Plan {
	p := &Plan{Packets: 5, MaxPackets: 5 + LossPackets, Interval: 15 * time.Millisecond, End: 9700 * time.Millisecond, Descriptors: 4000}
	p.Limits.MinFar = 1
	p.Limits.Partial = nagios.Warning
	setLimits(p, "100,20%", "500,60%")
	for i := range k {
		addr := netip.AddrFrom4([4]byte{10, 3, byte(i / 250), byte(i%250 + 1)})
		p.Targets = append(p.Targets, Target{Role: Far, Name: addr.String(), Endpoint: Endpoint{Scheme: ICMP, Host: addr.String(), Addr: addr}})
	}
	return p
}

func setLimits(p *Plan, warning, critical string) {
	p.Limits.Warning, p.Limits.Critical = mustPair(warning), mustPair(critical)
}

// mustPair reads a pair of limits; "-" is none.
func mustPair(text string) nagios.Pair {
	if text == "-" {
		return nagios.Pair{}
	}
	pair, err := nagios.ParsePair(text)
	if err != nil {
		panic(err)
	}
	return pair
}

// run carries out the check to its end.
func (s *simulation) run() simVerdict {
	for target := range s.names {
		s.plan.Targets[target].Endpoint.Addr = netip.Addr{}
	}
	if s.subject = subject(newBareTest(s.plan)); s.whole {
		s.subject = &wholeJudge{NewJudge(s.plan)}
	}
	s.running = map[lookID]bool{}
	for target := range s.plan.Targets { // in order, that the same seed gives the same check
		if at, late := s.names[target]; late {
			s.queue.push(simEvent{at: at, kind: Resolved, look: Look{Target: target}})
		}
	}
	for steps := 0; ; steps++ {
		if steps > 1e6 {
			panic("the check does not end")
		}
		looks, wake, done := s.subject.step(s.now)
		if done {
			return s.subject.verdict()
		}
		s.follow(looks)
		s.advance(earliest(wake, s.plan.End))
	}
}

// follow starts and ends looks.
func (s *simulation) follow(looks []Look) {
	if slices.Equal(looks, s.looks) {
		return
	}
	wanted := make(map[lookID]bool, len(looks))
	for _, l := range looks {
		id := lookID{l.Kind, l.Target, l.First}
		wanted[id] = true
		if _, known := s.running[id]; !known {
			s.queue.push(simEvent{at: s.now, kind: begins(l.Kind), look: l})
		}
		s.running[id] = true
	}
	for id := range s.running {
		s.running[id] = wanted[id]
	}
	s.looks = append(s.looks[:0], looks...)
}

// begins is what a look does first.
func begins(kind LookKind) Kind {
	switch kind {
	case Resolving:
		return Resolved
	case AskRoute:
		return Routed
	case Count:
		return Counted
	}
	return Sent
}

// advance goes on to the next moment at which anything happens, and tells the
// subject of it. The program does nothing during a pause: what would have
// happened happens at its end.
func (s *simulation) advance(wake time.Duration) {
	next := wake
	if len(s.queue) > 0 {
		next = min(next, s.queue[0].at)
	}
	s.now = max(s.now, next)
	if len(s.pauses) > 0 && s.now >= s.pauses[0].from {
		p := s.pauses[0]
		s.pauses = s.pauses[1:]
		s.now = max(s.now, p.to)
		s.subject.add(Event{Kind: Paused, At: p.to, Took: p.to - p.from})
	}
	for len(s.queue) > 0 && s.queue[0].at <= s.now {
		s.happen(s.queue.pop())
	}
}

func (s *simulation) happen(e simEvent) {
	switch e.kind {
	case Resolved:
		if at, late := s.names[e.look.Target]; !late || s.now >= at {
			addr := netip.MustParseAddr(s.plan.Targets[e.look.Target].Name)
			s.subject.add(Event{Kind: Resolved, At: s.now, Target: e.look.Target, Addrs: []netip.Addr{addr}})
		}
		return
	case Routed:
		s.subject.add(Event{Kind: Routed, At: s.now, Target: e.look.Target, Addr: e.look.Addr, Route: &Route{Interface: "wg0"}})
		return
	case Counted:
		s.subject.add(Event{Kind: Counted, At: s.now, Count: &Counters{Interface: e.look.Interface}})
		return
	}
	if !s.running[lookID{e.look.Kind, e.look.Target, e.look.First}] {
		return
	}
	event := Event{Kind: e.kind, At: s.now, Target: e.look.Target, Addr: e.look.Addr, Look: e.look.Kind, Seq: e.look.First + e.seq}
	if e.kind == Answered {
		event.Took = s.now - e.sent
		s.subject.add(event)
		return
	}
	s.packets++
	if e.seq+1 < e.look.Packets {
		s.queue.push(simEvent{at: s.now + e.look.Spacing, kind: Sent, look: e.look, seq: e.seq + 1})
	}
	took, passes := s.way(s.rng, e.look.Target, s.now)
	switch took {
	case noRoute:
		event.Kind, event.Fault = LocalError, &Fault{Code: NoRoute, Words: "no route"}
	case ownFault:
		event.Kind, event.Fault = LocalError, &Fault{Code: QueueFull, Words: "the send queue is full", Own: true}
	}
	s.subject.add(event)
	if passes && took >= 0 {
		s.queue.push(simEvent{at: s.now + took, kind: Answered, look: e.look, seq: e.seq, sent: s.now})
	}
}

// simQueue is a heap of events by their time.
type simQueue []simEvent

func (q *simQueue) push(e simEvent) {
	*q = append(*q, e)
	h := *q
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if h[parent].at <= h[i].at {
			break
		}
		h[parent], h[i] = h[i], h[parent]
		i = parent
	}
}

func (q *simQueue) pop() simEvent {
	h := *q
	top := h[0]
	last := len(h) - 1
	h[0] = h[last]
	*q = h[:last]
	h = *q
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && h[child+1].at < h[child].at {
			child++
		}
		if h[i].at <= h[child].at {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	return top
}

// bareTest is the loss test alone, with the first looks that a judge would add.
type bareTest struct {
	*lossTest
	firsts []Look
	far    []*asked
	out    []Look
	begun  []bool
}

func newBareTest(p *Plan) *bareTest {
	return &bareTest{lossTest: newLossTest(p, newEvidence(p)), begun: make([]bool, len(p.Targets))}
}

func (b *bareTest) add(e Event) { b.ev.add(e) }

func (b *bareTest) step(now time.Duration) (looks []Look, wake time.Duration, done bool) {
	for i, r := range b.ev.targets {
		if !b.begun[i] && len(r.addrs) > 0 {
			b.begun[i] = true
			a := r.addrs[0]
			b.far = append(b.far, a)
			b.firsts = append(b.firsts, Look{Kind: FirstLook, Target: i, Addr: a.addr, First: a.plan(b.plan.Packets), Packets: b.plan.Packets, Spacing: b.plan.Interval})
		}
	}
	b.stopped = now >= b.plan.End
	b.lossTest.step(b.far, now)
	b.out = append(append(b.out[:0], b.firsts...), b.looks...)
	done = b.over && (b.stopped || len(b.far) == len(b.plan.Targets))
	return b.out, b.wake, done || b.isDown() && b.lossTest.doubt
}

func (b *bareTest) isDown() bool {
	up := len(b.plan.Targets)
	for i := range b.plan.Targets {
		if b.isSilent(i) || b.stopped && b.stageOf(i) == atSilenceLook {
			up--
		}
	}
	return up < b.plan.Limits.MinFar
}

func (b *bareTest) verdict() (v simVerdict) {
	for i := range b.plan.Targets {
		switch b.stageOf(i) {
		case foundSilent:
			v.silent = append(v.silent, i)
		case foundLossy:
			v.named = append(v.named, i)
		case notMeasured:
			v.unsure = append(v.unsure, i)
		}
	}
	f := b.figures()
	v.loss, v.rta = f.Loss, f.RTA
	switch {
	case b.isDown() && len(v.silent) == len(b.plan.Targets):
		v.cause, v.state = "down", nagios.Critical
	case b.isDown() && len(v.silent) == 0:
		v.cause, v.state = "failed", nagios.Unknown
	case b.isDown():
		v.cause, v.state = "too-few", nagios.Critical
	case b.alarm != nil:
		v.cause, v.state = "degraded", b.alarm.State
		v.words = fmt.Sprintf("%+v", *b.alarm)
	case len(v.named)+len(v.silent) > 0:
		v.cause, v.state = "partial", b.plan.Limits.Partial
	default:
		v.cause, v.state = "up", nagios.OK
	}
	return v
}

// steady is a way on which each packet is lost by chance, with a probability each
// way, and takes 20 ms and a little.
func steady(each float64) impairment {
	return func(rng *rand.Rand, _ int, _ time.Duration) (time.Duration, bool) {
		pass := (1 - each) * (1 - each)
		return delay(rng), rng.Float64() < pass
	}
}

// delay is 20 ms and a little.
func delay(rng *rand.Rand) time.Duration {
	return 20*time.Millisecond + time.Duration(rng.Int64N(int64(2*time.Millisecond)))
}

// fixed is a way on which nothing is lost and each packet takes so long.
func fixed(took time.Duration) impairment {
	return func(*rand.Rand, int, time.Duration) (time.Duration, bool) { return took, true }
}

// outage is a way on which all packets to some targets that are sent between two
// times are lost. Without targets it is all of them.
func (w impairment) outage(from, to time.Duration, targets ...int) impairment {
	return func(rng *rand.Rand, target int, sent time.Duration) (time.Duration, bool) {
		took, passes := w(rng, target, sent)
		hit := sent >= from && sent < to && (len(targets) == 0 || slices.Contains(targets, target))
		return took, passes && !hit
	}
}

// losing is a way on which the first n targets lose more: that share in all.
func (w impairment) losing(n int, share float64) impairment {
	return func(rng *rand.Rand, target int, sent time.Duration) (time.Duration, bool) {
		took, passes := w(rng, target, sent)
		if target < n {
			passes = rng.Float64() >= share
		}
		return took, passes
	}
}

func simulate(p *Plan, w impairment, seed uint64) simVerdict {
	return (&simulation{plan: p, way: w, rng: rand.New(rand.NewPCG(seed, 1))}).run()
}

// wholeJudge is the judge with all that belongs to it.
type wholeJudge struct{ *Judge }

func (j *wholeJudge) add(e Event) { j.Add(e) }

func (j *wholeJudge) step(now time.Duration) (looks []Look, wake time.Duration, done bool) {
	wants, done := j.Step(now)
	return wants.Looks, wants.Wake, done
}

func (j *wholeJudge) verdict() (v simVerdict) {
	w := j.Verdict()
	v.cause, v.state, v.loss, v.rta = string(w.Problems[0].Cause), w.Problems[0].State, w.Figures.Loss, w.Figures.RTA
	for i := range j.plan.Targets {
		switch {
		case w.Findings[i].Named != "":
			v.named = append(v.named, i)
		case w.Findings[i].Fate == Silent:
			v.silent = append(v.silent, i)
		}
	}
	return v
}
