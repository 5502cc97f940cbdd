package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/vpn"
)

// render makes the output of a verdict and what it means for people. Each
// problem has an impact of its own, and the worst one leads then.
func render(t Tunnel, p *plan, v vpn.Verdict) output {
	impact := p.impact(t, &v)
	out := output{code: impact.State.ExitCode(), timeout: p.timeout}
	if p.hostCheck {
		out.code = hostCode(v)
	}
	switch {
	case p.output == asJSON, p.output == asEvents:
		out.text = encode(jsonOf(t, p, v, impact))
	case p.output == asTicket:
		out.text = ticket(t, p, v, impact)
	case p.screen != nil:
		out.text = onScreen(t, p, v, impact)
	default:
		totals, each := perfdata(p, v)
		out.text = nagios.Report{
			State:    impact.State,
			Summary:  summary(t, p, v, impact),
			Details:  details(p, v, impact),
			Perfdata: totals,
			More:     each,
		}.String()
	}
	return out
}

// hostCode is the exit code of a host check: 2 if what is behind the tunnel
// cannot be reached by what is asked, whatever that means for people.
func hostCode(v vpn.Verdict) int {
	switch {
	case v.Down(), v.Has(vpn.Filtered):
		return nagios.Critical.ExitCode()
	case v.Lead().Cause.NotChecked():
		return v.State().ExitCode()
	}
	return nagios.OK.ExitCode()
}

// impact gives each problem the state that it has for people, puts the worst
// first, and says what that one means.
func (p *plan) impact(t Tunnel, v *vpn.Verdict) Impact {
	impacts := make([]Impact, len(v.Problems))
	for i := range v.Problems {
		problem := &v.Problems[i]
		impacts[i] = p.impactOf(t, *v, *problem)
		problem.State, problem.Impact = impacts[i].State, impacts[i].Text
	}
	v.Sort()
	lead := Impact{State: v.State(), Text: v.Lead().Impact}
	for _, impact := range impacts {
		lead.Notes = append(lead.Notes, impact.Notes...)
	}
	if t.Notes != nil {
		lead.Notes = append(lead.Notes, t.Notes(p.began)...)
	}
	return lead
}

func (p *plan) impactOf(t Tunnel, v vpn.Verdict, problem vpn.Problem) Impact {
	var fault *vpn.Fault
	switch {
	case errors.As(problem.Reason, &fault) && fault.Code == vpn.NoTime && problem.Cause == vpn.Failed && len(problem.Targets) == 0:
		return Impact{State: p.onTimeout}
	case problem.Cause.NotChecked(), t.Impact == nil:
		return Impact{State: problem.State}
	}
	impact := t.Impact(v, problem, p.staffed)
	if p.siteImpact != "" && problem.Cause.Down() {
		impact.Text = p.siteImpact // never the state
	}
	return impact
}

// summary is line 1: environment, tunnel, cause, counts, impact. The impact is
// always whole; the words on what was found get the room that is left.
func summary(t Tunnel, p *plan, v vpn.Verdict, impact Impact) string {
	before, after := p.named(t.Title)+" ", ""
	if impact.Text != "" {
		after = ". " + impact.Text
	}
	room := nagios.SummaryRoom(impact.State) - len(before) - len(after)
	return before + v.Headline(room) + after
}

// named is the title of the tunnel, with the environment.
func (p *plan) named(title string) string {
	if p.title != "" {
		title = p.title
	}
	if p.environment == "" {
		return title
	}
	return p.environment + " " + title
}

// details are what follows line 1: the cause, by which a runbook is sorted; what
// to do; whom to call; the gateways, and the targets behind them, worst first;
// and what else was found out. What a client cuts is the end.
func details(p *plan, v vpn.Verdict, impact Impact) []string {
	lines := guidance(p, v, impact)
	lines = append(lines, v.Lines(p.verbose > 0, p.more)...)
	lines = append(lines, v.Evidence...)
	return append(lines, impact.Notes...)
}

// guidance are the cause, what to do and whom to call; nothing if all is well.
func guidance(p *plan, v vpn.Verdict, impact Impact) (lines []string) {
	if v.Lead().Cause == vpn.Up {
		return nil
	}
	cause := string(v.Lead().Cause)
	line := "Cause: " + cause
	if p.runbook != "" {
		line += ". " + p.runbook + "#" + cause
	}
	lines = append(lines, line)
	if impact.State == nagios.OK {
		return lines
	}
	for i, step := range v.Advice() {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, step))
	}
	for _, contact := range p.contacts {
		lines = append(lines, "Contact: "+contact)
	}
	return lines
}

// more are the lines that -v, -vv and -vvv add below a target's.
func (p *plan) more(f vpn.Finding) (lines []string) {
	if p.verbose >= 1 && len(f.Marks) > 0 {
		lines = append(lines, "- attempts: "+attempts(f.Marks))
	}
	if p.verbose >= 1 && f.Size != nil && len(f.Size.Tried) > 0 {
		lines = append(lines, "- sizes: "+tried(f.Size.Tried))
	}
	if p.verbose >= 2 {
		lines = append(lines, "- way: "+p.way(f))
	}
	if p.verbose >= 3 && len(f.Marks) > 0 {
		lines = append(lines, "- timing: first attempt at "+vpn.Milliseconds(f.Marks[0].At)+
			", last at "+vpn.Milliseconds(f.Marks[len(f.Marks)-1].At))
	}
	return lines
}

func attempts(marks []vpn.Mark) string {
	words := make([]string, len(marks))
	for i, m := range marks {
		switch {
		case m.Fate == vpn.Answers:
			words[i] = vpn.Milliseconds(m.Took)
		case m.Fate == vpn.NotKnown:
			words[i] = "no longer awaited"
		case m.Words != "":
			words[i] = m.Words
		default:
			words[i] = "lost"
		}
	}
	return strings.Join(words, ", ")
}

// way is how packets to a target left.
func (p *plan) way(f vpn.Finding) string {
	var words []string
	if f.Privilege != "" {
		words = append(words, f.Privilege+" ICMP")
	}
	path := p.pathTo(f.Target.Role)
	if path.Source.IsValid() {
		words = append(words, "from "+path.Source.String())
	}
	if path.Interface != "" {
		words = append(words, "by "+path.Interface)
	}
	if path.DSCP != 0 {
		words = append(words, fmt.Sprintf("with code point %d", path.DSCP))
	}
	for _, route := range f.Routes {
		words = append(words, "routed "+route.String())
	}
	if len(words) == 0 {
		return "as the kernel routes it"
	}
	return strings.Join(words, ", ")
}

// perfdata are the totals and, unless there are many targets, the figures of
// each. A figure that was not measured is left out.
func perfdata(p *plan, v vpn.Verdict) (totals, each []nagios.Datum) {
	if v.Lead().Cause.NotChecked() {
		return nil, nil
	}
	warn, crit := p.Limits.Warning, p.Limits.Critical
	loss := func(label string, value float64) nagios.Datum {
		return nagios.Datum{Label: label, Value: value, Unit: "%", Warn: warn.Loss, Crit: crit.Loss, Max: 100}
	}
	rta := func(label string, value time.Duration) nagios.Datum {
		return nagios.Datum{Label: label, Value: milliseconds(value), Unit: "ms", Warn: warn.RTA, Crit: crit.RTA}
	}
	totals = []nagios.Datum{{Label: "far_up", Value: float64(v.FarUp), Max: float64(v.FarTotal)}}
	if v.Figures.Measured {
		totals = append(totals, loss("loss", v.Figures.Loss))
	}
	if v.Figures.RTA > 0 {
		totals = append(totals, rta("rta", v.Figures.RTA))
	}
	if bytes := passing(v); bytes > 0 {
		totals = append(totals, nagios.Datum{Label: "mtu", Value: float64(bytes), Unit: "B"})
	}
	if p.totals {
		return totals, nil
	}
	for i, label := range labels(v.Findings) {
		f := v.Findings[i]
		isICMP := f.Target.Endpoint.Scheme == vpn.ICMP
		if isICMP && f.Measured {
			each = append(each, loss(label+"_loss", f.Loss))
		}
		switch {
		case f.RTA <= 0:
		case isICMP:
			each = append(each, rta(label+"_rta", f.RTA))
		default:
			each = append(each, nagios.Datum{Label: label + "_time", Value: f.RTA.Seconds(), Unit: "s"})
		}
	}
	return totals, each
}

// passing is the largest size that is known to pass to any target, in bytes; 0 if
// none is, or it was not asked.
func passing(v vpn.Verdict) (bytes int) {
	for _, f := range v.Findings {
		bytes = max(bytes, largest(f.Size))
	}
	return bytes
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
	State       nagios.State  `json:"state"`
	Cause       vpn.Cause     `json:"cause"`
	Environment string        `json:"environment"`
	Tunnel      string        `json:"tunnel"`
	Summary     string        `json:"summary"`
	Impact      string        `json:"impact"`
	Problems    []jsonProblem `json:"problems"`
	Targets     []jsonTarget  `json:"targets"`
	Figures     *jsonFigures  `json:"figures,omitempty"`
	Advice      []string      `json:"advice"`
	Evidence    []string      `json:"evidence"`
}

type jsonProblem struct {
	Cause   vpn.Cause    `json:"cause"`
	State   nagios.State `json:"state"`
	Summary string       `json:"summary"`
	Impact  string       `json:"impact,omitempty"`
	Targets []string     `json:"targets,omitempty"`
}

type jsonTarget struct {
	Role     string       `json:"role"`
	Name     string       `json:"name"`
	Group    string       `json:"group,omitempty"`
	Address  string       `json:"address,omitempty"`
	State    nagios.State `json:"state"`
	Sent     int          `json:"sent"`
	Received int          `json:"received"`
	Loss     *float64     `json:"loss_percent,omitempty"`
	RTA      *float64     `json:"rta_ms,omitempty"`
	MTU      int          `json:"mtu_bytes,omitempty"` // the largest packet known to pass, if that is asked
	Reason   string       `json:"reason,omitempty"`
}

type jsonFigures struct {
	FarUp    int      `json:"far_up"`
	FarTotal int      `json:"far_total"`
	Loss     *float64 `json:"loss_percent,omitempty"`
	RTA      *float64 `json:"rta_ms,omitempty"`
}

func jsonOf(t Tunnel, p *plan, v vpn.Verdict, impact Impact) jsonReport {
	// The text is the same as line 1's, cleaned in the same way.
	text := nagios.Report{State: impact.State, Summary: summary(t, p, v, impact)}.String()
	_, text, _ = strings.Cut(strings.TrimSuffix(text, "\n"), ": ")
	report := jsonReport{
		State: impact.State, Cause: v.Lead().Cause, Environment: p.environment, Tunnel: t.Name,
		Summary: text, Impact: impact.Text,
		Problems: []jsonProblem{}, Advice: cleanAll(v.Advice()), Evidence: cleanAll(v.Evidence),
	}
	if !v.Lead().Cause.NotChecked() {
		report.Figures = &jsonFigures{FarUp: v.FarUp, FarTotal: v.FarTotal, RTA: measured(v.Figures.RTA)}
		if v.Figures.Measured {
			report.Figures.Loss = &v.Figures.Loss
		}
	}
	for _, problem := range v.Problems {
		if problem.Cause != vpn.Up {
			report.Problems = append(report.Problems, jsonProblemOf(v, problem))
		}
	}
	for _, f := range v.Findings {
		report.Targets = append(report.Targets, jsonTargetOf(f))
	}
	return report
}

func jsonProblemOf(v vpn.Verdict, p vpn.Problem) jsonProblem {
	out := jsonProblem{Cause: p.Cause, State: p.State, Summary: nagios.Clean(v.Sentence(p), maxMessage), Impact: p.Impact}
	for _, i := range p.Targets {
		out.Targets = append(out.Targets, nagios.Clean(v.Findings[i].Target.Name, maxMessage))
	}
	return out
}

func jsonTargetOf(f vpn.Finding) jsonTarget {
	target := jsonTarget{
		Role: f.Target.Role.Name, Name: nagios.Clean(f.Target.Name, maxMessage), Group: f.Target.Group,
		State: f.State, Sent: f.Sent, Received: f.Received, RTA: measured(f.RTA), MTU: largest(f.Size),
	}
	if f.Addr.IsValid() {
		target.Address = f.Addr.String()
	}
	if f.Target.Endpoint.Scheme == vpn.ICMP && f.Measured {
		target.Loss = &f.Loss
	}
	switch {
	case f.Reason != nil && !f.Answers():
		target.Reason = nagios.Clean(f.Reason.Words, maxMessage)
	case f.Unsent != nil:
		target.Reason = nagios.Clean(f.Unsent.Words, maxMessage)
	}
	return target
}

func cleanAll(lines []string) []string {
	cleaned := make([]string, len(lines))
	for i, line := range lines {
		cleaned[i] = nagios.Clean(line, maxMore)
	}
	return cleaned
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
