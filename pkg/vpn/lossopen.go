package vpn

import (
	"cmp"
	"slices"
	"time"
)

// endFirstLooks finds the hosts whose first look is over. Those known from the
// beginning end together: only so it is seen whether the loss is that of all. One
// whose name was found later does not hold them up.
func (t *lossTest) endFirstLooks() {
	together, sent := true, true
	for _, h := range t.hosts {
		if h.stage == atFirstLook && !h.late {
			together = t.isFirstLookOver(h) && together
			sent = sent && h.first.done >= t.plan.Packets
		}
	}
	t.gathered = t.gathered || sent && len(t.hosts) > 0
	var ended []*lossHost
	for _, h := range t.hosts {
		switch {
		case h.stage != atFirstLook:
		case h.late && t.isFirstLookOver(h), !h.late && together, t.stopped && h.first.sent() > 0:
			ended = append(ended, h)
		}
	}
	if ended != nil {
		t.sortOut(ended)
	}
}

// isFirstLookOver tells whether more may be asked of the host: all packets have
// left, and have been answered or waited for.
func (t *lossTest) isFirstLookOver(h *lossHost) bool {
	f := &h.first
	switch {
	case f.done < t.plan.Packets:
		return false
	case f.answered+f.lost >= f.sent():
		return true
	}
	left := recheckDelay - t.ev.age(f.last, t.now)
	if left > 0 {
		t.wake = earliest(t.wake, t.now+left)
	}
	return left <= 0
}

// sortOut decides what becomes of hosts whose first look is over.
func (t *lossTest) sortOut(ended []*lossHost) {
	var lossy []*lossHost
	full := true
	for _, h := range ended {
		h.stage = letGo
		if h.first.answered == h.first.sent() {
			continue
		}
		full = false
		if h.heard() {
			lossy = append(lossy, h)
			continue
		}
		h.stage = atSilenceLook
		h.quick = newSilenceLook(h.asked)
		t.lateAt = max(t.lateAt, h.first.last+lateDelay)
	}
	if full && !t.breaksRTA(t.firstRTA()) {
		return
	}
	t.doubt = true
	if t.pool == nil {
		t.widen()
	}
	t.open(t.mostLossy(lossy))
}

// widen decides whether the loss of all together is measured, and by whom.
func (t *lossTest) widen() {
	var heard []*lossHost
	lost, sent := 0, 0
	var ages average
	for _, h := range t.hosts {
		if h.stage == letGo || h.stage == atLossLook {
			heard = append(heard, h)
			lost, sent = lost+h.first.unanswered(), sent+h.first.sent()
			ages = ages.plus(t.withAges(h))
		}
	}
	r := &t.plan.Limits
	near := (lost > 0 || t.plan.Packets < 3) && !r.clear(percent(lost+margin(len(heard)), sent))
	if t.wide = len(heard) == 0 || near || t.plan.Limits.anyRTA(ages.mayBreak); !t.wide {
		return
	}
	t.growing = len(heard) == 0
	n := min(len(heard), t.most(maxPool))
	for i := range n {
		t.pool = append(t.pool, heard[i*len(heard)/n])
	}
	t.open(t.pool)
}

// withAges are the round-trip times of a first look, if what is not answered yet
// were answered now.
func (t *lossTest) withAges(h *lossHost) average {
	r := h.trips
	for i := range h.packets {
		if p := &h.packets[i]; p.look == FirstLook && p.state == underWay {
			r.add(t.now-p.sent, t.ev.pausedIn(p.sent, t.now))
		}
	}
	return r.usual()
}

// mostLossy are the hosts that lost most. Which of those that lost the same is
// decided by lot, not always for the first.
func (t *lossTest) mostLossy(lossy []*lossHost) []*lossHost {
	most := t.most(maxDoubtful)
	if len(lossy) <= most {
		return lossy
	}
	lot := func(h *lossHost) uint64 { return (uint64(h.first.last) + uint64(h.index)) * 0x9e3779b97f4a7c15 }
	slices.SortFunc(lossy, func(a, b *lossHost) int {
		return cmp.Or(cmp.Compare(b.first.unanswered(), a.first.unanswered()), cmp.Compare(lot(a), lot(b)))
	})
	return lossy[:most]
}

// most is how many hosts can be measured at once: each takes a file descriptor.
func (t *lossTest) most(hosts int) int { return min(hosts, max(t.plan.Descriptors, 1)) }

// open begins to measure the loss of hosts, by as many packets as there is time
// for.
func (t *lossTest) open(hosts []*lossHost) {
	n, gap := t.timeFor(t.plan.MaxPackets - t.plan.Packets)
	for _, h := range hosts {
		switch {
		case h.stage == atLossLook:
			continue
		case t.plan.MaxPackets <= t.plan.Packets, // no more packets are allowed, or there is no time for them
			n < minLost && !t.stopped && t.firstLookTells(h):
			h.look = Look{Kind: FirstLook, Packets: t.plan.Packets}
		case n < minLost || t.opened >= t.most(maxPool+maxDoubtful) || t.stopped:
			h.stage = notMeasured
			continue
		default:
			h.look = h.asked.look(LossLook, n, gap)
			t.gap = min(t.gap, gap)
			if t.opened == 0 {
				t.openedAt = t.now
			}
		}
		h.stage = atLossLook
		t.opened++
	}
}

// firstLookTells tells whether the first look at a host is bad enough to be judged
// by, if there is no time to measure afresh.
func (t *lossTest) firstLookTells(h *lossHost) bool {
	return h.first.unanswered() >= minLost || t.breaksRTA(t.firstRTA())
}

// timeFor is how many packets can leave, and how far apart, so that the last is
// waited for before the time is up.
func (t *lossTest) timeFor(packets int) (n int, gap time.Duration) {
	left := t.plan.End - t.ev.wait - t.now
	gap = t.plan.lossGap()
	if packets <= 0 || left < 0 {
		return 0, gap
	}
	if spaces := time.Duration(packets - 1); spaces*gap > left {
		gap = max(minGap, left/spaces)
	}
	return min(packets, int(left/gap)+1), gap
}

// silences follows the silence looks. An answer ends one, and undoes that a host
// counts as silent. If only the late packet was answered, an outage has ended, and
// the others are asked once more.
func (t *lossTest) silences() {
	ended := false
	for _, h := range t.hosts {
		if h.stage != atSilenceLook && h.stage != foundSilent {
			continue
		}
		switch {
		case h.heard():
			h.stage = letGo
			ended = ended || h.quick.late.Packets > 0
			t.answersAtLast(h)
		case h.quick.isSilent(t.ev, t.now), t.stopped && h.first.old >= t.plan.Packets:
			h.stage = foundSilent
		}
	}
	if !ended || t.asked {
		return
	}
	t.asked = true
	for _, h := range t.hosts {
		if h.stage == atSilenceLook || h.stage == foundSilent {
			h.stage, h.quick = atSilenceLook, newSilenceLook(h.asked)
		}
	}
}

// answersAtLast goes on with a host that answered nothing of its first look in
// time.
func (t *lossTest) answersAtLast(h *lossHost) {
	t.open([]*lossHost{h})
	if t.growing && t.wide && len(t.pool) < t.most(maxPool) {
		t.pool = append(t.pool, h)
	}
}

// relax ends the test if answers that took their time leave no doubt: all of the
// first look have come, and count.
func (t *lossTest) relax() {
	for _, h := range t.hosts {
		if h.stage == foundLossy || h.stage == atFirstLook || h.first.inTime < h.first.sent() {
			return
		}
	}
	if t.breaksRTA(t.firstRTA()) {
		return
	}
	t.wide = false
	for _, h := range t.hosts {
		h.stage = letGo
	}
}
