package nagios

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/olorin/nagiosplugin"
)

// maxPerfdata bounds the performance data of a report, in bytes, so that
// there is room for text within maxOutput.
const maxPerfdata = 48 << 10

// Datum is one figure of the performance data (guidelines, "Performance
// data"). Its minimum is always 0. A figure is measured or absent: a Value
// that is NaN or infinite, or a Unit not listed here, leaves the datum out.
type Datum struct {
	Label string  // cleaned and made unique as by Labels
	Value float64 // in Unit; printed rounded, see places
	Unit  string  // "ms", "s", "us", "%", "B", "c", or "" for a count
	Warn  Limit   // in Unit; printed only when it is a plain number
	Crit  Limit   // in Unit; printed only when it is a plain number
	Max   float64 // in Unit; 0 means that there is none
}

// places is the number of decimals to print for each unit, -1 for as many as
// the value has. A unit that is missing here is not a unit: Icinga 2 reads
// "b" and "B" differently, and drops what it does not know.
var places = map[string]int{"ms": 3, "s": 6, "%": 2, "us": -1, "B": -1, "c": -1, "": -1}

// renderPerfdata gives the leading items of two lists that fit into maxPerfdata
// together. An item is there whole or not at all. Labels are unique over both,
// and do not depend on which items are absent. The library writes the items; its
// Check would put them together in a time that grows with the square of their
// number.
func renderPerfdata(first, more []Datum) (line, last string) {
	data := slices.Concat(first, more)
	names := make([]string, len(data))
	for i, datum := range data {
		names[i] = datum.Label
	}
	var items [2][]string
	room := maxPerfdata
	for i, label := range uniqueLabels(names, maxLabel) {
		item, ok := data[i].render(label)
		if room -= len(item) + 1; ok && room < 0 {
			break
		}
		if ok {
			part := 0
			if i >= len(first) {
				part = 1
			}
			items[part] = append(items[part], item)
		}
	}
	return strings.Join(items[0], " "), strings.Join(items[1], " ")
}

// render is one item; false if there is no figure.
func (d Datum) render(label string) (string, bool) {
	if !d.measured() {
		return "", false
	}
	item, err := nagiosplugin.NewPerfDatum(label, d.Unit, d.rounded(), d.thresholds()...)
	if err != nil {
		return "", false
	}
	return item.String(), true
}

func (d Datum) measured() bool {
	_, known := places[d.Unit]
	return known && !math.IsNaN(d.Value) && !math.IsInf(d.Value, 0)
}

// thresholds returns min, max, warn and crit as the library wants them, NaN
// for none. The slice is a new one each time: the library keeps pointers
// into it.
func (d Datum) thresholds() []float64 {
	limits := []float64{0, d.Max, math.NaN(), math.NaN()}
	if d.Max == 0 {
		limits[1] = math.NaN()
	}
	for i, limit := range []Limit{d.Warn, d.Crit} {
		if number, plain := limit.Number(); plain {
			limits[2+i] = number
		}
	}
	return limits
}

// rounded returns the value with the decimals of its unit. Rounding never
// tells a different story: a little is not printed as nothing, and nearly
// all is not printed as all.
func (d Datum) rounded() float64 {
	// Decimal text rounds right where multiplying and dividing would not.
	text := strconv.FormatFloat(d.Value, 'f', places[d.Unit], 64)
	value, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return d.Value
	case d.Value == 0:
		return 0 // minus zero too
	case value == 0:
		return math.Copysign(math.Pow10(-places[d.Unit]), d.Value)
	case d.Unit == "%" && d.Value < 100 && value == 100:
		return 99.99
	}
	return value
}
