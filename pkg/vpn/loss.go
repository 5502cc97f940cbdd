package vpn

import (
	"slices"
	"time"

	"checkvpn/pkg/nagios"
)

const (
	maxPool     = 50  // hosts by which the loss of all together is measured
	maxDoubtful = 200 // hosts measured because they lost packets of their first look
	minGap      = 20 * time.Millisecond
	// settledPackets is how many packets of the loss look tell whether a round
	// trip is slow: of few, the first could still stand for all.
	settledPackets = 11
)

// lossTest is the test of packet loss and round-trip time over all far icmp
// targets. Five packets ask whether there is any doubt; a host that answered none
// is asked whether it is silent; others that lost one are measured afresh, and
// if the loss of all together is not clearly below a limit, so are all.
//
// Its course is state: who is open, let go or named, and whether the loss is
// measured of all together. The figures come from the evidence each time.
type lossTest struct {
	plan   *Plan
	ev     *evidence
	now    time.Duration
	places []*lossHost // by the place in Plan.Targets
	hosts  []*lossHost // those of this step

	gathered bool // all packets of the first looks of those known at the beginning have left
	wide     bool // the loss of all together is measured
	growing  bool // nobody had answered then: the pool are those who do
	pool     []*lossHost
	lateAt   time.Duration // when a late packet leaves to one silent host a group
	asked    bool          // the silent ones were asked once more
	gap      time.Duration // the smallest between the packets of a loss look
	opened   int           // loss looks so far
	openedAt time.Duration // when the first began

	controls  []control
	turn      int           // of the controls
	controlAt time.Duration // when the last was wanted

	passages []passage // of this step, if it needed them

	// stopped is set before the last step when nothing more will come: it judges
	// by what is known.
	stopped bool

	// What the last step has come to:

	looks    []Look        // that shall run now
	wake     time.Duration // when time alone may change something; 0 is never
	over     bool          // nothing more is to be learnt
	doubt    bool          // the first looks are over, and not all is well
	alarm    *Alarm        // the loss or the round-trip time of all together breaks a limit
	withheld bool          // a round-trip time may break a limit, but this program did not run all the time
}

// Alarm is by which figures the loss test says that the tunnel is degraded.
type Alarm struct {
	State        nagios.State
	Lost, Known  int           // packets that were lost, of those of which it is known
	Late         int           // answers that came too late to count
	ByLoss       bool          // the loss breaks the limit
	ByRTA        bool          // the round-trip average breaks the limit
	First, Again time.Duration // the round-trip averages of the first look and of the loss look; 0 if not measured
}

type control struct {
	host *lossHost
	look Look
}

func newLossTest(p *Plan, ev *evidence) *lossTest {
	return &lossTest{plan: p, ev: ev, places: make([]*lossHost, len(p.Targets)), gap: p.lossGap(), controlAt: -time.Hour}
}

// step looks at the evidence at a time. far are the far icmp targets that have
// an address. It is called when events were added, and when wake has come.
func (t *lossTest) step(far []*asked, now time.Duration) {
	t.now, t.wake = now, 0
	t.looks = t.looks[:0]
	t.passages = t.passages[:0]
	t.gather(far)
	if t.alarm != nil {
		return
	}
	t.endFirstLooks()
	if t.doubt {
		t.silences()
		t.relax()
		if t.wide {
			t.judgeTogether()
		}
		if !t.wide && t.alarm == nil {
			t.judgeEach()
		}
	}
	t.withheld = t.isWithheld()
	if t.over = t.stopped || t.isOver(); !t.over {
		t.want()
	}
}

// gather finds the hosts that anything could be sent to, and brings their tallies
// up to date. A host whose address is another now begins anew.
func (t *lossTest) gather(far []*asked) {
	t.hosts = t.hosts[:0]
	for _, a := range far {
		h := t.places[a.index]
		if h == nil || h.asked != a {
			if h != nil {
				h.stage = letGo // in the pool
			}
			h = &lossHost{asked: a, late: t.gathered}
			t.places[a.index] = h
		}
		t.ev.tally(h.asked, t.now)
		if leftOut := h.own != nil && h.first.sent() == 0 && !h.heard(); !leftOut {
			t.hosts = append(t.hosts, h)
		}
	}
}

// isOver tells whether nothing more is to be learnt.
func (t *lossTest) isOver() bool {
	switch {
	case t.alarm != nil:
		return true
	case t.wide:
		return false
	}
	return !slices.ContainsFunc(t.hosts, func(h *lossHost) bool {
		return h.stage == atFirstLook || h.stage == atSilenceLook || h.stage == atLossLook || !h.isFirstKnown()
	})
}

// want lists the looks that shall run now, the most important first, and finds
// when time alone may change something.
func (t *lossTest) want() {
	if !t.doubt {
		return
	}
	t.wantSilence()
	for _, h := range t.hosts {
		t.wake = earliest(t.wake, h.due)
		if h.stage == atLossLook && h.look.Kind == LossLook {
			t.looks = append(t.looks, h.look)
		}
	}
	t.wantControls()
}

func (t *lossTest) wantSilence() {
	late := t.lateAt > 0 && t.now >= t.lateAt
	var groups []string
	for _, h := range t.hosts {
		if h.stage != atSilenceLook && h.stage != foundSilent {
			continue
		}
		if group := t.plan.Targets[h.index].Group; late && !slices.Contains(groups, group) {
			groups = append(groups, group)
			h.quick.lateAt = t.lateAt
		}
		looks, wake := h.quick.wants(t.ev, t.now)
		t.looks = append(t.looks, looks...)
		t.wake = earliest(t.wake, wake)
	}
	if late {
		t.lateAt = 0
	}
	t.wake = earliest(t.wake, t.lateAt)
}

// wantControls asks another host at about each moment at which one is measured:
// did its packet pass then? While the loss is measured of all together, they do
// that for each other.
func (t *lossTest) wantControls() {
	t.controls = slices.DeleteFunc(t.controls, func(c control) bool {
		packets := c.host.packets
		return len(packets) > c.look.First && t.ev.known(&packets[c.look.First], t.now)
	})
	left := false
	for _, h := range t.hosts {
		left = left || h.stage == atLossLook && h.loss.done > h.counted
		h.counted = h.loss.done
	}
	if left && !t.wide && t.now-t.controlAt >= t.gap/4 {
		t.nextControl()
	}
	for _, c := range t.controls {
		t.looks = append(t.looks, c.look)
	}
}

func (t *lossTest) nextControl() {
	for i := range t.hosts {
		place := (t.turn + i) % len(t.hosts)
		h := t.hosts[place]
		if h.stage != letGo || !h.isClean() {
			continue
		}
		t.turn, t.controlAt = place+1, t.now
		t.controls = append(t.controls, control{h, h.asked.look(Control, 1, 0)})
		return
	}
}

// stageOf is how far the test is with a far icmp target, by its place in
// Plan.Targets.
func (t *lossTest) stageOf(i int) stage {
	if h := t.places[i]; h != nil {
		return h.stage
	}
	return atFirstLook
}

// isSilent tells whether a far icmp target is silent.
func (t *lossTest) isSilent(i int) bool { return t.stageOf(i) == foundSilent }
