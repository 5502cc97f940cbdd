package plugin

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
	"checkvpn/pkg/vpn"
)

// explain tells people what a command line would do, and sends nothing: a name
// is not even resolved. It exits with UNKNOWN, because nothing was checked: left
// in a configuration it must not be taken for OK. As -h it is text, whatever -o
// says.
func explain(t Tunnel, p *plan, now time.Time) output {
	inText := *p
	inText.output, inText.screen = asNagios, nil
	e := &explanation{tunnel: t, plan: &inText, now: now}
	var b strings.Builder
	b.WriteString(nagios.Report{
		State:   nagios.Unknown,
		Summary: p.named(t.Title) + " not checked: --explain tells what this check would do, and nothing was sent",
	}.String())
	for _, part := range []struct {
		title string
		lines []string
	}{
		{"Targets", e.targets()},
		{"Permission to send echo requests", e.permission()},
		{"Time", e.time()},
		{"Limits", e.limits()},
		{"False alarms, simulated", e.falseAlarms()},
		{"Verdicts, with example figures", e.verdicts()},
	} {
		fmt.Fprintf(&b, "\n%s:\n", part.title)
		for _, line := range part.lines {
			b.WriteString("  " + line + "\n")
		}
	}
	return output{text: b.String(), code: nagios.Unknown.ExitCode(), timeout: p.timeout}
}

// explanation is what it is made from.
type explanation struct {
	tunnel Tunnel
	plan   *plan
	now    time.Time
}

// maxWords bounds what is printed of one value, in characters.
const maxWords = 200

func clean(text string) string { return nagios.Clean(text, maxWords) }

// targets are a line for each: role, name, what is asked, and the way there.
func (e *explanation) targets() []string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, t := range e.plan.Targets {
		url := ""
		if t.URL != t.Name {
			url = t.URL
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s, %s\n", t.Role, clean(t.FullName()), clean(url), asked[t.Endpoint.Scheme], clean(e.way(t)))
	}
	w.Flush()
	return lines(b.String())
}

// lines are those of a table.
func lines(table string) []string { return strings.Split(strings.TrimSuffix(table, "\n"), "\n") }

// asked is what a target is asked for.
var asked = map[vpn.Scheme]string{
	vpn.ICMP:  "echo requests",
	vpn.TCP:   "a connection",
	vpn.HTTP:  "a page",
	vpn.HTTPS: "a page over TLS",
	vpn.IKE:   "an answer to IKE_SA_INIT",
}

// way is the route that packets to a target would take now.
func (e *explanation) way(t vpn.Target) string {
	path, via := e.plan.pathTo(t.Role), e.plan.Limits.Via
	if !t.Role.ThroughTunnel {
		via = vpn.Via{}
	}
	var words []string
	switch route, err := probe.RouteTo(t.Endpoint, t.Endpoint.Addr, path); {
	case !t.Endpoint.Addr.IsValid():
		words = append(words, "its name is resolved when the check runs")
	case err != nil:
		words = append(words, err.Error())
	case route.Fault != nil:
		words = append(words, "no way there now: "+route.Fault.Words)
	case via.Holding(route) == vpn.Leaves:
		words = append(words, route.String(), "and not via "+via.String())
	case via.Holding(route) == vpn.CannotSay:
		words = append(words, route.String(), "perhaps not via "+via.String())
	default:
		words = append(words, route.String())
	}
	if path.DSCP != 0 {
		words = append(words, fmt.Sprintf("code point %d", path.DSCP))
	}
	return strings.Join(words, ", ")
}

// time is how long the check may take, against -t.
func (e *explanation) time() []string {
	p := &e.plan.Plan
	longest, cut := p.Longest(), ""
	if longest > p.End {
		longest, cut = p.End, ": what is not known by then is not tested, the result was known before"
	}
	lines := []string{fmt.Sprintf("All well: %.1f s and a round trip.", (p.Quickest() - p.Wait()).Seconds())}
	if e.pings() {
		lines = append(lines, fmt.Sprintf("A host is known to be silent after %.1f s.", min(p.UntilSilent(), p.End).Seconds()))
	}
	lines = append(lines, fmt.Sprintf("At the worst: %.1f s%s. Printed within the %.0f s of -t, always.", longest.Seconds(), cut, e.plan.timeout.Seconds()))
	return append(lines, fmt.Sprintf("Cut short before the first round is over: %s.", e.plan.onTimeout))
}

// pings tells whether far targets are asked by echo requests.
func (e *explanation) pings() bool {
	return slices.ContainsFunc(e.plan.Targets, vpn.Target.IsFarPinged)
}

// limits are the thresholds in words.
func (e *explanation) limits() []string {
	l := e.plan.Limits
	far := 0
	for _, t := range e.plan.Targets {
		if t.Role == vpn.Far {
			far++
		}
	}
	lines := []string{
		fmt.Sprintf("The tunnel counts as up when at least %d of %d far targets answer.", l.MinFar, far),
		"CRITICAL when " + l.Critical.Words() + ".",
		"WARNING when " + l.Warning.Words() + ".",
		"Both are of all answering far targets together.",
		fmt.Sprintf("%s when the tunnel is up and one of them is silent, or loses packets that the others do not.", l.Partial),
	}
	if !l.Via.IsZero() {
		lines = append(lines, "CRITICAL when packets to an answering target behind the tunnel leave otherwise than via "+clean(l.Via.String())+".")
	}
	if e.plan.MTU > 0 {
		lines = append(lines, fmt.Sprintf("CRITICAL when packets of %d bytes pass to no far target that answers.", e.plan.MTU))
	}
	if e.plan.hostCheck {
		lines = append(lines, "Exit code, as a host check: 2 when the tunnel is down, else 0.")
	}
	return lines
}
