package vpn

import (
	"math"

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
