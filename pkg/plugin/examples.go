package plugin

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"checkvpn/pkg/vpn"
)

// verdicts are all that can be found of these targets, each with its state, its
// first line and, if that matters, the hours. The judge itself gives them, of
// networks that do not exist; the figures are examples.
func (e *explanation) verdicts() []string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	seen := map[string]bool{}
	for _, world := range worlds(&e.plan.Plan) {
		e.verdict(w, vpn.Imagine(&e.plan.Plan, world), seen)
	}
	timeout := vpn.Fault{Code: vpn.NoTime, Words: "the time of -t ran out"}
	j := vpn.NewJudge(&e.plan.Plan)
	j.Add(vpn.Event{Kind: vpn.Interrupted, Fault: &timeout})
	j.Step(0)
	e.verdict(w, j.Verdict(), seen)
	w.Flush()
	return lines(b.String())
}

// verdict prints a verdict once, or once in office hours and once outside of
// them if it differs.
func (e *explanation) verdict(w *tabwriter.Writer, v vpn.Verdict, seen map[string]bool) {
	hours := map[bool]string{true: ", in office hours", false: ", outside office hours"}
	cause, now := e.nameOf(v), e.firstLine(v, e.plan.staffed)
	other := now
	if e.tunnel.Staffed != nil {
		other = e.firstLine(v, !e.plan.staffed)
	}
	if seen[now+other] {
		return
	}
	seen[now+other] = true
	if now == other {
		fmt.Fprintf(w, "%s\t%s\n", cause, now)
		return
	}
	fmt.Fprintf(w, "%s%s, as now\t%s\n", cause, hours[e.plan.staffed], now)
	fmt.Fprintf(w, "%s%s\t%s\n", cause, hours[!e.plan.staffed], other)
}

// nameOf is the cause, with what tells two verdicts of one cause apart.
func (e *explanation) nameOf(v vpn.Verdict) string {
	name := string(v.Lead().Cause)
	switch alarm := v.Alarm; {
	case v.Lead().Cause != vpn.Degraded:
	case alarm.ByLoss:
		name += " (loss)"
	default:
		name += " (time)"
	}
	return name
}

// firstLine is the text of line 1 of a verdict, with the exit code if that is not
// the state's.
func (e *explanation) firstLine(v vpn.Verdict, staffed bool) string {
	p := *e.plan
	p.staffed = staffed
	v.Problems = append([]vpn.Problem{}, v.Problems...)
	out := render(e.tunnel, &p, v)
	line, _, _ := strings.Cut(out.text, "\n")
	line, _, _ = strings.Cut(line, " | ")
	if p.hostCheck {
		line += fmt.Sprintf(" (exit code %d)", out.code)
	}
	return line
}

// worlds are networks in which something is broken, from well to dead.
func worlds(p *vpn.Plan) (list []vpn.World) {
	is := func(r vpn.Role) func(vpn.Target) bool {
		return func(t vpn.Target) bool { return t.Role == r }
	}
	add := func(w vpn.World) { list = append(list, w) }
	trip := goodTrip(p)
	for _, trip := range []time.Duration{trip, 150 * time.Millisecond, 550 * time.Millisecond, 5 * time.Second} {
		add(vpn.World{Trip: trip})
	}
	add(lossy(.4, trip))
	add(lossy(.75, trip))
	first := p.Targets[0]
	add(without(p, trip, func(t vpn.Target) bool { return t.Name == first.Name }))
	if group := groupOf(p.Targets); group != "" {
		add(without(p, trip, func(t vpn.Target) bool { return t.Group == group }))
	}
	seen := map[vpn.Role]bool{vpn.Far: true}
	for _, t := range p.Targets {
		if !seen[t.Role] {
			seen[t.Role] = true
			add(without(p, trip, func(o vpn.Target) bool { return o.Name == t.Name }))
			add(without(p, trip, is(t.Role)))
		}
	}
	big := vpn.World{Trip: trip}
	big.Echo = func(l vpn.Look, _ time.Duration, bytes int) (time.Duration, bool) { return trip, bytes < p.MTU }
	add(big)
	add(vpn.World{Trip: trip, Route: func(vpn.Look) vpn.Route { return vpn.Route{Interface: "another interface"} }})
	for _, public := range []bool{true, false} {
		through := func(t vpn.Target) bool { return t.Role.ThroughTunnel || !public && !t.Role.IsGateway() }
		add(refusing(p, trip, through))
		add(without(p, trip, func(t vpn.Target) bool { return t.Role == vpn.Far }))
		add(without(p, trip, func(t vpn.Target) bool { return through(t) || t.Role.IsGateway() }))
		add(unresolved(p, trip, through))
		add(without(p, trip, func(t vpn.Target) bool { return through(t) || t.Role == vpn.Peer }))
		add(without(p, trip, through))
	}
	return list
}

// goodTrip is a round-trip time that the limits take for well.
func goodTrip(p *vpn.Plan) time.Duration {
	trips := []time.Duration{
		20 * time.Millisecond, 5 * time.Millisecond, time.Millisecond, 50 * time.Millisecond,
		200 * time.Millisecond, 100 * time.Microsecond,
	}
	for _, trip := range trips {
		if vpn.Imagine(p, vpn.World{Trip: trip}).Lead().Cause == vpn.Up {
			return trip
		}
	}
	return trips[0]
}

func groupOf(targets []vpn.Target) string {
	seen := map[string]bool{}
	for _, t := range targets {
		if t.Group != "" && seen[t.Group] {
			return t.Group
		}
		seen[t.Group] = true
	}
	return ""
}

// without is a world in which some targets are silent.
func without(p *vpn.Plan, trip time.Duration, some func(vpn.Target) bool) vpn.World {
	return vpn.World{
		Trip: trip,
		Echo: func(l vpn.Look, _ time.Duration, _ int) (time.Duration, bool) {
			return trip, !some(p.Targets[l.Target])
		},
		Connect: func(l vpn.Look) vpn.Event {
			if some(p.Targets[l.Target]) {
				return vpn.Event{}
			}
			return vpn.Event{Kind: vpn.Answered, Took: trip}
		},
	}
}

// refusing is a world in which some targets say no, if they are asked for more
// than an echo.
func refusing(p *vpn.Plan, trip time.Duration, some func(vpn.Target) bool) vpn.World {
	w := without(p, trip, some)
	w.Connect = func(l vpn.Look) vpn.Event {
		if t := p.Targets[l.Target]; some(t) && t.Role == vpn.Far {
			return vpn.Event{Kind: vpn.Refused, Took: trip, Fault: &vpn.Fault{Code: vpn.Reset, Words: "connection refused"}}
		} else if some(t) {
			return vpn.Event{}
		}
		return vpn.Event{Kind: vpn.Answered, Took: trip}
	}
	return w
}

// unresolved is a world in which some names do not exist.
func unresolved(p *vpn.Plan, trip time.Duration, some func(vpn.Target) bool) vpn.World {
	w := without(p, trip, some)
	w.Resolve = func(target int) (netip.Addr, *vpn.Fault) {
		if some(p.Targets[target]) {
			return netip.Addr{}, &vpn.Fault{Code: vpn.NoName, Words: "no such name"}
		}
		return netip.AddrFrom4([4]byte{192, 0, 2, 2}), nil
	}
	return w
}

// lossy is a world that loses this share of echo requests, there and back
// together, always in the same way.
func lossy(share float64, trip time.Duration) vpn.World {
	dice := rand.New(rand.NewPCG(1, 2))
	return vpn.World{Trip: trip, Echo: func(vpn.Look, time.Duration, int) (time.Duration, bool) {
		return trip, dice.Float64() >= share
	}}
}

// usualLoss is that of a way through the internet that nobody would complain
// about: one packet of a hundred each way.
const usualLoss = .0199

// falseAlarms counts how often packet loss alone raises an alarm, in checks of a
// network that does not exist.
func (e *explanation) falseAlarms() []string {
	if !e.pings() {
		return []string{"No far target is asked by echo requests: loss is not judged."}
	}
	checks := max(20, 2000/len(e.plan.Targets))
	world, alarms := lossy(usualLoss, goodTrip(&e.plan.Plan)), 0
	for range checks {
		if v := vpn.Imagine(&e.plan.Plan, world); v.Has(vpn.Degraded) || v.Has(vpn.Partial) || v.Down() {
			alarms++
		}
	}
	return []string{fmt.Sprintf("If one packet of 100 is lost each way by chance, %d of %d checks raise an alarm.", alarms, checks)}
}
