package vpn

import (
	"time"

	"checkvpn/pkg/nagios"
)

// tally is what became of the packets of one look at one address.
type tally struct {
	done     int // left, or failed to leave
	void     int // of these, failed by our own fault: they count for nothing
	known    int // answered, however late, or lost
	answered int // however late
	inTime   int
	lost     int
	old      int // so old that no answer could count any more
	oldLost  int
	last     time.Duration // when the last left
}

// sent is how many packets count.
func (t *tally) sent() int { return t.done - t.void }

// unanswered is how many packets have no answer that counts, yet or at all.
func (t *tally) unanswered() int { return t.sent() - t.inTime }

// tallies are kept for each address, and made again only if they may have changed.
type tallies struct {
	first, loss, control tally
	trips                roundTrips // of the first look

	changes, pauses int           // of the evidence, when they were made
	due             time.Duration // when time alone changes them; 0 is never
}

// tally brings the tallies of an address up to date.
func (e *evidence) tally(a *asked, now time.Duration) {
	if old := &a.tallies; old.changes == a.changed && old.pauses == len(e.pauses) && (old.due == 0 || now < old.due) {
		return
	}
	a.tallies = tallies{changes: a.changed, pauses: len(e.pauses)}
	for i := range a.packets {
		p := &a.packets[i]
		if p.state == planned {
			continue
		}
		switch p.look {
		case FirstLook:
			e.tallyOne(a, &a.first, p, now)
			if p.state == answered {
				a.trips.add(p.took, p.paused)
			}
		case LossLook:
			e.tallyOne(a, &a.loss, p, now)
		case Control:
			e.tallyOne(a, &a.control, p, now)
		}
	}
}

func (e *evidence) tallyOne(a *asked, t *tally, p *packet, now time.Duration) {
	t.done++
	t.last = max(t.last, p.sent)
	if p.state == void {
		t.void++
		return
	}
	left := time.Duration(0) // for which an answer still counts
	if p.state != failed {
		left = e.wait - e.age(p.sent, now)
	}
	lost, old := e.lost(p, now), left <= 0
	count(&t.lost, lost)
	count(&t.known, lost || p.state == answered)
	count(&t.answered, p.state == answered)
	count(&t.inTime, p.inTime())
	count(&t.old, old)
	count(&t.oldLost, old && lost)
	if !old {
		a.due = earliest(a.due, now+left)
	}
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}

// average is a mean of round-trip times in milliseconds. While this program did
// not run, nobody noted when an answer came: then it lies between two values.
type average struct {
	low, high float64 // sums
	n         int
}

func (a average) plus(b average) average { return average{a.low + b.low, a.high + b.high, a.n + b.n} }

// mean is the lower of the values that the mean may have; 0 of nothing.
func (a average) mean() time.Duration {
	return time.Duration(a.low / float64(max(a.n, 1)) * float64(time.Millisecond))
}

// breaks tells whether the mean breaks a limit, wherever it lies.
func (a average) breaks(l nagios.Limit) bool {
	return a.n > 0 && l.Alert(a.low/float64(a.n)) && l.Alert(a.high/float64(a.n))
}

// mayBreak tells whether the mean breaks a limit at either end.
func (a average) mayBreak(l nagios.Limit) bool {
	return a.n > 0 && (l.Alert(a.low/float64(a.n)) || l.Alert(a.high/float64(a.n)))
}

// roundTrips adds up the round-trip times of some packets of one host.
type roundTrips struct {
	sum, slowest average
	exact        average // of those during which this program ran
}

func (r *roundTrips) add(took, paused time.Duration) {
	one := average{milliseconds(took - paused), milliseconds(took), 1}
	r.sum = r.sum.plus(one)
	if paused == 0 {
		r.exact = r.exact.plus(one)
	}
	if one.high > r.slowest.high {
		r.slowest = one
	}
}

// usual is without the slowest if there are two: that one may have had to wait
// for an address or a key.
func (r *roundTrips) usual() average {
	if r.sum.n < 2 {
		return r.sum
	}
	return average{r.sum.low - r.slowest.low, r.sum.high - r.slowest.high, r.sum.n - 1}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
