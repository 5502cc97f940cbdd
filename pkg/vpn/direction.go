package vpn

import (
	"fmt"
	"slices"
	"time"
)

// Evidence for the vendor's ticket: in which direction packets pass, and how far
// they get. None of it changes a state, with one exception: counters can show
// that what was answered did not leave by the interface of --via.

// evidenceLines are sentences that can be pasted into a ticket.
func (j *Judge) evidenceLines(v *Verdict) (lines []string) {
	v.noInterface = j.missing(j.plan.Limits.Via.Interface)
	lines = append(j.direction(v), j.uncertain(v)...)
	if v.Down() {
		lines = append(lines, j.ways()...)
	}
	return lines
}

// missing is that there is no such interface; nil if there is one, or if this host
// could not find out.
func (j *Judge) missing(name string) *Fault {
	if f := j.ev.gone[name]; !f.isOwn() {
		return f
	}
	return nil
}

// counting is what an interface counted between two times.
type counting struct {
	counted
	out, in  uint64
	from, to time.Duration
	replaced bool // the interface is another than at the beginning
}

// counters are what the interface that leads into the tunnel has counted since
// the beginning, if it was counted twice.
func (j *Judge) counters() (p counting, known bool) {
	list := j.ev.counts[j.ask.tunnel]
	if len(list) < 2 {
		return p, false
	}
	first, last := list[0], list[len(list)-1]
	return counting{last, last.Out - first.Out, last.In - first.In, first.at, last.at,
		last.Out < first.Out || last.In < first.In || last.Kind != first.Kind}, true
}

// isExact tells whether the counters are those of this moment. A network card,
// and what is made of several, may be a second behind.
func (c Counters) isExact() bool {
	return !slices.Contains([]string{"", "device", "bond", "team"}, c.Kind)
}

// direction says what passed the interface that leads into the tunnel, if nothing
// is known to pass that does not belong there. It never says that nothing leaves:
// what a program like OpenVPN does not read from its interface is not counted.
func (j *Judge) direction(v *Verdict) []string {
	name := j.ask.tunnel
	isVia := name == j.plan.Limits.Via.Interface
	p, known := j.counters()
	switch {
	case name == "", name == "lo", !v.Down() && !(v.Has(Bypassed) && isVia):
		return nil
	case j.missing(name) != nil:
		return []string{"there is no interface " + name}
	case !known, !p.isExact(), !isVia && !j.leadsNowhereElse(name):
		return nil
	case p.replaced:
		return []string{name + " was replaced during this check"}
	}
	text := fmt.Sprintf("%s counted %d %s out and %d in", name, p.out, plural(int(p.out), "packet"), p.in)
	switch answered := j.answeredIn(p); {
	case !v.Has(Bypassed):
		sent := j.sentIn(p)
		if sent == "0" {
			return nil
		}
		text += ", while " + sent + " were sent to it"
	case answered > 0:
		text += fmt.Sprintf(", while at least %d %s answered", answered, verb(answered, "was", "were"))
	}
	return []string{text}
}

// leadsNowhereElse tells whether neither a gateway nor a default route is reached
// by an interface. What was not asked is not known.
func (j *Judge) leadsNowhereElse(name string) bool {
	uses := func(r Route) bool { return slices.Contains(r.Interfaces(), name) }
	if len(j.ev.defaults) == 0 || slices.ContainsFunc(j.ev.defaults, uses) {
		return false
	}
	return !j.any(func(i int, t *Target) bool {
		a := j.chosen[i]
		return t.Role.IsGateway() && a != nil && (len(a.routes) == 0 || slices.ContainsFunc(a.routes, uses))
	})
}

// sentIn is how many packets are known to have left for behind the tunnel. A
// connection is more than one.
func (j *Judge) sentIn(p counting) string {
	packets, attempts := j.leftIn(p, false)
	if attempts > 0 {
		return fmt.Sprintf("at least %d", packets+attempts)
	}
	return fmt.Sprint(packets)
}

// answeredIn is how many packets at least were answered that left between the
// counts. An attempt is the packet that asks, whatever else it takes.
func (j *Judge) answeredIn(p counting) int {
	packets, attempts := j.leftIn(p, true)
	return packets + attempts
}

// leftIn counts what left for behind the tunnel between the counts; of all that,
// or of what was answered.
func (j *Judge) leftIn(p counting, onlyAnswered bool) (packets, attempts int) {
	between := func(at time.Duration) bool { return p.from < at && at < p.to }
	for _, r := range j.ev.targets {
		if !r.target.Role.ThroughTunnel {
			continue
		}
		for _, a := range r.addrs {
			for k := range a.packets {
				e := &a.packets[k]
				left := e.state == answered || !onlyAnswered && e.state == underWay
				count(&packets, left && between(e.sent))
			}
			for k := range a.attempts {
				e := &a.attempts[k]
				left := e.state == answered || !onlyAnswered && e.state >= underWay
				count(&attempts, left && between(e.at))
			}
		}
	}
	return packets, attempts
}

// tooFewCounted tells whether the interface of --via counted fewer packets out
// than were answered.
func (j *Judge) tooFewCounted() (p counting, tooFew bool) {
	p, known := j.counters()
	via := j.plan.Limits.Via.Interface
	return p, known && via != "" && !p.replaced && p.out < uint64(j.answeredIn(p))
}

// countersContradict tells whether packets that were answered left otherwise than
// by --via, though the kernel's routes hold: a mark that nft sets cannot be asked
// for, nor which of several next hops was taken.
func (j *Judge) countersContradict() bool {
	p, tooFew := j.tooFewCounted()
	return tooFew && p.isExact()
}

// uncertain says why it cannot be told whether --via holds.
func (j *Judge) uncertain(v *Verdict) []string {
	p, tooFew := j.tooFewCounted()
	via := j.plan.Limits.Via
	several := slices.ContainsFunc(v.Findings, func(f Finding) bool { return f.Fate == Answers && f.Uncertain })
	switch {
	case v.Has(Bypassed):
		return nil
	case tooFew:
		return []string{p.Interface + " counted fewer packets than were answered, but the counters of a network card may lag: --via cannot be told"}
	case !several:
		return nil
	case via.Interface != "" && p.isExact() && !p.replaced:
		return []string{fmt.Sprintf("several routes lead to the far side: --via cannot be told, but %s counted %d packets out, and at least %d were answered",
			via, p.out, j.answeredIn(p))}
	}
	return []string{"several routes lead to the far side: --via cannot be told"}
}

// ways say how far packets get to those whose path was looked at.
func (j *Judge) ways() (lines []string) {
	for i, a := range j.chosen {
		if a == nil || j.fates[i] >= SaysNo {
			continue
		}
		path := a.course.path
		if text := j.way(a, a.from(path.First, path.Packets)); text != "" && path.Kind != "" {
			lines = append(lines, "path to "+a.addr.String()+": "+text)
		}
	}
	return lines
}

// way says which host answers farthest on the way, and who said that it ends
// there. Nothing is said if there was no time for an answer, or
// if no packet left.
func (j *Judge) way(a *asked, packets []packet) (text string) {
	hop, unreachable := 0, ""
	var farthest *ICMPMessage
	for n := range packets {
		switch m := packets[n].icmp; {
		case m == nil, !m.From.IsValid():
		case m.isTimeExceeded(a.addr):
			hop, farthest = n+1, m
		case unreachable == "" && m.what(a.addr) != "":
			unreachable = m.words(a.addr)
		}
	}
	switch {
	case farthest != nil && hop == maxHops:
		text = fmt.Sprintf("last answer from %s (hop %d): a routing loop?", farthest.From, hop)
	case farthest != nil:
		text = fmt.Sprintf("last answer from %s (hop %d)", farthest.From, hop)
	case unreachable == "" && a.icmp != nil && a.icmp.From.IsValid():
		// A router that says so once a second has said it about another packet.
		return a.icmp.words(a.addr)
	case unreachable == "" && len(packets) > 0 && packets[0].state == underWay && j.ev.lost(&packets[0], j.now):
		return "nothing on the way answers"
	}
	if text != "" && unreachable != "" {
		return text + ", then " + unreachable
	}
	return text + unreachable
}
