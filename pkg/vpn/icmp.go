package vpn

import "net/netip"

// Kinds of ICMP errors (RFC 792, RFC 4443).
const (
	unreachable4  = 3
	timeExceeded4 = 11
	unreachable6  = 1
	tooBig6       = 2
	timeExceeded6 = 3
	parameter6    = 4
	needsFragment = 4 // a code of unreachable4
)

// codes4 is what the codes of "destination unreachable" mean (RFC 792, RFC 1122
// section 3.2.2.1, RFC 1812 section 5.2.7.1).
var codes4 = map[uint8]string{
	0:  "network unreachable",
	1:  "host unreachable",
	2:  "protocol unreachable",
	3:  "port unreachable",
	4:  "too big",
	5:  "source route failed",
	6:  "network unknown",
	7:  "host unknown",
	8:  "source host isolated",
	9:  "network administratively prohibited",
	10: "host administratively prohibited",
	11: "network unreachable for this DSCP",
	12: "host unreachable for this DSCP",
	13: "administratively prohibited",
	14: "prohibited for this precedence",
	15: "prohibited for this precedence",
}

// codes6 is the same for IPv6 (RFC 4443 section 3.1, RFC 7084, RFC 8883
// section 3).
var codes6 = map[uint8]string{
	0: "no route",
	1: "administratively prohibited",
	2: "beyond the scope of the source address",
	3: "host unreachable",
	4: "port unreachable",
	5: "source address fails the policy",
	6: "rejected by a route",
	7: "source route failed",
	8: "headers too long",
}

// what is the error in a few words, about a packet to an address of that
// family; empty if it is of a kind that says nothing of the way.
func (e ICMPMessage) what(asked netip.Addr) string {
	switch {
	case asked.Is4() && e.Type == unreachable4:
		return codes4[e.Code]
	case asked.Is6() && e.Type == unreachable6:
		return codes6[e.Code]
	case asked.Is6() && e.Type == tooBig6:
		return "too big"
	case e.isTimeExceeded(asked):
		return "time exceeded"
	case asked.Is6() && e.Type == parameter6 && e.Code == 1:
		return "protocol unreachable"
	}
	return ""
}

func (e ICMPMessage) isTooBig(asked netip.Addr) bool {
	return asked.Is4() && e.Type == unreachable4 && e.Code == needsFragment || asked.Is6() && e.Type == tooBig6
}

func (e ICMPMessage) isTimeExceeded(asked netip.Addr) bool {
	return e.Code == 0 && (asked.Is4() && e.Type == timeExceeded4 || asked.Is6() && e.Type == timeExceeded6)
}

// words are the error and who sent it: "host unreachable, from 10.3.0.1".
func (e ICMPMessage) words(asked netip.Addr) string {
	text := e.what(asked)
	if e.isTimeExceeded(asked) {
		text += " (a routing loop?)"
	}
	switch {
	case !e.From.IsValid():
		return text + ", from this host"
	case e.From == asked.WithZone(""):
		return text + ", from the host itself"
	}
	return text + ", from " + e.From.String()
}
