package plugin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
	"checkvpn/pkg/terminal"
	"checkvpn/pkg/vpn"
)

// What a person sees who runs a plugin by hand: the same words as a monitoring
// system gets, but without the figures behind the pipe, with the targets as a
// table, and with colours. Whatever is no terminal gets none of this.

// onScreen is the text of a verdict on a screen.
func onScreen(t Tunnel, p *plan, v vpn.Verdict, impact Impact) string {
	first := nagios.Report{State: impact.State, Summary: summary(t, p, v, impact)}.String()
	parts := []string{terminal.Wrap(first, p.screen.Width, len(impact.State.String()+": ")), ""}
	parts = append(parts, table(p, v)...)
	if len(impact.Notes) > 0 {
		parts = append(parts, "")
	}
	for _, note := range impact.Notes {
		parts = append(parts, terminal.Wrap(clean(note), p.screen.Width, 0))
	}
	if steps := v.Advice(); len(steps) > 0 {
		parts = append(parts, "", "What to do:")
		for i, step := range steps {
			parts = append(parts, terminal.Wrap(fmt.Sprintf("%d. %s", i+1, step), p.screen.Width, 3))
		}
	}
	return strings.Join(parts, "\n") + "\n"
}

var colours = map[nagios.State]terminal.Colour{
	nagios.OK:       terminal.Green,
	nagios.Warning:  terminal.Yellow,
	nagios.Critical: terminal.Red,
	nagios.Unknown:  terminal.Magenta,
}

// paintState gives the state that a text or a line of a table begins with its
// colour.
func paintState(s *terminal.Screen, text string) string {
	for state, colour := range colours {
		if rest, found := strings.CutPrefix(text, state.String()); found {
			return s.Paint(colour, state.String()) + rest
		}
	}
	return text
}

// showAfter is how long a check may run before its progress is shown: until
// then it would only flicker.
const showAfter = 500 * time.Millisecond

// watch gives what shows the progress of a check on the screen, and what ends
// that and gives the codes that erase it.
func watch(p *plan, began time.Time) (show func([]vpn.Observation), stop func() string) {
	if p.screen == nil {
		return func([]vpn.Observation) {}, func() string { return "" }
	}
	live := p.screen.Live()
	return func(evidence []vpn.Observation) {
		if took := time.Since(began); took >= showAfter {
			live.Show(progress(p, evidence, took))
		}
	}, live.Stop
}

// progress is one line about a check that goes on.
func progress(p *plan, evidence []vpn.Observation, took time.Duration) string {
	v := vpn.Judge(p.limits, evidence)
	var waiting []string
	for _, f := range v.Findings {
		if !f.Answers {
			waiting = append(waiting, f.Target.Name)
		}
	}
	text := fmt.Sprintf("%.1f s of at most %.0f: %d of %d far targets answer", took.Seconds(), p.timeout.Seconds(), v.FarUp, v.FarTotal)
	if len(waiting) > 0 {
		text += ", nothing yet from " + strings.Join(waiting, ", ")
	}
	return clean(text)
}

// table is a line for each target, worst first, with its packets as marks.
func table(p *plan, v vpn.Verdict) []string {
	findings := slices.Clone(v.Findings)
	slices.SortStableFunc(findings, func(a, b vpn.Finding) int { return nagios.Compare(a.State, b.State) })
	rows := []row{{cells: [columns]string{"STATE", "ROLE", "NAME", "ADDRESS", "TIME", "PACKETS"}}}
	for _, f := range findings {
		rows = append(rows, rowOf(p, v, f))
	}
	return layout(p.screen, rows)
}

// rowOf is the line of one target.
func rowOf(p *plan, v vpn.Verdict, f vpn.Finding) row {
	name := f.Target.Name
	if f.Target.Group != "" {
		name = f.Target.Group + "/" + name
	}
	address := f.Target.URL
	if addr := f.Result.Addr; f.Target.Endpoint.Scheme == probe.ICMP && addr.IsValid() {
		address = addr.String()
	}
	if address == name {
		address = ""
	}
	time := "-"
	if f.RTA > 0 {
		time = vpn.Milliseconds(f.RTA)
	}
	r := row{
		cells: [columns]string{f.State.String(), string(f.Target.Role), clean(name), clean(address), time, marks(f.Result)},
		name:  clean(f.Target.Name),
		count: "-",
		note:  clean(f.Note(v.FarUp > 0)),
	}
	if sent := f.Result.Sent(); sent > 0 {
		r.count = fmt.Sprintf("%d/%d", f.Result.Received(), sent)
	}
	for _, line := range verbose(p, f) {
		r.more = append(r.more, nagios.Clean(line, maxMore))
	}
	return r
}

// maxMore bounds a line that -v adds, in characters.
const maxMore = 4096

// marks are the packets or attempts, one character each.
func marks(r probe.Result) string {
	var b strings.Builder
	for _, a := range r.Attempts {
		switch a.Outcome {
		case probe.Answered:
			b.WriteByte('.')
		case probe.Pending:
			b.WriteByte('?')
		default:
			b.WriteByte('x')
		}
	}
	return b.String()
}
