package plugin

import (
	"fmt"
	"strings"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/vpn"
)

// ticket is what one would paste into a vendor's ticket: what was found, from
// where to where, what was sent and what came back. There is no advice in it, and
// nothing of what it means for people here.
func ticket(t Tunnel, p *plan, v vpn.Verdict, impact Impact) string {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(nagios.Clean(fmt.Sprintf(format, args...), maxMore) + "\n")
	}
	began := p.began.Round(time.Second)
	line("VPN: %s", p.named(t.Title))
	line("Cause: %s", v.Lead().Cause)
	line("Finding: %s", v.Sentence(v.Lead()))
	for _, other := range v.Problems[1:] {
		line("Also: %s, %s", other.Cause, v.Sentence(other))
	}
	line("Checked: %s%s", began.UTC().Format("2006-01-02 15:04:05 MST"), localTime(began))
	for _, from := range sources(v) {
		line("From: %s", from)
	}
	for _, part := range []struct {
		title string
		has   func(vpn.Role) bool
	}{
		{"Gateways:", vpn.Role.IsGateway},
		{"Behind the tunnel:", func(r vpn.Role) bool { return r.ThroughTunnel }},
		{"Outside the tunnel:", func(r vpn.Role) bool { return !r.ThroughTunnel && !r.IsGateway() }},
	} {
		title := part.title
		for _, f := range v.Findings {
			if !part.has(f.Target.Role) {
				continue
			}
			if title != "" {
				line("%s", title)
				title = ""
			}
			b.WriteString("  " + nagios.Clean(ticketLine(v, f), maxMore) + "\n")
		}
	}
	if len(v.Evidence) > 0 {
		line("Measured:")
	}
	for _, text := range v.Evidence {
		b.WriteString("  " + nagios.Clean(text, maxMore) + "\n")
	}
	line("By: %s %s, limits %s and %s, state %s", t.program(), version, p.Limits.Warning, p.Limits.Critical, impact.State)
	return b.String()
}

// localTime is the same by the clock of this host; nothing if that is UTC.
func localTime(t time.Time) string {
	if _, offset := t.Local().Zone(); offset == 0 {
		return ""
	}
	return t.Local().Format(" (15:04:05 MST -0700 here)")
}

// ticketLine is what was sent to one target and what came back.
func ticketLine(v vpn.Verdict, f vpn.Finding) string {
	_, what, _ := strings.Cut(v.Line(f), "] ")
	return what
}

// sources are the addresses and interfaces that packets left by, as the kernel
// says.
func sources(v vpn.Verdict) (list []string) {
	seen := map[string]bool{}
	for _, f := range v.Findings {
		for _, r := range f.Routes {
			text := "here to " + f.Target.Role.Name + ": " + r.String()
			if r.Source.IsValid() {
				text = fmt.Sprintf("%s (%s) to %s", r.Source, r.Interface, f.Target.Role.Name)
			}
			if !seen[text] {
				seen[text] = true
				list = append(list, text)
			}
		}
	}
	return list
}
