package vpn

import "time"

// lossTarget is a far icmp target, by the address that it is judged by.
type lossTarget struct {
	index int // its place in Plan.Targets
	asked *asked
}

// stage is how far the loss test is with a host.
type stage uint8

const (
	atFirstLook   stage = iota
	letGo               // it answers, and nothing more is asked of it
	atSilenceLook       // it answered nothing of its first look
	foundSilent         // nor of its silence look
	atLossLook          // its loss is measured
	foundLossy          // it loses more than a limit allows and than chance explains
	notMeasured         // it answers, but lost packets, and no time is left to measure that
)

// lossHost is what the loss test knows of one host: its stage, and figures from
// the evidence.
type lossHost struct {
	lossTarget
	late    bool // its address was found when the others' first looks had left
	stage   stage
	quick   *silenceLook
	look    Look // by which its loss is measured
	counted int  // packets of that look that had left at the last step

	first, loss, control tally
	trips                roundTrips // of the first look
	exact                roundTrips // of these, those during which this program ran

	changes, pauses int           // of the evidence, when the figures were made
	due             time.Duration // when time alone changes them; 0 is never
}

// refresh makes the figures again if they may have changed.
func (h *lossHost) refresh(ev *evidence, now time.Duration) {
	if h.changes == h.asked.changes && h.pauses == len(ev.pauses) && (h.due == 0 || now < h.due) {
		return
	}
	h.changes, h.pauses, h.due = h.asked.changes, len(ev.pauses), 0
	h.first, h.loss, h.control, h.trips, h.exact = tally{}, tally{}, tally{}, roundTrips{}, roundTrips{}
	for i := range h.asked.packets {
		p := &h.asked.packets[i]
		t := h.tallyOf(p.look)
		if t == nil || p.state == planned {
			continue
		}
		if left := t.add(ev, p, now); left > 0 {
			h.due = earliest(h.due, now+left)
		}
		if p.look == FirstLook && p.state == answered {
			h.trips.add(p.took, p.paused)
			if p.paused == 0 {
				h.exact.add(p.took, 0)
			}
		}
	}
}

func (h *lossHost) tallyOf(kind LookKind) *tally {
	switch kind {
	case FirstLook:
		return &h.first
	case LossLook:
		return &h.loss
	case Control:
		return &h.control
	}
	return nil
}

// isLeftOut tells whether nothing could be sent to the host by our own fault.
func (h *lossHost) isLeftOut() bool {
	return h.asked.own != nil && h.first.sent() == 0 && !h.asked.heard
}

// measured is what became of the packets that its loss is measured by: if no
// loss look is allowed, those of the first look.
func (h *lossHost) measured() *tally {
	if h.look.Kind == FirstLook {
		return &h.first
	}
	return &h.loss
}

// size is how many packets its loss is measured by, and how many of them are
// not known yet. If nothing more will come, it is those whose time is over.
func (h *lossHost) size(stopped bool) (n, rest int) {
	m := h.measured()
	if stopped {
		return m.old, 0
	}
	n = h.look.Packets - m.void
	return n, n - m.known
}

// soFar is how many of the packets that have left have no answer. If nothing more
// will come, it is of those whose time is over.
func (h *lossHost) soFar(stopped bool) (unanswered, sent int) {
	m := h.measured()
	if stopped {
		return m.oldLost, m.old
	}
	return m.unanswered(), m.sent()
}

// unansweredOf is how many of the first n packets that count have no answer: all
// without those that left later, which are fewer.
func (h *lossHost) unansweredOf(n int) (unanswered int) {
	m := h.measured()
	unanswered = m.unanswered()
	later := m.sent() - n
	for i := len(h.asked.packets) - 1; later > 0 && i >= 0; i-- {
		if p := &h.asked.packets[i]; p.look == h.look.Kind && p.state > void {
			later--
			if !p.inTime() {
				unanswered--
			}
		}
	}
	return unanswered
}

// answeredLate tells whether any of the packets that its loss is measured by was
// answered too late to count.
func (h *lossHost) answeredLate() (any bool) {
	h.firstPackets(h.look.Packets, func(p *packet) {
		any = any || p.state == answered && p.late
	})
	return any
}

// firstPackets calls f with the first n packets that its loss is measured by.
func (h *lossHost) firstPackets(n int, f func(p *packet)) {
	from := min(h.look.First, len(h.asked.packets))
	to := min(h.look.First+min(n, h.look.Packets), len(h.asked.packets))
	for i := from; i < to; i++ {
		f(&h.asked.packets[i])
	}
}

// isFirstLookOver tells whether more may be asked of the host: all packets have
// left, and have been answered or waited for. Else wake is when time alone makes
// it so.
func (h *lossHost) isFirstLookOver(ev *evidence, packets int, now time.Duration) (over bool, wake time.Duration) {
	f := &h.first
	switch {
	case f.done < packets:
		return false, 0
	case f.answered+f.lost >= f.sent():
		return true, 0
	}
	if left := recheckDelay - ev.age(f.last, now); left > 0 {
		return false, now + left
	}
	return true, 0
}

// answersInFull tells whether each packet of the first look was answered.
func (h *lossHost) answersInFull() bool { return h.first.answered == h.first.sent() }

// isControl tells whether the host can show that packets pass: it answers, lost
// none and is asked nothing else.
func (h *lossHost) isControl() bool { return h.stage == letGo && h.first.inTime == h.first.sent() }
