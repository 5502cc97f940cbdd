package plugin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
	"checkvpn/pkg/vpn"
)

// speak makes the output of a verdict and what it means for people.
func speak(t Tunnel, p *plan, v vpn.Verdict, began time.Time) output {
	impact := Impact{State: v.State}
	if v.Cause != vpn.Failed && v.Cause != vpn.Misuse && t.Impact != nil {
		impact = t.Impact(v, began)
	}
	out := output{code: impact.State.ExitCode(), timeout: p.timeout}
	if p.hostCheck && v.Cause != vpn.Failed && v.Cause != vpn.Misuse {
		out.code = nagios.OK.ExitCode()
		if v.Down() {
			out.code = nagios.Critical.ExitCode()
		}
	}
	switch {
	case p.json:
		out.text = encode(jsonOf(t, p, v, impact))
	case p.screen != nil:
		out.text = onScreen(t, p, v, impact)
	default:
		out.text = nagios.Report{
			State:    impact.State,
			Summary:  summary(t, p, v, impact),
			Details:  details(p, v, impact),
			Perfdata: perfdata(p, v),
		}.String()
	}
	return out
}

// summary is line 1: environment, tunnel, cause, counts, impact.
func summary(t Tunnel, p *plan, v vpn.Verdict, impact Impact) string {
	text := p.named(t.Title) + " " + v.Headline()
	if impact.Text != "" {
		text += ". " + impact.Text
	}
	return text
}

// named is the title of the tunnel, with the environment.
func (p *plan) named(title string) string {
	if p.environment == "" {
		return title
	}
	return p.environment + " " + title
}

// details are a line for each target, worst first, and then what to do.
func details(p *plan, v vpn.Verdict, impact Impact) []string {
	findings := slices.Clone(v.Findings)
	slices.SortStableFunc(findings, func(a, b vpn.Finding) int { return nagios.Compare(a.State, b.State) })
	var lines []string
	for _, f := range findings {
		lines = append(lines, f.Line(v.FarUp > 0))
		lines = append(lines, verbose(p, f)...)
	}
	lines = append(lines, impact.Notes...)
	if steps := v.Advice(); len(steps) > 0 && impact.State != nagios.OK {
		lines = append(lines, "What to do:")
		for i, step := range steps {
			lines = append(lines, fmt.Sprintf("%d. %s", i+1, step))
		}
	}
	return lines
}

// verbose are the lines that -v, -vv and -vvv add below a target's.
func verbose(p *plan, f vpn.Finding) (lines []string) {
	if p.verbose >= 1 && len(f.Result.Attempts) > 0 {
		lines = append(lines, "- attempts: "+attempts(f.Result))
	}
	if p.verbose >= 1 && f.Result.MTU != nil && len(f.Result.MTU.Tried) > 0 {
		lines = append(lines, "- sizes: "+tried(f.Result.MTU.Tried))
	}
	if p.verbose >= 2 {
		lines = append(lines, "- way: "+way(p.pathTo(f.Target.Role), f.Result))
	}
	if p.verbose >= 3 {
		lines = append(lines, "- timing: "+timing(f.Result))
	}
	return lines
}

func attempts(r probe.Result) string {
	words := make([]string, len(r.Attempts))
	for i, a := range r.Attempts {
		switch {
		case a.Outcome == probe.Answered:
			words[i] = vpn.Milliseconds(a.Took)
		case a.Outcome == probe.Pending:
			words[i] = "uncounted"
		case a.Err != nil:
			words[i] = a.Err.Error()
		default:
			words[i] = "lost"
		}
	}
	return strings.Join(words, ", ")
}

func way(path probe.Path, r probe.Result) string {
	var words []string
	if r.Privilege != "" {
		words = append(words, r.Privilege+" ICMP")
	}
	if path.Source.IsValid() {
		words = append(words, "from "+path.Source.String())
	}
	if path.Interface != "" {
		words = append(words, "by "+path.Interface)
	}
	if path.DSCP != 0 {
		words = append(words, fmt.Sprintf("with code point %d", path.DSCP))
	}
	for _, route := range r.Routes {
		words = append(words, "routed "+route.String())
	}
	if len(words) == 0 {
		return "as the kernel routes it"
	}
	return strings.Join(words, ", ")
}

func timing(r probe.Result) string {
	var words []string
	if r.Resolved > 0 {
		words = append(words, "resolved at "+vpn.Milliseconds(r.Resolved))
	}
	if n := len(r.Attempts); n > 0 {
		last := r.Attempts[n-1]
		words = append(words, "first attempt at "+vpn.Milliseconds(r.Attempts[0].At),
			"last at "+vpn.Milliseconds(last.At))
	}
	if len(words) == 0 {
		return "nothing was sent"
	}
	return strings.Join(words, ", ")
}

// perfdata are the totals and, unless there are many targets, the figures of
// each. A figure that was not measured is left out.
func perfdata(p *plan, v vpn.Verdict) []nagios.Datum {
	warn, crit := p.limits.Warning, p.limits.Critical
	loss := func(label string, value float64) nagios.Datum {
		return nagios.Datum{Label: label, Value: value, Unit: "%", Warn: warn.Loss, Crit: crit.Loss, Max: 100}
	}
	rta := func(label string, value time.Duration) nagios.Datum {
		return nagios.Datum{Label: label, Value: milliseconds(value), Unit: "ms", Warn: warn.RTA, Crit: crit.RTA}
	}
	data := []nagios.Datum{
		{Label: "far_up", Value: float64(v.FarUp), Max: float64(v.FarTotal)},
		loss("loss", v.Loss),
	}
	if v.RTA > 0 {
		data = append(data, rta("rta", v.RTA))
	}
	if p.totals {
		return data
	}
	for i, label := range labels(v.Findings) {
		f := v.Findings[i]
		isICMP := f.Target.Endpoint.Scheme == probe.ICMP
		if isICMP {
			data = append(data, loss(label+"_loss", f.Loss))
		}
		switch {
		case f.RTA <= 0:
		case isICMP:
			data = append(data, rta(label+"_rta", f.RTA))
		default:
			data = append(data, nagios.Datum{Label: label + "_time", Value: f.RTA.Seconds(), Unit: "s"})
		}
	}
	return data
}

func labels(findings []vpn.Finding) []string {
	names := make([]string, len(findings))
	for i, f := range findings {
		names[i] = f.Target.Name
	}
	return nagios.Labels(names)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// jsonReport is the output of -o json. People's scripts depend on its fields.
type jsonReport struct {
	State       nagios.State `json:"state"`
	Cause       vpn.Cause    `json:"cause"`
	Environment string       `json:"environment"`
	Tunnel      string       `json:"tunnel"`
	Summary     string       `json:"summary"`
	Impact      string       `json:"impact"`
	Targets     []jsonTarget `json:"targets"`
	Figures     *jsonFigures `json:"figures,omitempty"`
}

type jsonTarget struct {
	Role     vpn.Role     `json:"role"`
	Name     string       `json:"name"`
	Group    string       `json:"group,omitempty"`
	Address  string       `json:"address,omitempty"`
	State    nagios.State `json:"state"`
	Sent     int          `json:"sent"`
	Received int          `json:"received"`
	Loss     *float64     `json:"loss_percent,omitempty"`
	RTA      *float64     `json:"rta_ms,omitempty"`
	MTU      int          `json:"mtu_bytes,omitempty"` // the largest packet known to pass, where that is asked
	Reason   string       `json:"reason,omitempty"`
}

type jsonFigures struct {
	FarUp    int      `json:"far_up"`
	FarTotal int      `json:"far_total"`
	Loss     float64  `json:"loss_percent"`
	RTA      *float64 `json:"rta_ms,omitempty"`
}

func jsonOf(t Tunnel, p *plan, v vpn.Verdict, impact Impact) jsonReport {
	// The text is the same as line 1's, cleaned in the same way.
	text := nagios.Report{State: impact.State, Summary: summary(t, p, v, impact)}.String()
	_, text, _ = strings.Cut(strings.TrimSuffix(text, "\n"), ": ")
	report := jsonReport{
		State:       impact.State,
		Cause:       v.Cause,
		Environment: p.environment,
		Tunnel:      t.Name,
		Summary:     text,
		Impact:      impact.Text,
		Figures:     &jsonFigures{FarUp: v.FarUp, FarTotal: v.FarTotal, Loss: v.Loss, RTA: measured(v.RTA)},
	}
	for _, f := range v.Findings {
		target := jsonTarget{
			Role: f.Target.Role, Name: nagios.Clean(f.Target.Name, maxMessage), Group: f.Target.Group,
			State: f.State, Sent: f.Result.Sent(), Received: f.Result.Received(), RTA: measured(f.RTA),
			MTU: largest(f.Result.MTU),
		}
		if f.Result.Addr.IsValid() {
			target.Address = f.Result.Addr.String()
		}
		if f.Target.Endpoint.Scheme == probe.ICMP && target.Sent > 0 {
			target.Loss = &f.Loss
		}
		if err := f.Result.Reason(); err != nil && !f.Answers {
			target.Reason = nagios.Clean(err.Error(), maxMessage)
		}
		report.Targets = append(report.Targets, target)
	}
	return report
}

func measured(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	ms := milliseconds(d)
	return &ms
}

func encode(r jsonReport) string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // no field can fail
	}
	return string(text) + "\n"
}
