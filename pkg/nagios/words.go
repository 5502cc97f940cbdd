package nagios

import "math"

// Words says when the pair alerts, as "the round-trip average is 100 ms or
// more, or the packet loss is 20% or more".
func (p Pair) Words() string {
	return "the round-trip average is " + p.RTA.words(" ms") + ", or the packet loss is " + p.Loss.words("%")
}

// words says which values alert. No figure is below 0, so that a range from 0
// is one that only ends.
func (l Limit) words(unit string) string {
	with := func(number float64) string { return formatDecimal(number) + unit }
	start, end := l.band.bounds.Start, l.band.bounds.End
	opens, ends := start > 0, !math.IsInf(end, 1)
	switch {
	case l.plain:
		return with(l.number) + " or more"
	case !l.band.set:
		return "not limited"
	case l.band.bounds.AlertOnInside && opens && ends:
		return "from " + with(start) + " to " + with(end)
	case l.band.bounds.AlertOnInside && ends:
		return with(end) + " or less"
	case l.band.bounds.AlertOnInside:
		return with(max(start, 0)) + " or more"
	case opens && ends:
		return "below " + with(start) + " or above " + with(end)
	case ends:
		return "above " + with(end)
	case opens:
		return "below " + with(start)
	}
	return "not limited"
}
