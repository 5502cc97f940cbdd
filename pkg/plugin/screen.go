package plugin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/terminal"
	"checkvpn/pkg/vpn"
)

// What a person sees who runs a plugin by hand: the same words as a monitoring
// system gets, but without the figures behind the pipe, with the targets as a
// table, and with colours. Whatever is no terminal gets none of this.

// onScreen is the text of a verdict on a screen.
func onScreen(t Tunnel, p *plan, v vpn.Verdict, impact Impact) string {
	first := nagios.Report{State: impact.State, Summary: summary(t, p, v, impact)}.String()
	hang := len(impact.State.String() + ": ")
	parts := []string{terminal.Wrap(first, p.screen.Width, hang), ""}
	help := guidance(p, v, impact)
	for _, line := range help {
		parts = append(parts, terminal.Wrap(clean(line), p.screen.Width, hangOf(line)))
	}
	if len(help) > 0 {
		parts = append(parts, "")
	}
	parts = append(parts, table(p, v)...)
	notes := append(slices.Clone(v.Evidence), impact.Notes...)
	if len(notes) > 0 {
		parts = append(parts, "")
	}
	for _, note := range notes {
		parts = append(parts, terminal.Wrap(clean(note), p.screen.Width, 0))
	}
	return strings.Join(parts, "\n") + "\n"
}

// hangOf is how far the further lines of a numbered step are set in.
func hangOf(line string) int {
	if number, _, found := strings.Cut(line, ". "); found && strings.Trim(number, "0123456789") == "" {
		return len(number) + len(". ")
	}
	return 0
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
func watch(p *plan) (show func(*vpn.Judge), stop func() string) {
	if p.screen == nil {
		return func(*vpn.Judge) {}, func() string { return "" }
	}
	live := p.screen.Live()
	return func(j *vpn.Judge) {
		if took := time.Since(p.began); took >= showAfter {
			live.Show(progress(p, j.Verdict(), took))
		}
	}, live.Stop
}

// progress is one line about a check that goes on.
func progress(p *plan, v vpn.Verdict, took time.Duration) string {
	var waiting []string
	for _, f := range v.Findings {
		if !f.Answers() {
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
	rows := []row{{cells: [columns]string{"STATE", "ROLE", "NAME", "ADDRESS", "LOSS", "TIME", "PACKETS"}}}
	for _, f := range v.Ordered() {
		rows = append(rows, rowOf(p, v, f))
	}
	return layout(p.screen, rows)
}

// rowOf is the line of one target.
func rowOf(p *plan, v vpn.Verdict, f vpn.Finding) row {
	name := f.Target.FullName()
	address := f.Target.URL
	if f.Target.Endpoint.Scheme == vpn.ICMP && f.Addr.IsValid() {
		address = f.Addr.String()
	}
	if address == name {
		address = ""
	}
	time, loss := "-", "-"
	if f.Measured {
		loss = vpn.Percent(f.Loss)
	}
	if f.RTA > 0 {
		time = vpn.Milliseconds(f.RTA)
	}
	r := row{
		cells: [columns]string{f.State.String(), f.Target.Role.Name, clean(name), clean(address), loss, time, marks(f.Marks)},
		count: "-",
		note:  clean(v.Note(f)),
	}
	if f.Sent > 0 {
		r.count = fmt.Sprintf("%d/%d", f.Received, f.Sent)
	}
	for _, line := range p.more(f) {
		r.more = append(r.more, nagios.Clean(line, maxMore))
	}
	return r
}

// maxMore bounds a line that -v adds, in characters.
const maxMore = 4096

// marks are the packets or attempts, one character each.
func marks(list []vpn.Mark) string {
	var b strings.Builder
	for _, m := range list {
		switch m.Fate {
		case vpn.Answers:
			b.WriteByte('.')
		case vpn.NotKnown:
			b.WriteByte('?')
		default:
			b.WriteByte('x')
		}
	}
	return b.String()
}
