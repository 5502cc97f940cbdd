package vpn

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

// lossHost is what the loss test knows of one host, by the address that it is
// judged by.
type lossHost struct {
	*asked
	late    bool // its address was found when the others' first looks had left
	stage   stage
	quick   *silenceLook
	look    Look // by which its loss is measured: if no loss look is allowed, the first look
	counted int  // packets of that look that had left at the last step
}

// measured is what became of the packets that its loss is measured by.
func (h *lossHost) measured() *tally {
	if h.look.Kind == FirstLook {
		return &h.first
	}
	return &h.loss
}

// measure is how far the measurement of a host's loss is.
type measure struct {
	lost             int
	sent, unanswered int // packets that have left, and those of them without an answer
	all, rest        int // packets in the end, and those of them not known yet
}

// measure gives that. If nothing more will come, it is of the packets whose time
// is over.
func (h *lossHost) measure(stopped bool) measure {
	m := h.measured()
	if stopped {
		return measure{lost: m.lost, sent: m.old, unanswered: m.oldLost, all: m.old}
	}
	all := h.look.Packets - m.void
	return measure{lost: m.lost, sent: m.sent(), unanswered: m.unanswered(), all: all, rest: all - m.known}
}

// unansweredOf is how many of the first n packets that count have no answer.
func (h *lossHost) unansweredOf(n int) (unanswered int) {
	for i := range h.packets {
		if p := &h.packets[i]; n > 0 && p.look == h.look.Kind && p.state > void {
			n--
			count(&unanswered, !p.inTime())
		}
	}
	return unanswered
}

// measuredPackets are at most the first n packets that its loss is measured by.
func (h *lossHost) measuredPackets(n int) []packet {
	return h.from(h.look.First, min(n, h.look.Packets))
}

// isClean tells whether each packet of the first look that counts was answered
// in time.
func (h *lossHost) isClean() bool { return h.first.inTime == h.first.sent() }

// isFirstKnown tells whether it is known what became of each packet of the first
// look that has left.
func (h *lossHost) isFirstKnown() bool { return h.first.known == h.first.sent() }
