package vpn

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"checkvpn/pkg/nagios"
)

// Lines are what there is to say of each target: the gateways first, then the
// worst. Targets of a group, or of a role if there are many, that all say the
// same share one line, unless all are to be shown; below, if there is more to say
// of each, stands what the function gives.
func (v Verdict) Lines(all bool, below func(Finding) []string) (lines []string) {
	for _, part := range v.parts(all) {
		if len(part) > 1 {
			lines = append(lines, v.shared(part))
			continue
		}
		lines = append(append(lines, v.Line(part[0])), below(part[0])...)
	}
	return lines
}

// Ordered are the findings in the order of Lines.
func (v Verdict) Ordered() []Finding { return slices.Concat(v.parts(true)...) }

// fewest is how many targets without a group share a line at least.
const fewest = 4

// parts are the findings of each line, in their order.
func (v Verdict) parts(all bool) (parts [][]Finding) {
	type key struct {
		role  Role
		group string
	}
	byGroup := map[key][]Finding{}
	var order []key
	for _, f := range v.Findings {
		k := key{f.Target.Role, f.Target.Group}
		if byGroup[k] == nil {
			order = append(order, k)
		}
		byGroup[k] = append(byGroup[k], f)
	}
	for _, k := range order {
		list := byGroup[k]
		together := k.group != "" && len(list) > 1 || len(list) >= fewest || v.untested(list[0])
		if !all && !k.role.IsGateway() && together && v.sayTheSame(list) {
			parts = append(parts, list)
		} else {
			parts = slices.AppendSeq(parts, slices.Chunk(list, 1))
		}
	}
	slices.SortStableFunc(parts, func(a, b []Finding) int {
		return cmp.Or(cmp.Compare(place(a[0]), place(b[0])), nagios.Compare(a[0].State, b[0].State))
	})
	return parts
}

// place puts the near gateways first, then the peers.
func place(f Finding) int {
	switch f.Target.Role {
	case Near:
		return 0
	case Peer:
		return 1
	}
	return 2
}

// sayTheSame tells whether one line serves for several findings.
func (v Verdict) sayTheSame(list []Finding) bool {
	return !slices.ContainsFunc(list, func(f Finding) bool {
		return f.Fate != list[0].Fate || f.State != list[0].State || why(f) != why(list[0]) || len(v.besides(f)) > 0
	})
}

// untested tells whether a target was left alone, because the tunnel is down.
func (v Verdict) untested(f Finding) bool {
	return f.Fate == NotKnown && v.Down() && f.Target.Role.ThroughTunnel
}

// shared is one line for targets that say the same.
func (v Verdict) shared(list []Finding) string {
	first, n := list[0], len(list)
	name := first.Target.Role.Name
	if first.Target.Group != "" {
		name += " " + first.Target.Group
	}
	what := "targets"
	if first.Target.Role == Far {
		what = "hosts"
	}
	text := fmt.Sprintf("[%s] %s: ", first.State, name)
	switch {
	case first.Fate == Answers:
		return text + fmt.Sprintf("%d of %d %s answer%s", n, n, what, jointFigures(list))
	case first.Fate == NotKnown, first.Fate == NotAsked:
		text += fmt.Sprintf("%d %s %s", n, what, v.what(first))
	default:
		text += fmt.Sprintf("0 of %d %s answer (%s)", n, what, addresses(list))
		if first.Reason != nil {
			text += ", " + first.Reason.Words
		}
	}
	return text
}

// jointFigures are the figures of several targets that answer.
func jointFigures(list []Finding) string {
	var lost, sent int
	var sum, longest time.Duration
	for _, f := range list {
		lost, sent = lost+f.Sent-f.Received, sent+f.Sent
		sum, longest = sum+f.RTA, max(longest, f.RTA)
	}
	if list[0].Target.Endpoint.Scheme != ICMP {
		return " in at most " + Milliseconds(longest)
	}
	return fmt.Sprintf(", loss %s, rta %s", Percent(percent(lost, sent)), Milliseconds(sum/time.Duration(len(list))))
}

// addresses are those of several targets: in full, or the last part of one that
// begins like the one before.
func addresses(list []Finding) string {
	var words []string
	before := ""
	for _, f := range list {
		text := f.Target.Name
		if f.Addr.IsValid() {
			text = f.Addr.String()
		}
		dot := strings.LastIndexByte(text, '.')
		if f.Addr.Is4() && before != "" && text[:dot] == before {
			words = append(words, text[dot:])
			continue
		}
		if before = ""; f.Addr.Is4() {
			before = text[:dot]
		}
		words = append(words, text)
	}
	return strings.Join(words, " ")
}

// Line says what was found of one target: its state, role, group, name,
// address, figures and, if it does not answer, the reason.
func (v Verdict) Line(f Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s] %s %s", f.State, f.Target.Role, f.Target.FullName())
	if f.Target.URL != f.Target.Name {
		b.WriteString(" " + f.Target.URL)
	}
	if f.Addr.IsValid() && f.Addr != f.Target.Endpoint.Addr {
		b.WriteString(" (" + f.Addr.String() + ")")
	}
	b.WriteString(": " + v.what(f))
	for _, text := range v.besides(f) {
		b.WriteString(", " + text)
	}
	return b.String()
}

// Note is what there is to say of the target besides its figures; empty if all
// is well.
func (v Verdict) Note(f Finding) string {
	var parts []string
	if f.Fate != Answers && f.Reason != nil {
		parts = append(parts, f.Reason.Words)
	}
	if f.Fate == Answers && f.Answer != "" {
		parts = append(parts, f.Answer)
	}
	return strings.Join(append(parts, v.besides(f)...), ", ")
}

const filters = "traffic passes, so it probably drops pings: then it cannot show what broke"

// besides is what else there is to say: its way, big packets, what was lost.
func (v Verdict) besides(f Finding) (parts []string) {
	if f.Unsent != nil {
		parts = append(parts, f.Unsent.Words)
	}
	if f.Named != "" {
		parts = append(parts, f.Named)
	}
	if f.OffWay != nil {
		parts = append(parts, "leaves "+f.OffWay.String())
	}
	if f.Uncertain {
		parts = append(parts, "has several routes: whether it leaves by --via cannot be told")
	}
	if f.Fate == Answers && f.Size != nil {
		parts = append(parts, f.Size.words())
	}
	if !f.Answers() && f.Target.Role.IsGateway() && v.FarUp > 0 && f.Fate == Silent {
		parts = append(parts, filters)
	}
	return parts
}

// what is the figures, or the reason why there are none.
func (v Verdict) what(f Finding) string {
	pinged := f.Target.Endpoint.Scheme == ICMP
	switch {
	case f.Fate == NotAsked && f.Reason != nil:
		return "not asked: " + f.Reason.Words
	case v.untested(f):
		return "not tested, the tunnel is down"
	case f.Fate == NotKnown, f.Fate == NotAsked:
		return "not tested, the result was known before"
	case f.Fate == Answers && !pinged:
		text := "answered in " + Milliseconds(f.RTA)
		if f.Answer != "" {
			text += ", " + f.Answer
		}
		return text
	case f.Late > 0:
		return fmt.Sprintf("%d of %d packets answered, but too late to count (rta %s)", f.Late, f.Sent, Milliseconds(f.RTA))
	case f.Fate == Answers:
		text := fmt.Sprintf("%d of %d packets answered, loss %s", f.Received, f.Sent, Percent(f.Loss))
		if f.RTA > 0 {
			text += ", rta " + Milliseconds(f.RTA)
		}
		return text
	case f.Fate == SaysNo && f.Answers():
		return "is up: " + f.Reason.Words
	case pinged && f.Reason != nil && f.Sent > 0:
		return fmt.Sprintf("no answer to %d %s, %s", f.Sent, plural(f.Sent, "packet"), f.Reason.Words)
	case pinged && f.Sent > 0:
		return fmt.Sprintf("no answer to %d %s", f.Sent, plural(f.Sent, "packet"))
	case f.Reason != nil:
		return f.Reason.Words
	}
	return "no answer"
}

func plural(n int, word string) string { return verb(n, word, word+"s") }

// Percent prints a share without a false 0% or 100%.
func Percent(p float64) string {
	switch {
	case p > 0 && p < 0.1:
		return "under 0.1%"
	case p > 99.9 && p < 100:
		return "over 99.9%"
	}
	return strconv.FormatFloat(float64(int(p*10+0.5))/10, 'f', -1, 64) + "%"
}

// Milliseconds prints a round-trip time in milliseconds, with three digits that matter.
func Milliseconds(d time.Duration) string {
	ms := milliseconds(d)
	decimals := 0
	switch {
	case ms < 1:
		decimals = 3
	case ms < 10:
		decimals = 2
	case ms < 100:
		decimals = 1
	}
	return strconv.FormatFloat(ms, 'f', decimals, 64) + " ms"
}
