package vpn

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"checkvpn/pkg/probe"
)

// Line says what was found of one target: its state, role, group, name,
// address, figures and, where it does not answer, the reason.
func (f Finding) Line(tunnelUp bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s] %s ", f.State, f.Target.Role)
	if f.Target.Group != "" {
		b.WriteString(f.Target.Group + "/")
	}
	b.WriteString(f.Target.Name)
	if f.Target.URL != f.Target.Name {
		b.WriteString(" " + f.Target.URL)
	}
	if addr := f.Result.Addr; addr.IsValid() && addr != f.Target.Endpoint.Addr {
		b.WriteString(" (" + addr.String() + ")")
	}
	b.WriteString(": " + f.what())
	for _, text := range f.besides() {
		b.WriteString(", " + text)
	}
	if f.mayFilter(tunnelUp) {
		b.WriteString("; it " + filters)
	}
	return b.String()
}

// Note is what there is to say of the target besides its figures; empty where
// all is well.
func (f Finding) Note(tunnelUp bool) string {
	var parts []string
	if reason := f.Result.Reason(); reason != nil && f.Result.Outcome() != probe.Answered {
		parts = append(parts, reason.Error())
	}
	if answer := f.Result.Answer(); f.Answers && answer != "" {
		parts = append(parts, answer)
	}
	parts = append(parts, f.besides()...)
	if f.mayFilter(tunnelUp) {
		parts = append(parts, filters)
	}
	return strings.Join(parts, ", ")
}

const filters = "may filter, and then it can tell nothing when the tunnel breaks"

// mayFilter tells whether a gateway is silent for a reason that does not matter
// now.
func (f Finding) mayFilter(tunnelUp bool) bool {
	gateway := f.Target.Role == Near || f.Target.Role == Peer
	return !f.Answers && gateway && tunnelUp
}

// besides is what else was asked of an answering target: its way, and big
// packets.
func (f Finding) besides() (parts []string) {
	if f.OffWay != nil {
		parts = append(parts, "leaves "+f.OffWay.String())
	}
	if f.Answers && f.Result.MTU != nil {
		parts = append(parts, bigPackets(f.Result.MTU))
	}
	return parts
}

// what is the figures, or the reason why there are none.
func (f Finding) what() string {
	sent, received := f.Result.Sent(), f.Result.Received()
	reason := f.Result.Reason()
	switch outcome := f.Result.Outcome(); {
	case outcome == probe.Pending:
		return "not waited for"
	case outcome == probe.Answered && f.Target.Endpoint.Scheme != probe.ICMP:
		text := "answered in " + Milliseconds(f.RTA)
		if answer := f.Result.Answer(); answer != "" {
			text += ", " + answer
		}
		return text
	case outcome == probe.Answered:
		return fmt.Sprintf("%d of %d packets answered, loss %s, rta %s", received, sent, percent(f.Loss), Milliseconds(f.RTA))
	case onlyAlive(f) && f.Target.Endpoint.Scheme == probe.ICMP && sent > 0:
		return fmt.Sprintf("no answer to %d %s, but %s", sent, verb(sent, "packet", "packets"), reason)
	case onlyAlive(f):
		return "no answer, but " + reason.Error()
	case reason != nil && f.Target.Endpoint.Scheme == probe.ICMP && sent > 0:
		return fmt.Sprintf("no answer to %d %s, %s", sent, verb(sent, "packet", "packets"), reason)
	case reason != nil && outcome == probe.Refused && f.Answers:
		return "alive, " + reason.Error()
	case reason != nil:
		return reason.Error()
	}
	return fmt.Sprintf("no answer to %d %s", sent, verb(sent, "packet", "packets"))
}

// percent prints a share without a false 0% or 100%.
func percent(p float64) string {
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
