package probe

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// ToldError is why a target is silent, as somebody on the way said in an ICMP
// message.
type ToldError struct {
	What string     // in words of our own
	From netip.Addr // who said it
	By   Speaker    // who that is, as seen from here
}

// Speaker is who an ICMP message is from.
type Speaker uint8

// The speakers.
const (
	Another Speaker = iota // somebody on the way: a gateway, a firewall
	Target                 // the address that was asked
	Itself                 // this machine
)

// What a machine says that is alive, of one thing that it does not have.
const (
	portUnreachable     = "port unreachable"
	protocolUnreachable = "protocol unreachable"
)

func (e *ToldError) Error() string {
	switch {
	case e.Alive():
		return "alive: " + e.What + ", says the machine itself"
	case e.By == Target:
		return e.What + ", says the machine itself"
	case e.By == Itself:
		return e.What + ", says this machine"
	}
	return e.What + ", says " + e.From.String()
}

// Alive tells whether the target itself said that it has no such port: then
// packets pass both ways, and it only does not answer what it was asked.
func (e *ToldError) Alive() bool {
	return e != nil && e.By == Target && (e.What == portUnreachable || e.What == protocolUnreachable)
}

// mayPass tells what may be otherwise a moment later, while routes settle.
func (e *ToldError) mayPass() bool {
	switch e.What {
	case unreachable4[0], unreachable4[1], unreachable6[0], unreachable6[3], timeExceeded:
		return true
	}
	return false
}

// unreachable4 is what the codes of "destination unreachable" mean (RFC 792,
// RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1).
var unreachable4 = map[uint8]string{
	0:  "network unreachable",
	1:  "host unreachable",
	2:  protocolUnreachable,
	3:  portUnreachable,
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

// unreachable6 is the same for IPv6 (RFC 4443 section 3.1, RFC 7084 and RFC
// 8883 section 3).
var unreachable6 = map[uint8]string{
	0: "no route",
	1: "administratively prohibited",
	2: "beyond the scope of the source address",
	3: "address unreachable",
	4: portUnreachable,
	5: "source address fails the policy",
	6: "rejected by a route",
	7: "source route failed",
	8: "headers too long",
}

const timeExceeded = "time exceeded (a routing loop?)"

// whatICMP puts an ICMP error into words. It is empty for what is no reason to
// be silent: a packet that was too big is sent again in pieces.
func whatICMP(origin, kind, code uint8) string {
	switch {
	case origin == unix.SO_EE_ORIGIN_ICMP && kind == 3:
		return unreachable4[code]
	case origin == unix.SO_EE_ORIGIN_ICMP6 && kind == 1:
		return unreachable6[code]
	case origin == unix.SO_EE_ORIGIN_ICMP && kind == 11, origin == unix.SO_EE_ORIGIN_ICMP6 && kind == 3:
		if code == 0 {
			return timeExceeded
		}
	case origin == unix.SO_EE_ORIGIN_ICMP6 && kind == 4 && code == 1:
		return protocolUnreachable
	}
	return ""
}

// parseTold reads the control messages of one entry of an error queue: a
// sock_extended_err, and behind it the address of who sent the ICMP message.
// It is nil for an error of this machine's own, which has no such address.
func parseTold(control []byte) *ToldError {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		four := m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_RECVERR
		six := m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_RECVERR
		if !four && !six || len(m.Data) < extendedErr {
			continue
		}
		// The origin, type and code are single bytes behind the error's number.
		what := whatICMP(m.Data[4], m.Data[5], m.Data[6])
		from, ok := parseOffender(m.Data[extendedErr:])
		if what != "" && ok {
			return &ToldError{What: what, From: from}
		}
	}
	return nil
}

const extendedErr = 16 // bytes of a struct sock_extended_err

// parseOffender reads a sockaddr_in or a sockaddr_in6.
func parseOffender(b []byte) (netip.Addr, bool) {
	if len(b) < 2 {
		return netip.Addr{}, false
	}
	switch family := binary.NativeEndian.Uint16(b); {
	case family == unix.AF_INET && len(b) >= unix.SizeofSockaddrInet4:
		return netip.AddrFrom4([4]byte(b[4:8])), true
	case family == unix.AF_INET6 && len(b) >= unix.SizeofSockaddrInet6:
		return netip.AddrFrom16([16]byte(b[8:24])).Unmap(), true
	}
	return netip.Addr{}, false
}
