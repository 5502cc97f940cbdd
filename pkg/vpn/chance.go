package vpn

import (
	"cmp"
	"math"
	"slices"
	"time"

	"checkvpn/pkg/nagios"
)

// minLost is how many packets must be lost before an alarm: fewer are an
// accident that any way has.
const minLost = 5

// maxChance is the share of checks in which chance alone may name any host.
const maxChance = 0.001

// margin is how many packets more j hosts could lose together and would still
// be within a limit: then they are let go.
func margin(j int) int { return min(2*j, 8) }

// percent is a packet loss, 0-100; of nothing it is not a number, which breaks
// each limit that is set.
func percent(lost, sent int) float64 { return 100 * float64(lost) / float64(sent) }

// clear tells whether neither a loss nor any smaller one breaks a limit.
func (l *Limits) clear(loss float64) bool {
	return isLow(l.Warning.Loss, loss) && isLow(l.Critical.Loss, loss)
}

func isLow(l nagios.Limit, loss float64) bool { return !l.AlertsWithin(0, loss) }

// isSure tells whether lost packets of sent ones break a limit, and still would
// if the rest, which may still be answered, were lost too.
func isSure(l nagios.Limit, lost, sent, rest int) bool {
	return lost >= minLost && l.Alert(percent(lost, sent)) && l.Alert(percent(lost+rest, sent))
}

func (l *Limits) isSure(lost, sent, rest int) bool {
	return isSure(l.Warning.Loss, lost, sent, rest) || isSure(l.Critical.Loss, lost, sent, rest)
}

// chance is that of a host that sent packets of which lost were lost, beside
// others, to have lost as many or more if all lost packets had been dealt at
// random over all that were sent (the tail of the hypergeometric distribution).
func chance(sent, lost, others, othersLost int) float64 {
	all := lost + othersLost
	term := math.Exp(logChoose(sent, lost) + logChoose(others, othersLost) - logChoose(sent+others, all))
	sum := term
	for i := lost; i < min(sent, all); i++ {
		term *= float64(sent-i) / float64(i+1) * float64(all-i) / float64(others-all+i+1)
		sum += term
	}
	return sum
}

// logChoose is the logarithm of in how many ways k of n can be chosen.
func logChoose(n, k int) float64 { return logFactorial(n) - logFactorial(k) - logFactorial(n-k) }

func logFactorial(n int) float64 {
	log, _ := math.Lgamma(float64(n) + 1)
	return log
}

// tally is what became of the packets of one kind to one host.
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

// add counts one packet, and gives for how long its answer still counts.
func (t *tally) add(ev *evidence, p *packet, now time.Duration) (left time.Duration) {
	t.done++
	t.last = max(t.last, p.sent)
	if p.state == void {
		t.void++
		return 0
	}
	if p.state != failed {
		left = ev.wait - ev.age(p.sent, now)
	}
	lost, old := ev.lost(p, now), left <= 0
	count(&t.lost, lost)
	count(&t.known, lost || p.state == answered)
	count(&t.answered, p.state == answered)
	count(&t.inTime, p.inTime())
	count(&t.old, old)
	count(&t.oldLost, old && lost)
	return left
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

// add takes in the round-trip times of one host, without the slowest if there
// are two: that one may have had to wait for an address or a key.
func (a *average) add(r roundTrips) {
	if r.sum.n >= 2 {
		r.sum.low, r.sum.high, r.sum.n = r.sum.low-r.slowest.low, r.sum.high-r.slowest.high, r.sum.n-1
	}
	a.low, a.high, a.n = a.low+r.sum.low, a.high+r.sum.high, a.n+r.sum.n
}

func (a average) plus(b average) average { return average{a.low + b.low, a.high + b.high, a.n + b.n} }

// mean is the lower of the values that the mean may have; 0 of nothing.
func (a average) mean() float64 { return a.low / float64(max(a.n, 1)) }

// breaks tells whether the mean breaks a limit, wherever it lies.
func (a average) breaks(l nagios.Limit) bool {
	return a.n > 0 && l.Alert(a.low/float64(a.n)) && l.Alert(a.high/float64(a.n))
}

// mayBreak tells whether the mean breaks a limit at either end.
func (a average) mayBreak(l nagios.Limit) bool {
	return a.n > 0 && (l.Alert(a.low/float64(a.n)) || l.Alert(a.high/float64(a.n)))
}

// roundTrips adds up the round-trip times of some packets of one host.
type roundTrips struct{ sum, slowest average }

func (r *roundTrips) add(took, paused time.Duration) {
	low, high := milliseconds(took-paused), milliseconds(took)
	r.sum = average{r.sum.low + low, r.sum.high + high, r.sum.n + 1}
	if high > r.slowest.high {
		r.slowest = average{low, high, 1}
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// passage is a packet that was answered in time.
type passage struct {
	sent time.Duration
	host *lossHost
}

func sortPassages(list []passage) {
	slices.SortFunc(list, func(a, b passage) int { return cmp.Compare(a.sent, b.sent) })
}

// isAccompanied tells whether a packet of another host, sent within a time of
// this moment, was answered in time. The passages are sorted.
func isAccompanied(list []passage, h *lossHost, sent, within time.Duration) bool {
	i, _ := slices.BinarySearchFunc(list, sent-within, func(p passage, t time.Duration) int { return cmp.Compare(p.sent, t) })
	for ; i < len(list) && list[i].sent <= sent+within; i++ {
		if list[i].host != h {
			return true
		}
	}
	return false
}
