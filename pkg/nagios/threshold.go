package nagios

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Limit is one part of a threshold. A plain number of 0 or more alerts at or
// above itself, as check_icmp and check_ping do; text with : @ or a tilde is
// a Range. The zero Limit is not set and never alerts.
type Limit struct {
	plain  bool
	number float64 // when plain
	band   Range   // when not plain
}

// Alert says whether value breaks the limit. A value that is not a number
// breaks every limit that is set.
func (l Limit) Alert(value float64) bool {
	if l.plain {
		return math.IsNaN(value) || value >= l.number
	}
	return l.band.Alert(value)
}

// AlertsWithin says whether any value between two, these included, breaks the
// limit.
func (l Limit) AlertsWithin(low, high float64) bool {
	switch {
	case l.Alert(low) || l.Alert(high):
		return true
	case l.band.set && l.band.bounds.AlertOnInside:
		return low <= l.band.bounds.Start && l.band.bounds.End <= high
	}
	return false // what is right lies in one piece
}

// Number returns the plain number of the limit, and false for a range and
// for a limit that is not set: only plain numbers may stand in perfdata.
func (l Limit) Number() (float64, bool) { return l.number, l.plain }

// Top returns the largest value that need be told from all larger ones: the
// plain number of the limit, or the end of a range. It is false if there is none.
func (l Limit) Top() (float64, bool) {
	if l.plain {
		return l.number, true
	}
	return l.band.bounds.End, l.band.set && !math.IsInf(l.band.bounds.End, 1)
}

// String returns the limit as it is read; "" when it is not set.
func (l Limit) String() string {
	if l.plain {
		return formatDecimal(l.number)
	}
	return l.band.String()
}

func parseLimit(text string) (Limit, error) {
	if strings.ContainsAny(text, ":@~") {
		band, err := ParseRange(text)
		return Limit{band: band}, err
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || !isUnsigned(text) {
		return Limit{}, errors.New("not a plain number of 0 or more, for example 20")
	}
	return Limit{plain: true, number: number}, nil
}

// Pair is the threshold of a ping check, written RTA,PL% as check_ping and
// check_icmp have it.
type Pair struct {
	RTA  Limit // round-trip average, milliseconds
	Loss Limit // packet loss, percent, 0 to 100
}

// ParsePair reads a Pair such as "100,20%". Both parts and the % are needed.
// A plain packet loss above 100 is an error: it could never alert. Errors do
// not repeat the text, so they are safe to print.
func ParsePair(text string) (Pair, error) {
	rta, loss, found := strings.Cut(text, ",")
	if !found {
		return Pair{}, errors.New("needs a round-trip time and a packet loss, for example 100,20%")
	}
	loss, found = strings.CutSuffix(loss, "%")
	if !found {
		return Pair{}, errors.New("the packet loss must end in %, for example 100,20%")
	}
	var pair Pair
	var err error
	if pair.RTA, err = parseLimit(rta); err != nil {
		return Pair{}, fmt.Errorf("round-trip time: %w", err)
	}
	if pair.Loss, err = parseLimit(loss); err != nil {
		return Pair{}, fmt.Errorf("packet loss: %w", err)
	}
	if percent, plain := pair.Loss.Number(); plain && percent > 100 {
		return Pair{}, errors.New("packet loss: above 100% it would never alert, for example 20%")
	}
	return pair, nil
}

// String returns the pair in a form that ParsePair reads back to the same
// Pair; "" when neither part is set.
func (p Pair) String() string {
	if p == (Pair{}) {
		return ""
	}
	return p.RTA.String() + "," + p.Loss.String() + "%"
}
