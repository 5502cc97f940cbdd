package plugin

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
	"checkvpn/pkg/vpn"
)

// Moment is a time of the wall clock that stands for others: what a verdict
// means for people is the same at all of them.
type Moment struct {
	Name string // to follow a state, as "outside office hours"
	Time time.Time
}

// verdicts are all that can be found, each with its state, its first line and,
// where that matters, the moment.
func (e *explanation) verdicts() []string {
	moments := []Moment{{Time: e.now}}
	if e.tunnel.Moments != nil {
		moments = e.tunnel.Moments(e.now)
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	seen := map[string]bool{}
	for _, v := range append(e.foreseen(), vpn.Verdict{}.Failed(errTime, e.plan.onTimeout)) {
		said := make([]string, len(moments))
		for i, m := range moments {
			said[i] = e.firstLine(v, m.Time)
		}
		all := strings.Join(said, "\n")
		if seen[all] {
			continue
		}
		seen[all] = true
		for i, m := range moments {
			if all == strings.Repeat(said[0]+"\n", len(said)-1)+said[0] {
				fmt.Fprintf(w, "%s\t%s\n", v.Cause, said[0])
				break
			}
			fmt.Fprintf(w, "%s, %s\t%s\n", v.Cause, m.Name, said[i])
		}
	}
	w.Flush()
	return lines(b.String())
}

func (e *explanation) foreseen() []vpn.Verdict {
	return vpn.Foresee(e.plan.limits, e.plan.targets, e.plan.settings.MaxPackets, e.plan.mtu)
}

// firstLine is the text of line 1 of a verdict at a moment, with the exit code
// where that is not the state's.
func (e *explanation) firstLine(v vpn.Verdict, at time.Time) string {
	out := speak(e.tunnel, e.plan, v, at)
	line, _, _ := strings.Cut(out.text, "\n")
	line, _, _ = strings.Cut(line, " | ")
	if e.plan.hostCheck {
		line += fmt.Sprintf(" (exit code %d)", out.code)
	}
	return line
}

// lossPerPacket is the loss that the odds are told for: that of a way through
// the internet that nobody would complain about.
const lossPerPacket = .01

// falseAlarms are the odds that packet loss alone raises an alarm.
func (e *explanation) falseAlarms() []string {
	machines := 0
	for _, t := range e.plan.targets {
		if t.Role == vpn.Far && t.Endpoint.Scheme == probe.ICMP {
			machines++
		}
	}
	limit, known := lowest(e.plan.limits.Warning.Loss, e.plan.limits.Critical.Loss)
	switch {
	case machines == 0:
		return []string{"No far target is asked by echo requests: loss is not judged."}
	case !known:
		return []string{"The limits on packet loss are ranges, for which the odds are not known."}
	}
	alarm, sent := vpn.Odds(lossPerPacket, e.plan.settings.Packets, e.plan.settings.MaxPackets, limit)
	all := 1 - math.Pow(1-alarm, float64(machines))
	return []string{
		fmt.Sprintf("Where one packet of 100 is lost by chance, there and back together, a check sends %.1f packets to each", sent),
		fmt.Sprintf("machine on average, and with %d %s %s.", machines, plural(machines, "machine"), once(all)),
	}
}

// lowest is the lowest of the limits that are plain numbers.
func lowest(limits ...nagios.Limit) (number float64, known bool) {
	for _, l := range limits {
		if n, plain := l.Number(); plain && (!known || n < number) {
			number, known = n, true
		}
	}
	return number, known
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// once says how often something of this chance happens, with two digits that
// matter, and how long that is apart with a check a minute.
func once(chance float64) string {
	checks := 1 / chance
	switch {
	case chance >= .5:
		return "the limit is passed more often than not"
	case !(checks < 1e9):
		return "less than one check of a billion is a false alarm"
	}
	digits := math.Pow10(int(math.Log10(checks)) - 1)
	apart := time.Duration(checks * float64(time.Minute))
	words := fmt.Sprintf("%.0f minutes", apart.Minutes())
	switch {
	case apart > 2*365*24*time.Hour:
		words = fmt.Sprintf("%.0f years", apart.Hours()/24/365)
	case apart > 48*time.Hour:
		words = fmt.Sprintf("%.0f days", apart.Hours()/24)
	case apart > 2*time.Hour:
		words = fmt.Sprintf("%.0f hours", apart.Hours())
	}
	return fmt.Sprintf("one check of about %.0f is a false alarm: one in %s at a check a minute", math.Round(checks/digits)*digits, words)
}
