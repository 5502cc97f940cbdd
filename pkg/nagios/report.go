package nagios

import (
	"fmt"
	"strings"

	"github.com/olorin/nagiosplugin"
)

const (
	maxSummary = 160      // characters of line 1 before the perfdata: fits a pager
	maxDetail  = 512      // characters of each further line
	maxOutput  = 60 << 10 // bytes of a report; NRPE cuts at 64 KiB
	remark     = 80       // bytes kept free for the line about lines left out
)

// Report is what a check has to say. Text may come from anywhere: it is
// cleaned, and cut to fit, when it is printed.
type Report struct {
	State    State
	Summary  string   // must do alone on a pager; 160 characters with the state
	Details  []string // one line each, at most 512 characters
	Perfdata []Datum  // at most 48 KiB, the leading ones are kept
}

// String returns the report as the guidelines want it ("Plugin Output"):
//
//	STATE: summary | perfdata
//	details
//
// It has one first line that is never without text, at most one pipe, and
// ends in a newline. It is smaller than 60 KiB: details beyond that are left
// out, and the last line says how many.
func (r Report) String() string {
	var out strings.Builder
	out.WriteString(r.firstLine() + "\n")
	for i, detail := range r.Details {
		line := Clean(detail, maxDetail) + "\n"
		if out.Len()+len(line) > maxOutput-remark {
			fmt.Fprintf(&out, "%d more lines left out: the output is too long\n", len(r.Details)-i)
			break
		}
		out.WriteString(line)
	}
	return out.String()
}

func (r Report) firstLine() string {
	summary := Clean(r.Summary, maxSummary-len(r.State.String()+": "))
	if summary == "" {
		summary = "no text was given"
	}
	check := nagiosplugin.NewCheckWithOptions(nagiosplugin.CheckOptions{StatusPolicy: severity})
	check.AddResult(r.State.status(), summary)
	return check.String() + renderPerfdata(r.Perfdata)
}
