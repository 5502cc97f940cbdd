package nagios

import (
	"fmt"
	"strings"

	"github.com/olorin/nagiosplugin"
)

const (
	maxSummary = 150      // characters of line 1 before the perfdata: fits a pager
	maxDetail  = 512      // characters of each further line
	maxOutput  = 60 << 10 // bytes of a report; NRPE cuts at 64 KiB
	remark     = 80       // bytes kept free for the line about lines left out
)

// Report is what a check has to say. Text may come from anywhere: it is
// cleaned, and cut to fit, when it is printed.
type Report struct {
	State    State
	Summary  string   // must do alone on a pager; 150 characters with the state
	Details  []string // one line each, at most 512 characters
	Perfdata []Datum  // of line 1: few, so that a client that cuts at 1,023 bytes gets the details
	More     []Datum  // of the last line; all perfdata has at most 48 KiB, the leading ones are kept
}

// SummaryRoom is how many characters a summary may have beside a state, so that
// line 1 is not cut.
func SummaryRoom(s State) int { return maxSummary - len(s.String()+": ") }

// String returns the report as the guidelines want it ("Plugin Output"):
//
//	STATE: summary | perfdata
//	details
//	|more perfdata
//
// Behind the second pipe is no blank: Icinga 2 would make it part of the label.
// The report has one first line that is never without text, and ends in a
// newline. It is smaller than 60 KiB: details beyond that are left
// out, and the last line says how many.
func (r Report) String() string {
	first, more := renderPerfdata(r.Perfdata, r.More)
	var out strings.Builder
	out.WriteString(r.firstLine())
	if first != "" {
		out.WriteString(" | " + first)
	}
	out.WriteString("\n")
	for i, detail := range r.Details {
		line := Clean(detail, maxDetail) + "\n"
		if out.Len()+len(line) > maxOutput-remark-len(more) {
			fmt.Fprintf(&out, "%d more lines left out: the output is too long\n", len(r.Details)-i)
			break
		}
		out.WriteString(line)
	}
	if more != "" {
		out.WriteString("|" + more + "\n")
	}
	return out.String()
}

func (r Report) firstLine() string {
	summary := Clean(r.Summary, SummaryRoom(r.State))
	if summary == "" {
		summary = "no text was given"
	}
	check := nagiosplugin.NewCheckWithOptions(nagiosplugin.CheckOptions{StatusPolicy: severity})
	check.AddResult(r.State.status(), summary)
	return check.String()
}
