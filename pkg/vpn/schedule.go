package vpn

import (
	"net/netip"
	"time"
)

// schedule makes the list of looks that shall run now. A look is made once, so
// that it stays equal to itself.
type schedule struct {
	*Judge
	far   []*asked // reused at each step
	slots int      // file descriptors that the looks may hold together; at least 1
	free  int      // those that no look of this step has taken
	out   Wants    // the list in the making

	fresh     []Look // of this step: what would begin
	listening []Look // of this step: what has asked all

	quick  []*silenceLook // of each target
	tunnel string         // the interface whose packets are counted
}

func newSchedule(j *Judge) *schedule {
	return &schedule{Judge: j, slots: max(j.plan.Descriptors, 1), quick: make([]*silenceLook, len(j.plan.Targets))}
}

// wants is the list, the most important first. File descriptors are given out
// in three rounds: to what has some already, to what was not asked yet, and to
// what only listens for late answers.
func (s *schedule) wants() Wants {
	s.out = Wants{Looks: s.out.Looks[:0], Wake: s.plan.End}
	s.free = s.slots
	s.routes()
	s.fresh, s.listening = s.fresh[:0], s.listening[:0]
	for i := range s.plan.Targets {
		s.ofTarget(i)
	}
	s.takeNew()
	for _, l := range s.loss.looks {
		s.take(l)
	}
	for i := range s.quick {
		s.silence(i)
	}
	s.out.Looks = append(s.out.Looks, s.size.looks...)
	s.path()
	for _, l := range s.listening {
		s.take(l)
	}
	if s.closing {
		s.out.Looks = append(s.out.Looks, s.last()...)
	}
	s.wakeAt(s.loss.wake)
	s.wakeAt(s.size.wake)
	return s.out
}

// wakeAt asks for a step at a time; 0 asks for nothing.
func (s *schedule) wakeAt(t time.Duration) {
	if t > 0 {
		s.out.Wake = min(s.out.Wake, max(t, s.now+time.Millisecond))
	}
}

// take adds a look to the list if there are descriptors for it. The first one
// is always taken: what cannot be had shows then.
func (s *schedule) take(l Look) bool {
	cost := l.descriptors()
	if cost > s.free && s.free < s.slots {
		return false
	}
	s.free -= cost
	s.out.Looks = append(s.out.Looks, l)
	return true
}

// ofTarget lists what a target is asked first of all. What runs is taken at
// once.
func (s *schedule) ofTarget(i int) {
	t, r := s.plan.Targets[i], s.ev.targets[i]
	if s.fates[i] == NotAsked || s.sum.down && t.Role.ThroughTunnel && t.Role != Far && s.decidedWithout(i, &t) {
		return
	}
	if !r.resolved {
		if r.lookup.Kind == "" {
			s.fresh = append(s.fresh, Look{Kind: Resolving, Target: i})
		} else {
			s.take(r.lookup)
		}
		return
	}
	for _, a := range r.addrs {
		if len(r.addrs) > 1 && s.fates[i] == Answers && s.chosen[i] != a && s.answersInFull(i) {
			continue
		}
		if t.Endpoint.Scheme == ICMP {
			s.echo(a)
		} else {
			s.connection(a)
		}
	}
}

// answersInFull tells whether the address that a target is judged by has
// answered everything: then the others of its name need not be asked.
func (s *schedule) answersInFull(i int) bool {
	return s.plan.Targets[i].Endpoint.Scheme != ICMP || s.firstLook(s.chosen[i]) == lookAnswered
}

func (s *schedule) echo(a *asked) {
	if a.course.first.Kind == "" {
		s.fresh = append(s.fresh, Look{Kind: FirstLook, Target: a.index, Addr: a.addr, Packets: s.plan.Packets, Spacing: s.plan.Interval})
		return
	}
	switch s.firstLook(a) {
	case lookGoesOn:
		s.take(a.course.first)
		if last := a.first.last; last > 0 {
			s.wakeAt(s.due(last, recheckDelay))
		}
	case lookOver:
		s.listening = append(s.listening, a.course.first)
		s.wakeAt(s.due(a.first.last, s.ev.wait))
	}
}

// due is when something that began at a time will be so old, if it is not yet;
// else 0.
func (s *schedule) due(at, age time.Duration) time.Duration {
	if left := age - s.ev.age(at, s.now); left > 0 {
		return s.now + left
	}
	return 0
}

// connection is an attempt, and a second one if the first failed early: the
// kernel has repeated a silent one by itself, and repeated half-connections make
// databases block a host.
func (s *schedule) connection(a *asked) {
	tries := a.course.tries
	if n := len(tries); n > 0 && (len(a.attempts) < n || a.attempts[n-1].state <= underWay) {
		s.take(tries[n-1])
		if len(a.attempts) == n {
			s.wakeAt(s.due(a.attempts[n-1].at, s.ev.wait))
		}
		return
	}
	switch {
	case len(tries) == 0:
	case !s.again(a):
		return
	default:
		ended := a.attempts[0].at + a.attempts[0].took
		if at := s.due(ended, recheckDelay); at > 0 {
			s.wakeAt(at)
			return
		}
	}
	s.fresh = append(s.fresh, Look{Kind: Connect, Target: a.index, Addr: a.addr, First: len(tries), Packets: 1})
}

// again tells whether a second attempt follows the first.
func (s *schedule) again(a *asked) bool {
	if len(a.attempts) != 1 {
		return false
	}
	t := a.attempts[0]
	if t.state != refused && t.state != failed || t.fault != nil && t.fault.Code == Timeout {
		return false
	}
	return s.plan.End-t.at-t.took >= recheckDelay+s.ev.wait
}

// lastWord is how long before the check an attempt ends, so that it is heard of
// who was connected to and then said nothing.
const lastWord = 50 * time.Millisecond

// takeNew begins what may begin. An attempt and a lookup get the time that is
// left, divided by the turns that all which wait will take. An attempt has as long
// as an echo request has, all the same: less says nothing of who is slow.
func (s *schedule) takeNew() {
	waiting := 0
	for _, l := range s.fresh {
		if l.Kind == Connect || l.Kind == Resolving {
			waiting += l.descriptors()
		}
	}
	turns := time.Duration(max(1, (waiting+s.slots-1)/s.slots))
	for _, l := range s.fresh {
		if l.Kind == Connect && s.countsFirst(l.Target) {
			s.wakeAt(countingTime)
			continue
		}
		left := s.plan.End - s.now
		switch l.Kind {
		case Resolving:
			l.Limit = s.timeToResolve(left) / turns
		case Connect:
			left = max(left-lastWord, left/2)
			l.Limit = min(left, max(left/turns, s.ev.wait))
		}
		if s.take(l) {
			s.begin(&s.out.Looks[len(s.out.Looks)-1])
		}
	}
}

// begin notes that a look has been wanted, and numbers its packets.
func (s *schedule) begin(l *Look) {
	r := s.ev.targets[l.Target]
	switch a := r.address(l.Addr); l.Kind {
	case Resolving:
		r.lookup = *l
	case Connect:
		a.course.tries = append(a.course.tries, *l)
	case FirstLook:
		l.First = a.plan(l.Packets)
		a.course.first = *l
	}
}

// timeToResolve leaves the time that the looks may take, so that a name whose
// resolver is slow is judged as surely as an address. If there is not so much,
// the resolver may have the larger part: it takes five seconds to turn from a
// dead name server to the next. It never has the time of the first look.
func (s *schedule) timeToResolve(left time.Duration) time.Duration {
	first := s.plan.sending() + s.ev.wait
	both := first + recheckDelay + time.Duration(s.plan.MaxPackets-s.plan.Packets)*s.plan.lossGap()
	return max(min(left-first, max(left-both, left*3/5)), left/4)
}

// silence is the silence look at an icmp target of another role than far. It
// begins when the first look is over and nothing was answered.
func (s *schedule) silence(i int) {
	t, a := s.plan.Targets[i], s.chosen[i]
	if a == nil || t.Role == Far || t.Endpoint.Scheme != ICMP || s.fates[i] != NotKnown {
		return
	}
	if s.quick[i] == nil {
		if s.firstLook(a) != lookOver {
			return
		}
		s.quick[i] = newSilenceLook(a)
		if t.Role.IsGateway() {
			s.quick[i].lateAt = a.first.last + lateDelay
		}
	}
	looks, wake := s.quick[i].wants(s.ev, s.now)
	s.out.Looks = append(s.out.Looks, looks...)
	s.wakeAt(wake)
}

// routes asks at the beginning for the routes of all that --via is about. If
// there is no --via, nothing need be asked while far targets answer at once. Else the
// route to one of them tells which interface leads into the tunnel, and if that
// seems dead, those to the gateways and to elsewhere tell whether anything else
// uses it.
func (s *schedule) routes() {
	for i, t := range s.plan.Targets {
		if a := s.chosen[i]; a != nil && a.routesAsked == 0 && s.asksRoute(i, t) {
			s.out.Looks = append(s.out.Looks, Look{Kind: AskRoute, Target: i, Addr: a.addr})
		}
	}
	s.elsewhere()
	s.count()
}

// elsewhere asks for the default route of the family of the far targets.
func (s *schedule) elsewhere() {
	far := s.sum.firstFar
	if far < 0 || !s.plan.Limits.Via.IsZero() || !s.seemsDead() || len(s.ev.defaults) > 0 {
		return
	}
	for _, addr := range elsewhere {
		if addr.Is4() == s.chosen[far].addr.Is4() {
			s.out.Looks = append(s.out.Looks, Look{Kind: AskRoute, Target: far, Addr: addr})
		}
	}
}

func (s *schedule) asksRoute(i int, t Target) bool {
	switch {
	case !s.plan.Limits.Via.IsZero():
		return t.Role.ThroughTunnel
	case t.Role == Far:
		return s.plan.Routes || i == s.sum.firstFar && s.takesLong()
	}
	return t.Role.IsGateway() && s.seemsDead()
}

// takesLong tells whether no far target has answered for so long that one by
// now could have.
func (s *schedule) takesLong() bool {
	if s.sum.up > 0 {
		return false
	}
	s.wakeAt(s.due(0, recheckDelay))
	return s.now >= recheckDelay || s.seemsDead()
}

// seemsDead tells whether a first look is over and no far target has answered.
func (s *schedule) seemsDead() bool {
	return s.sum.up == 0 && (s.sum.perhaps == 0 || s.loss.doubt)
}

// count counts the packets of the interface that leads into the tunnel.
func (s *schedule) count() {
	if s.tunnel == "" {
		s.tunnel = s.plan.Limits.Via.Interface
		if far := s.sum.firstFar; s.tunnel == "" && far >= 0 && len(s.chosen[far].routes) > 0 {
			s.tunnel = s.chosen[far].routes[0].Interface
		}
	}
	if s.tunnel != "" && !s.ev.isCounted(s.tunnel) {
		s.out.Looks = append(s.out.Looks, Look{Kind: Count, Interface: s.tunnel})
	}
}

// countingTime is by when the interface of --via has been counted, or cannot be.
const countingTime = 50 * time.Millisecond

// countsFirst tells whether an attempt waits until the interface of --via has been
// counted: it may be the only one, and can be seen to leave by another way only
// if none of its packets left before.
func (s *schedule) countsFirst(i int) bool {
	via := s.plan.Limits.Via.Interface
	return via != "" && s.plan.Targets[i].Role.ThroughTunnel && s.now < countingTime && !s.ev.isCounted(via)
}

// last is what is still to be asked last of all, as routes may have changed and
// counters tell what passed: for the second time, once the first time has had its
// answer. If both ran at once, the answer of one would end the other.
func (s *schedule) last() (looks []Look) {
	if n := len(s.ev.counts[s.tunnel]); s.tunnel != "" && s.ev.gone[s.tunnel] == nil && n < 2 {
		looks = append(looks, Look{Kind: Count, Interface: s.tunnel, First: min(1, n)})
	}
	if s.plan.Limits.Via.IsZero() || s.sum.down {
		return looks
	}
	for i, t := range s.plan.Targets {
		if a := s.chosen[i]; t.Role.ThroughTunnel && s.fates[i] == Answers && a.routesAsked < 2 {
			looks = append(looks, Look{Kind: AskRoute, Target: i, Addr: a.addr, First: min(1, a.routesAsked)})
		}
	}
	return looks
}

const (
	maxHops    = 30
	hopSpacing = 20 * time.Millisecond
)

// path asks how far packets get to one silent far target and to each silent
// peer, while it is found out whether they are silent. Nothing waits for it.
func (s *schedule) path() {
	if !s.seemsDead() {
		return
	}
	far := false
	for i, t := range s.plan.Targets {
		if t.Endpoint.Scheme != ICMP || t.Role != Peer && (t.Role != Far || far) || s.chosen[i] == nil {
			continue
		}
		a := s.chosen[i]
		if s.fates[i] == Answers || s.firstLook(a) != lookOver {
			continue
		}
		far = far || t.Role == Far
		if a.course.path.Kind == "" {
			a.course.path = a.look(Path, maxHops, hopSpacing)
		}
		s.out.Looks = append(s.out.Looks, a.course.path)
	}
}

// elsewhere are addresses that only a default route leads to (RFC 5737, RFC
// 3849). Nothing is sent there.
var elsewhere = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
