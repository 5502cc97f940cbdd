package vpn

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"checkvpn/pkg/nagios"
)

// Headline says what was found, to follow the tunnel's name on line 1, as
// "down: 0 of 14 hosts answer, both gateways are up". The worst problem leads,
// and the others follow in a few words.
//
// It is the one place that makes it fit into so many characters: nothing is cut
// within its meaning. Names and figures give way first, then the words on further
// problems, and what broke never does.
func (v Verdict) Headline(room int) string {
	lead, others := v.forms(v.Lead()), v.Problems[1:]
	var each, named string
	for _, p := range others {
		forms := v.forms(p)
		each += ", and " + besides(forms[1])
		named += ", " + string(p.Cause)
	}
	shortest := lead[len(lead)-1]
	tries := []string{lead[0] + each, lead[0] + named, lead[1] + each, lead[1] + named, shortest + named}
	if len(others) > 0 {
		tries = append(tries, fmt.Sprintf("%s, %d more", shortest, len(others)))
	}
	for _, text := range tries {
		if len(text) <= room {
			return text
		}
	}
	return shortest
}

// Sentence says what a problem is in full, as if it were the only one.
func (v Verdict) Sentence(p Problem) string { return v.forms(p)[0] }

// besides are the words on a problem that follows another: not what the tunnel
// is, but what is wrong with it too.
func besides(text string) string {
	for _, is := range []string{"up, but ", "up, ", "bypassed: "} {
		text = strings.TrimPrefix(text, is)
	}
	return text
}

// forms are the words on a problem, from the longest to the shortest.
func (v Verdict) forms(p Problem) [3]string {
	count := v.farCount()
	switch p.Cause {
	case Misuse, Failed:
		return v.notChecked(p)
	case Filtered:
		return [3]string{"up, but filtered: " + v.blockedBy(), "up, but filtered: " + count, "up, filtered"}
	case RefusedBy:
		return [3]string{"down: " + v.refusals(), "down: far hosts refuse", "down, refused"}
	case NearDown:
		return [3]string{"down on our side: our own gateway is unreachable, " + count, "down: our own gateway is unreachable", "our side down"}
	case ResolverDown:
		return [3]string{"down: cannot resolve any far host: " + cmp.Or(why(v.far()...), "nothing was asked"), "down: cannot resolve any far host", "no addresses"}
	case PeerDown:
		return [3]string{"down: far gateway unreachable, " + count, "down: far gateway unreachable", "far end down"}
	case TunnelDown:
		return [3]string{"down: " + count + ", " + v.gateways(), "down: " + v.gateways(), "tunnel down"}
	case TooFew:
		return [3]string{"down: " + count, "down: too few hosts answer", "too few up"}
	case Down:
		return [3]string{"down: " + count + ", far gateway not checked", "down: " + count, "down"}
	case Bypassed:
		return [3]string{"bypassed: " + v.wrongWay(p), "bypassed: traffic leaves outside the tunnel", "bypassed"}
	case BlackHole:
		return [3]string{"up, but " + v.blackHole(p), "up, but big packets vanish", "MTU black hole"}
	case Degraded:
		return [3]string{"degraded: " + v.Alarm.words(v.Plan.Limits), "degraded: " + v.Alarm.figures(), "degraded"}
	case Unprotected:
		answering, asked := v.Role(Peer.Name)
		text := fmt.Sprintf("unprotected: %d of %d peers %s", answering, asked, verb(answering, "answers", "answer"))
		return [3]string{fmt.Sprintf("%s, %d must", text, v.Plan.Limits.MinPeer), text, "unprotected"}
	case Partial:
		return [3]string{"up, but " + v.exceptions(p, maxNames), "up, but " + v.exceptions(p, 0), "partly down"}
	case ServiceDown:
		return [3]string{"up, but " + v.failures(p, maxNames), "up, but " + v.failures(p, 0), p.Role.Name + " fails"}
	}
	return [3]string{"up: " + count + v.quick(), "up: " + count, "up"}
}

// notChecked says why nothing, or not all, was asked.
func (v Verdict) notChecked(p Problem) [3]string {
	reason := p.Reason.Error()
	switch {
	case len(p.Targets) > 0 && v.FarUp > 0:
		text := fmt.Sprintf("not all checked: %d %s not asked", len(p.Targets), verb(len(p.Targets), "target was", "targets were"))
		return [3]string{text + ", " + reason, text, "not all checked"}
	case p.Cause == Misuse || len(p.Targets) > 0:
		return [3]string{"not checked: " + reason, "not checked: " + reason, "not checked"}
	}
	return [3]string{"not checked: " + reason + ", " + v.farCount() + " so far", "not checked: " + reason, "not checked"}
}

// farCount is "3 of 14 hosts answer", with what was needed if that is more than
// answer.
func (v Verdict) farCount() string {
	if v.FarTotal == 1 {
		return "host " + v.far()[0].Target.Name + verb(v.FarUp, " answers", " does not answer")
	}
	text := fmt.Sprintf("%d of %d hosts %s", v.FarUp, v.FarTotal, verb(v.FarUp, "answers", "answer"))
	if v.FarUp > 0 && v.FarUp < v.Plan.Limits.MinFar {
		text += fmt.Sprintf(", %d must", v.Plan.Limits.MinFar)
	}
	return text
}

// far are the findings of far targets that have one of these fates; all of them if
// none is given.
func (v Verdict) far(fates ...Fate) (list []Finding) {
	for _, f := range v.Findings {
		if f.Target.Role == Far && (fates == nil || slices.Contains(fates, f.Fate)) {
			list = append(list, f)
		}
	}
	return list
}

// why is the first reason that is known why targets do not answer; else empty.
func why(list ...Finding) string {
	for _, f := range list {
		if f.Reason != nil {
			return f.Reason.Words
		}
	}
	return ""
}

// of are the findings that a problem is about.
func (v Verdict) of(p Problem) (list []Finding) {
	for _, i := range p.Targets {
		list = append(list, v.Findings[i])
	}
	return list
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// quick is how good the way is.
func (v Verdict) quick() string {
	text := ""
	if v.Figures.Measured {
		text = ", loss " + Percent(v.Figures.Loss)
	}
	if v.Figures.RTA > 0 {
		text += ", rta " + Milliseconds(v.Figures.RTA)
	}
	if v.Withheld {
		// A limit was passed in a time in which this host did not run the check, so
		// nothing can be said of the way.
		text += ", round-trip times unsure: this host was too busy"
	}
	return text
}

func (v Verdict) refusals() string {
	list := v.far(SaysNo)
	reason := cmp.Or(why(list[0]), "refused")
	if v.FarTotal == 1 {
		return "host " + list[0].Target.Name + " refuses: " + reason
	}
	return fmt.Sprintf("%s, %d %s: %s", v.farCount(), len(list), verb(len(list), "refuses", "refuse"), reason)
}

// blockedBy says how it is known that traffic passes, and by whom it is blocked.
func (v Verdict) blockedBy() string {
	if reason := why(v.far(SaysNo)...); reason != "" {
		return v.farCount() + ", " + reason
	}
	text := v.farCount() + ", but "
	for _, f := range v.Findings {
		if f.Target.Role.ThroughTunnel && f.Target.Role != Far && f.Fate == Answers {
			text += f.Target.Role.Name + " " + f.Target.Name + " does"
			break
		}
	}
	if reason := why(v.far()...); reason != "" {
		text += ": " + reason
	}
	return text
}

func (v Verdict) gateways() string {
	if near, _ := v.Role(Near.Name); near > 0 {
		return "both gateways are up"
	}
	return "the far gateway is up"
}

// wrongWay says which way traffic takes in place of the tunnel.
func (v Verdict) wrongWay(p Problem) string {
	about, far := v.of(p), 0
	for _, f := range about {
		count(&far, f.Target.Role == Far)
	}
	to, way := "", "as the counters of "+v.Plan.Limits.Via.String()+" show"
	if n := slices.IndexFunc(about, func(f Finding) bool { return f.OffWay != nil }); n >= 0 {
		way = about[n].OffWay.String() + " and not via " + v.Plan.Limits.Via.String()
	}
	if v.noInterface != nil {
		way = "for there is no interface " + v.Plan.Limits.Via.Interface
	}
	switch {
	case far == 0 && len(about) > 0:
		to = fmt.Sprintf("to %s %s ", about[0].Target.Role, strings.TrimPrefix(names(about, maxNames), ": "))
	case far < v.FarUp:
		to = fmt.Sprintf("to %d of them ", far)
	}
	return fmt.Sprintf("%s, but traffic %sleaves outside the tunnel, %s", v.farCount(), to, way)
}

// exceptions names whole groups first, because a group that is silent as a
// whole is a route, a firewall or a subnet; then single hosts.
func (v Verdict) exceptions(p Problem, most int) string {
	var silent, refusing, named, stuck []Finding
	for _, f := range v.of(p) {
		switch {
		case f.Fate == SaysNo:
			refusing = append(refusing, f)
		case !f.Answers():
			silent = append(silent, f)
		case f.Named != "":
			named = append(named, f)
		default:
			stuck = append(stuck, f)
		}
	}
	var parts []string
	add := func(list []Finding, before, one, many string) {
		if n := len(list); n > 0 {
			parts = append(parts, fmt.Sprintf("%s%d of %d hosts%s%s", before, n, v.FarTotal, verb(n, one, many), names(list, most)))
		}
	}
	if groups := v.silentGroups(); len(groups) > 0 {
		parts = append(parts, verb(len(groups), "group ", "groups ")+strings.Join(groups, ", ")+" silent")
		silent = slices.DeleteFunc(silent, func(f Finding) bool { return slices.Contains(groups, f.Target.Group) })
	}
	add(silent, "", " is silent", " are silent")
	add(refusing, "", " refuses", " refuse")
	add(stuck, fmt.Sprintf("packets of %d bytes do not pass to ", v.Plan.MTU), "", "")
	add(named, "", " loses packets", " lose packets")
	text := strings.Join(parts, ", ")
	if len(named) > 0 && most > 0 {
		text += " (" + named[0].Named + ")"
	}
	return text
}

// silentGroups are the groups of two hosts or more of which none answers.
func (v Verdict) silentGroups() (groups []string) {
	silent, asked := map[string]int{}, map[string]int{}
	for _, f := range v.Findings {
		asked[f.Target.Group]++
		if f.Fate == Silent {
			silent[f.Target.Group]++
		}
	}
	for _, f := range v.Findings {
		if g := f.Target.Group; g != "" && asked[g] > 1 && silent[g] == asked[g] && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	return groups
}

// maxNames bounds how many names line 1 gives; the long lines have them all.
const maxNames = 3

// names gives so many names, to follow a count; none if that is 0.
func names(list []Finding, most int) string {
	if most == 0 {
		return ""
	}
	var text []string
	for _, f := range list {
		if len(text) == most {
			text = append(text, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		text = append(text, f.Target.Name)
	}
	return ": " + strings.Join(text, ", ")
}

// failures names what the tunnel is for and does not work.
func (v Verdict) failures(p Problem, most int) string {
	failing := v.of(p)
	_, asked := v.Role(p.Role.Name)
	text := fmt.Sprintf("%d of %d %s targets %s%s", len(failing), asked, p.Role, verb(len(failing), "fails", "fail"), names(failing, most))
	if reason := why(failing...); len(failing) == 1 && reason != "" && most > 0 {
		text += " (" + reason + ")"
	}
	return text
}

// State is that of the worst problem.
func (v Verdict) State() nagios.State { return v.Lead().State }

// words are the figures that break a limit, with the limit: the critical one if
// that is so.
func (a *Alarm) words(l Limits) string {
	pair := l.Warning
	if a.State == nagios.Critical {
		pair = l.Critical
	}
	var parts []string
	if a.ByLoss {
		parts = append(parts, fmt.Sprintf("loss %s of %d packets (limit %s%%)", Percent(percent(a.Lost, a.Known)), a.Known, pair.Loss))
	}
	if a.ByLoss && a.Late > 0 {
		parts = append(parts, fmt.Sprintf("%d %s came too late to count", a.Late, plural(a.Late, "answer")))
	}
	if a.ByRTA {
		parts = append(parts, fmt.Sprintf("rta %s (limit %s ms)", Milliseconds(a.First), pair.RTA))
	}
	return strings.Join(parts, ", ")
}

// figures are those that break a limit, without the limit.
func (a *Alarm) figures() string {
	if a.ByLoss {
		return "loss " + Percent(percent(a.Lost, a.Known))
	}
	return "rta " + Milliseconds(a.First)
}
