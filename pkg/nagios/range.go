package nagios

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/olorin/nagiosplugin"
)

// Range is a threshold range of the guidelines ("Threshold and Ranges"):
// [@][start:][end]. It alerts outside start to end, ends included, or inside
// with a leading @. Without a start it begins at 0, without an end it is
// open; a tilde as start is minus infinity. The zero Range is not set and
// never alerts.
type Range struct {
	bounds nagiosplugin.Range
	set    bool
}

// ParseRange reads a Range. Numbers are plain decimals; a start above the
// end, and a range with neither (empty, ":" or "@"), are errors.
func ParseRange(text string) (Range, error) {
	bare, inside := strings.CutPrefix(text, "@")
	start, end, found := strings.Cut(bare, ":")
	if !found {
		start, end = "", bare
	}
	switch {
	case start != "" && start != "~" && !isDecimal(start), end != "" && !isDecimal(end):
		return Range{}, errors.New("not a range of plain numbers, for example 10:20")
	case start == "" && end == "":
		return Range{}, errors.New("a range needs a start or an end, for example 10:20")
	case start == "":
		start = "0" // the library rejects ":10"
	}
	full := start + ":" + end
	if inside {
		full = "@" + full
	}
	bounds, err := nagiosplugin.ParseRange(full)
	if err != nil {
		// Its message repeats the input, which may not be fit to print.
		return Range{}, errors.New("the start of a range must not be above its end, nor a number be too large, for example 10:20")
	}
	return Range{bounds: *bounds, set: true}, nil
}

// Alert says whether value breaks the range. A value that is not a number
// always does: it must never look healthy. A Range that is not set never
// alerts.
func (r Range) Alert(value float64) bool {
	return r.set && (math.IsNaN(value) || r.bounds.Check(value))
}

// String returns the range in a form that ParseRange reads back to the same
// Range; "" when it is not set. The start is always written, so that the
// text also reads back as a range where a plain number is a Limit.
func (r Range) String() string {
	if !r.set {
		return ""
	}
	text := ""
	if r.bounds.AlertOnInside {
		text = "@"
	}
	if math.IsInf(r.bounds.Start, -1) {
		text += "~:"
	} else {
		text += formatDecimal(r.bounds.Start) + ":"
	}
	if !math.IsInf(r.bounds.End, 1) {
		text += formatDecimal(r.bounds.End)
	}
	return text
}

// isDecimal tells whether text is a plain decimal number, and isUnsigned whether
// it is one without a sign. What else strconv would read (inf, nan, hexadecimal,
// exponents, underscores) is taken for a typo.
func isDecimal(text string) bool { return isUnsigned(strings.TrimPrefix(text, "-")) }

func isUnsigned(text string) bool {
	whole, fraction, dotted := strings.Cut(text, ".")
	if !dotted {
		return isDigits(whole)
	}
	return isDigits(fraction) && (whole == "" || isDigits(whole))
}

func isDigits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// formatDecimal prints the shortest decimal that reads back to the same
// number, never with an exponent: Icinga and Nagios read plain digits alike.
func formatDecimal(number float64) string {
	if number == 0 {
		return "0" // minus zero too
	}
	return strconv.FormatFloat(number, 'f', -1, 64)
}
