package vpn

import (
	"fmt"
	"math"
	"slices"
	"time"

	"checkvpn/pkg/nagios"
)

// firstRTA is the round-trip average of the first look at all hosts.
func (t *lossTest) firstRTA() (a average) {
	for _, h := range t.hosts {
		a.add(h.trips)
	}
	return a
}

// againRTA is the round-trip average of the first packets of the loss looks of
// the pool, and whether these are not all known yet.
func (t *lossTest) againRTA() (a average, pending bool) {
	for _, h := range t.pool {
		if h.stage != atLossLook {
			continue
		}
		var r roundTrips
		known, voids := 0, 0
		h.firstPackets(settledPackets, func(p *packet) {
			count(&known, t.ev.known(p, t.now))
			count(&voids, p.state == void)
			if p.state == answered {
				r.add(p.took, p.paused)
			}
		})
		a.add(r)
		pending = pending || known+voids < min(settledPackets, h.look.Packets)
	}
	return a, pending && !t.stopped
}

func (t *lossTest) breaksRTA(a average) bool {
	r := &t.plan.Limits
	return a.breaks(r.Warning.RTA) || a.breaks(r.Critical.RTA)
}

func (t *lossTest) mayBreakRTA(a average) bool {
	r := &t.plan.Limits
	return a.mayBreak(r.Warning.RTA) || a.mayBreak(r.Critical.RTA)
}

// isWithheld tells whether a round-trip average may break a limit, or not: for a
// time this program did not run.
func (t *lossTest) isWithheld() bool {
	f := t.firstRTA()
	r := &t.plan.Limits
	return t.alarm == nil && (f.mayBreak(r.Warning.RTA) && !f.breaks(r.Warning.RTA) || f.mayBreak(r.Critical.RTA) && !f.breaks(r.Critical.RTA))
}

// together is what the pool has come to.
type together struct {
	hosts        int
	shortest     int // packets that have left to each
	unanswered   int // of these
	lost         int
	sent, rest   int // in the end, and of these not known yet
	first, again average
	pending      bool // again is not all known yet
}

func (t *lossTest) sumUp() together {
	s := together{shortest: math.MaxInt, first: t.firstRTA()}
	for _, h := range t.pool {
		if h.stage != atLossLook {
			continue
		}
		m := h.measured()
		n, rest := h.size(t.stopped)
		s.hosts++
		s.shortest = min(s.shortest, m.sent())
		s.lost, s.sent, s.rest = s.lost+m.lost, s.sent+n, s.rest+rest
	}
	for _, h := range t.pool {
		if h.stage == atLossLook {
			s.unanswered += h.unansweredOf(s.shortest)
		}
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
	return isSure(p.Loss, s.lost, s.sent, s.rest) || s.isSlow(p)
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
	for _, h := range t.hosts {
		if h.stage == atSilenceLook || h.stage != atFirstLook && h.first.known < h.first.sent() {
			return true
		}
	}
	return false
}

func (t *lossTest) raise(state nagios.State, p nagios.Pair, s *together) {
	late := 0
	for _, h := range t.pool {
		for _, m := range []*tally{&h.first, &h.loss} {
			late += m.answered - m.inTime
		}
	}
	t.alarm = &Alarm{
		State: state, Lost: s.lost, Known: s.sent - s.rest, Late: late, First: s.first.mean(), Again: s.again.mean(),
		ByLoss: isSure(p.Loss, s.lost, s.sent, s.rest), ByRTA: s.isSlow(p),
	}
}

// letCleanGo ends the looks at hosts that were only measured for the sake of the
// tunnel.
func (t *lossTest) letCleanGo() {
	for _, h := range t.hosts {
		if unanswered, sent := h.soFar(t.stopped); h.stage == atLossLook && h.first.inTime == h.first.sent() && t.plan.Limits.clear(percent(unanswered, sent)) {
			h.stage = letGo
		}
	}
}

// judgeEach judges each host whose loss is measured.
func (t *lossTest) judgeEach() {
	suspects := false
	for _, h := range t.hosts {
		if h.stage != atLossLook {
			continue
		}
		if unanswered, sent := h.soFar(t.stopped); sent > 0 && t.plan.Limits.clear(percent(unanswered+margin(1), sent)) {
			h.stage = letGo
		}
		suspects = suspects || h.stage == atLossLook && t.isBeyond(h)
	}
	if suspects {
		t.nameSuspects()
	}
	for _, h := range t.hosts {
		switch n, rest := h.size(t.stopped); {
		case h.stage != atLossLook || rest > 0:
		case n < minLost:
			h.stage = notMeasured
		default:
			h.stage = letGo
		}
	}
}

// isBeyond tells whether a host has lost more than a limit allows.
func (t *lossTest) isBeyond(h *lossHost) bool {
	n, rest := h.size(t.stopped)
	return h.look.Packets > 0 && t.plan.Limits.isSure(h.measured().lost, n, rest)
}

// nameSuspects names the hosts that have lost more than a limit allows and more
// than chance explains. Packets lost while nobody's passed are not held against
// them: then something broke that all share.
func (t *lossTest) nameSuspects() {
	others, othersLost := t.others()
	isLikely := func(h *lossHost, lost int) bool {
		_, sent := h.soFar(t.stopped)
		return chance(sent, lost, others, othersLost) > maxChance/float64(len(t.hosts))
	}
	for _, h := range t.hosts {
		if h.stage != atLossLook || !t.isBeyond(h) || isLikely(h, h.measured().lost) {
			continue
		}
		lost := t.lostAlone(h)
		if n, rest := h.size(t.stopped); t.plan.Limits.isSure(lost, n, rest) && !isLikely(h, lost) {
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

// lostAlone is how many packets to a host were lost while one to another passed:
// one sent within a quarter of the gap before or after.
func (t *lossTest) lostAlone(h *lossHost) (n int) {
	if len(t.passages) == 0 {
		t.findPassages()
	}
	h.firstPackets(h.look.Packets, func(p *packet) {
		count(&n, t.ev.lost(p, t.now) && isAccompanied(t.passages, h, p.sent, t.gap/4))
	})
	return n
}

// findPassages lists all packets that were answered in time since the loss was
// measured.
func (t *lossTest) findPassages() {
	for _, h := range t.hosts {
		for i := range h.asked.packets {
			p := &h.asked.packets[i]
			if p.inTime() && p.sent >= t.openedAt-t.gap && p.look != Sizes && p.look != Path {
				t.passages = append(t.passages, passage{p.sent, h})
			}
		}
	}
	sortPassages(t.passages)
}

// figures are those of all hosts that are not silent; if all are, of all.
func (t *lossTest) figures() Figures {
	allSilent := !slices.ContainsFunc(t.hosts, func(h *lossHost) bool { return h.stage != foundSilent })
	var known, lost int
	var trips average
	for _, h := range t.hosts {
		if h.stage != foundSilent || allSilent {
			known, lost = known+h.first.known, lost+h.first.lost
			trips = trips.plus(h.exact.sum)
		}
	}
	return newFigures(known, lost, trips)
}

func newFigures(known, lost int, trips average) (f Figures) {
	if f.Measured = known > 0; f.Measured {
		f.Loss = percent(lost, known)
	}
	f.RTA = time.Duration(trips.mean() * float64(time.Millisecond))
	return f
}

// firstKnown tells whether it is known of each packet of the first looks what
// became of it.
func (t *lossTest) firstKnown() bool {
	return !slices.ContainsFunc(t.hosts, func(h *lossHost) bool {
		return h.stage == atFirstLook || h.first.done < t.plan.Packets || h.first.known < h.first.sent()
	})
}

// named says how many packets a host lost, if it lost more than chance explains.
func (t *lossTest) named(i int) (words string, yes bool) {
	if t.stageOf(i) != foundLossy {
		return "", false
	}
	lost, known := t.lossOf(i)
	if t.places[i].answeredLate() {
		return fmt.Sprintf("%d of %d packets were answered too late, or never", lost, known), true
	}
	return fmt.Sprintf("lost %d of %d packets", lost, known), true
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
