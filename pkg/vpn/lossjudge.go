package vpn

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"checkvpn/pkg/nagios"
)

// firstRTA is the round-trip average of the first look at all hosts.
func (t *lossTest) firstRTA() (a average) {
	for _, h := range t.hosts {
		a = a.plus(h.trips.usual())
	}
	return a
}

// againRTA is the round-trip average of the first packets of the loss looks of
// the pool, and whether these are not all known yet.
func (t *lossTest) againRTA() (a average, pending bool) {
	for _, h := range t.measuredPool() {
		var r roundTrips
		known := 0
		packets := h.measuredPackets(settledPackets)
		for i := range packets {
			p := &packets[i]
			count(&known, p.state == void || t.ev.known(p, t.now))
			if p.state == answered {
				r.add(p.took, p.paused)
			}
		}
		a = a.plus(r.usual())
		pending = pending || known < min(settledPackets, h.look.Packets)
	}
	return a, pending && !t.stopped
}

func (t *lossTest) breaksRTA(a average) bool { return t.plan.Limits.anyRTA(a.breaks) }

// isWithheld tells whether a round-trip average may break a limit, or not: for a
// time this program did not run.
func (t *lossTest) isWithheld() bool {
	first := t.firstRTA()
	isUnsure := func(l nagios.Limit) bool { return first.mayBreak(l) && !first.breaks(l) }
	return t.alarm == nil && t.plan.Limits.anyRTA(isUnsure)
}

// measuredPool are those of the pool whose loss is still measured.
func (t *lossTest) measuredPool() (pool []*lossHost) {
	for _, h := range t.pool {
		if h.stage == atLossLook {
			pool = append(pool, h)
		}
	}
	return pool
}

// together is what the pool has come to.
type together struct {
	hosts        int
	shortest     int // packets that have left to each
	unanswered   int // of these
	lost         int
	all, rest    int // packets in the end, and of these not known yet
	first, again average
	pending      bool // again is not all known yet
}

func (t *lossTest) sumUp() together {
	pool := t.measuredPool()
	s := together{hosts: len(pool), shortest: math.MaxInt, first: t.firstRTA()}
	for _, h := range pool {
		m := h.measure(t.stopped)
		s.shortest = min(s.shortest, h.measured().sent())
		s.lost, s.all, s.rest = s.lost+m.lost, s.all+m.all, s.rest+m.rest
	}
	for _, h := range pool {
		s.unanswered += h.unansweredOf(s.shortest)
	}
	if t.breaksRTA(s.first) {
		s.again, s.pending = t.againRTA()
	}
	return s
}

// isSlow tells whether both round-trip averages break a limit.
func (s *together) isSlow(p nagios.Pair) bool {
	return !s.pending && s.first.breaks(p.RTA) && s.again.breaks(p.RTA)
}

func (s *together) isAbove(p nagios.Pair) bool {
	return isSure(p.Loss, s.lost, s.all, s.rest) || s.isSlow(p)
}

// isBelow tells whether a limit holds, whatever may still come.
func (s *together) isBelow(p nagios.Pair) bool {
	switch {
	case s.isAbove(p) || s.pending:
		return false
	case s.rest == 0:
		return true
	}
	return s.shortest > 0 && isLow(p.Loss, percent(s.unanswered+margin(s.hosts), s.shortest*s.hosts))
}

// judgeTogether judges the loss and the round-trip time of all together, as soon
// as it is known who is silent.
func (t *lossTest) judgeTogether() {
	if !t.stopped && t.isWaiting() {
		return
	}
	s, r := t.sumUp(), &t.plan.Limits
	switch {
	case s.hosts == 0 && t.growing:
		// All are silent so far. Whoever answers at last is measured then.
	case s.isAbove(r.Critical):
		t.raise(nagios.Critical, r.Critical, &s)
	case s.isAbove(r.Warning) && s.isBelow(r.Critical):
		t.raise(nagios.Warning, r.Warning, &s)
	case s.isBelow(r.Warning) && s.isBelow(r.Critical):
		t.wide = false
		t.letCleanGo()
	}
}

func (t *lossTest) isWaiting() bool {
	return slices.ContainsFunc(t.hosts, func(h *lossHost) bool {
		return h.stage == atSilenceLook || h.stage != atFirstLook && !h.isFirstKnown()
	})
}

func (t *lossTest) raise(state nagios.State, p nagios.Pair, s *together) {
	late := 0
	for _, h := range t.pool {
		for _, m := range []*tally{&h.first, &h.loss} {
			late += m.answered - m.inTime
		}
	}
	t.alarm = &Alarm{
		State: state, Lost: s.lost, Known: s.all - s.rest, Late: late, First: s.first.mean(), Again: s.again.mean(),
		ByLoss: isSure(p.Loss, s.lost, s.all, s.rest), ByRTA: s.isSlow(p),
	}
}

// letCleanGo ends the looks at hosts that were only measured for the sake of the
// tunnel.
func (t *lossTest) letCleanGo() {
	for _, h := range t.hosts {
		if h.stage == atLossLook && h.isClean() && t.isClear(h, 0) {
			h.stage = letGo
		}
	}
}

// isClear tells whether a host stays within the limits even if so many packets
// more are lost.
func (t *lossTest) isClear(h *lossHost, more int) bool {
	m := h.measure(t.stopped)
	return t.plan.Limits.clear(percent(m.unanswered+more, m.sent))
}

// judgeEach judges each host whose loss is measured.
func (t *lossTest) judgeEach() {
	suspects := false
	for _, h := range t.hosts {
		if h.stage != atLossLook {
			continue
		}
		if h.measure(t.stopped).sent > 0 && t.isClear(h, margin(1)) {
			h.stage = letGo
		} else {
			suspects = t.isBeyond(h) || suspects
		}
	}
	if suspects {
		t.nameSuspects()
	}
	for _, h := range t.hosts {
		switch m := h.measure(t.stopped); {
		case h.stage != atLossLook || m.rest > 0:
		case m.all < minLost:
			h.stage = notMeasured
		default:
			h.stage = letGo
		}
	}
}

// isBeyond tells whether a host has lost more than a limit allows.
func (t *lossTest) isBeyond(h *lossHost) bool {
	m := h.measure(t.stopped)
	return h.look.Packets > 0 && t.plan.Limits.isSure(m.lost, m.all, m.rest)
}

// nameSuspects names the hosts that have lost more than a limit allows and more
// than chance explains. Packets lost while nobody's passed are not held against
// them: then something broke that all share.
func (t *lossTest) nameSuspects() {
	others, othersLost := t.others()
	for _, h := range t.hosts {
		m := h.measure(t.stopped)
		isLikely := func(lost int) bool {
			return chance(m.sent, lost, others, othersLost) > maxChance/float64(len(t.hosts))
		}
		if h.stage != atLossLook || !t.isBeyond(h) || isLikely(m.lost) {
			continue
		}
		if lost := t.lostAlone(h); t.plan.Limits.isSure(lost, m.all, m.rest) && !isLikely(lost) {
			h.stage = foundLossy
		}
	}
}

// others is what became of the packets to all hosts that have not lost too much.
func (t *lossTest) others() (sent, lost int) {
	for _, h := range t.hosts {
		if h.stage == atSilenceLook || h.stage == foundSilent || t.isBeyond(h) {
			continue
		}
		sent += h.first.old + h.loss.old + h.control.old
		lost += h.first.oldLost + h.loss.oldLost + h.control.oldLost
	}
	return sent, lost
}

// passage is a packet that was answered in time.
type passage struct {
	sent time.Duration
	host *lossHost
}

func (p passage) compare(sent time.Duration) int { return cmp.Compare(p.sent, sent) }

// lostAlone is how many packets to a host were lost while one to another passed:
// one sent within a quarter of the gap before or after.
func (t *lossTest) lostAlone(h *lossHost) (n int) {
	if len(t.passages) == 0 {
		t.findPassages()
	}
	within := t.gap / 4
	packets := h.measuredPackets(h.look.Packets)
	for i := range packets {
		p := &packets[i]
		if !t.ev.lost(p, t.now) {
			continue
		}
		near, _ := slices.BinarySearchFunc(t.passages, p.sent-within, passage.compare)
		for ; near < len(t.passages) && t.passages[near].sent <= p.sent+within; near++ {
			if t.passages[near].host != h {
				n++
				break
			}
		}
	}
	return n
}

// findPassages lists all packets that were answered in time since the loss was
// measured, in the order in which they left.
func (t *lossTest) findPassages() {
	for _, h := range t.hosts {
		for i := range h.packets {
			p := &h.packets[i]
			if p.inTime() && p.sent >= t.openedAt-t.gap && p.look != Sizes && p.look != Path {
				t.passages = append(t.passages, passage{p.sent, h})
			}
		}
	}
	slices.SortFunc(t.passages, func(a, b passage) int { return a.compare(b.sent) })
}

// figures are those of all hosts that are not silent; if all are, of all.
func (t *lossTest) figures() Figures {
	allSilent := !slices.ContainsFunc(t.hosts, func(h *lossHost) bool { return h.stage != foundSilent })
	var known, lost int
	var trips average
	for _, h := range t.hosts {
		if h.stage != foundSilent || allSilent {
			known, lost = known+h.first.known, lost+h.first.lost
			trips = trips.plus(h.trips.exact)
		}
	}
	return newFigures(known, lost, trips.mean())
}

// firstKnown tells whether it is known of each packet of the first looks what
// became of it.
func (t *lossTest) firstKnown() bool {
	return !slices.ContainsFunc(t.hosts, func(h *lossHost) bool {
		return h.stage == atFirstLook || h.first.done < t.plan.Packets || !h.isFirstKnown()
	})
}

// named says how many packets a host lost, if it lost more than chance explains;
// else it is empty.
func (t *lossTest) named(i int) string {
	if t.stageOf(i) != foundLossy {
		return ""
	}
	h := t.places[i]
	m := h.measured()
	if slices.ContainsFunc(h.measuredPackets(h.look.Packets), func(p packet) bool { return p.state == answered && p.late }) {
		return fmt.Sprintf("%d of %d packets were answered too late, or never", m.lost, m.known)
	}
	return fmt.Sprintf("lost %d of %d packets", m.lost, m.known)
}

// unmeasured counts the hosts that answer, lost so many packets of their first
// look that the critical limit would be broken, and could not be measured for
// want of time: nothing can be said of their loss.
func (t *lossTest) unmeasured() (n int) {
	for _, h := range t.hosts {
		count(&n, h.stage == notMeasured && t.plan.Limits.Critical.Loss.Alert(percent(h.first.lost, h.first.sent())))
	}
	return n
}
