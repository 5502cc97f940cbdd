package main

import (
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"checkvpn/pkg/lab"
)

// wire is the far end of a device of the place.
type wire struct {
	*place
	file *os.File
}

func (w wire) send(packets ...lab.Packet) {
	for _, p := range packets {
		_, _ = w.file.Write(p.Raw()) // the place may be gone
	}
}

// peer is whoever is behind a device: it is given each packet, and answers as it
// likes. It is called from one goroutine, and is that of one row: so it may
// remember.
type peer func(wire, lab.Packet)

func (p peer) serve(w wire) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := w.file.Read(buffer)
		if err != nil {
			return
		}
		if in, ok := lab.ParsePacket(slices.Clone(buffer[:n])); ok {
			p(w, in)
		}
	}
}

// lives tells the hosts that answer, in 10.2.0.0/24 and fd00:2::/48, from those of
// the same networks that nobody has.
func lives(p lab.Packet) bool {
	if p.To.Is4() {
		return p.To.As4()[2] == 0
	}
	return p.To.As16()[5] == 0
}

// replies makes a peer that does this about each packet to a host that answers.
func replies(do peer) peer {
	return func(w wire, p lab.Packet) {
		if lives(p) {
			do(w, p)
		}
	}
}

// echoes is replies to echo requests alone.
func echoes(do peer) peer {
	return replies(func(w wire, p lab.Packet) {
		if p.IsEcho() {
			do(w, p)
		}
	})
}

// answers is a peer that is well, nobody one that is not there, and hanging one that
// reads nothing more, as a tunnel's daemon that hangs.
var (
	answers = echoes(func(w wire, request lab.Packet) { w.send(echoReply(request)) })
	nobody  = peer(func(wire, lab.Packet) {})
	hanging = peer(func(wire, lab.Packet) { time.Sleep(patience) })
)

// at makes a peer that answers after a while, and has something done when the echo
// request of this number has come.
func at(number int, after time.Duration, do breaker) peer {
	seen := 0
	return echoes(func(w wire, p lab.Packet) {
		time.AfterFunc(after, func() { w.send(echoReply(p)) })
		if seen++; seen == number && do != nil {
			w.note(do(w.place))
		}
	})
}

func echoReply(p lab.Packet) lab.Packet {
	body := slices.Clone(p.Body)
	body[0] = 0
	if p.Protocol == unix.IPPROTO_ICMPV6 {
		body[0] = 129
	}
	return lab.Packet{From: p.To, To: p.From, Protocol: p.Protocol, Body: body}
}

// unreachable sends an ICMP error about each packet, of the codes of IPv4 and of
// IPv6, from a router or the host itself.
func unreachable(code4, code6 byte, router bool) peer {
	return replies(func(w wire, p lab.Packet) {
		from := lab.Addrs("10.2.5.5", "fd00:2:5::5")
		if !router {
			from = []netip.Addr{p.To}
		}
		w.send(p.Unreachable(from, code4, code6))
	})
}

// firstOnly answers the first request, and that again for every other.
func firstOnly() peer {
	var first *lab.Packet
	return echoes(func(w wire, p lab.Packet) {
		if first == nil {
			reply := echoReply(p)
			first = &reply
		}
		w.send(*first)
	})
}

// reordered holds five requests back and answers the last one first.
func reordered() peer {
	var held []lab.Packet
	return echoes(func(w wire, p lab.Packet) {
		if held = append([]lab.Packet{echoReply(p)}, held...); len(held) == 5 {
			w.send(held...)
			held = nil
		}
	})
}

var (
	one  = words("-H 10.2.0.1")
	one6 = words("-H fd00:2::1")
	// A hundred packets take two seconds: what happens at the tenth is in mid-run.
	long = words("-H 10.2.0.1 -n 100 -i 20")
)

// onlyRaw leaves no other way to ICMP than a raw socket.
func onlyRaw(p *place) error { return p.Sysctl("net/ipv4/ping_group_range", "1 0") }

// farEnds are hosts that answer oddly, or somebody for them. What a single packet may
// look like, forged, cut short or garbled, is tested in pkg/probe.
func farEnds() []scenario {
	tcp := words("-H tcp://10.2.0.1:5432")
	const router, prohibited, port = "from 10.2.5.5", "administratively prohibited, from the host itself", "port unreachable, from a router"
	return []scenario{
		up("echo replies", one...),
		up("echo replies, IPv6", one6...),
		up("a flood of replies", one...).from(echoes(func(w wire, p lab.Packet) {
			for range 500 {
				w.send(echoReply(p))
			}
		})),
		up("reordered replies", one...).from(reordered()),
		// One packet was answered: that is loss, and no answer to the others.
		down("duplicates of the first reply alone", one...).from(firstOnly()).but("CRITICAL degraded", "loss"),
		down("late replies, in time", append(words("-w 100,20% -c 2000,60%"), one...)...).from(at(0, 700*time.Millisecond, nil)).but("WARNING degraded", "limit 100 ms"),
		down("prohibited, by the host itself", one...).from(unreachable(13, 1, false)).but("WARNING filtered", prohibited),
		down("prohibited, by the host itself, IPv6", one6...).from(unreachable(13, 1, false)).but("WARNING filtered", prohibited),
		down("port unreachable, from the host itself, TCP", tcp...).from(unreachable(3, 4, false)).but("WARNING filtered", "port unreachable, from the host itself"),
		down(port, one...).from(unreachable(3, 4, true)),
		down(port+", TCP", tcp...).from(unreachable(3, 4, true)).but("CRITICAL down", router),
		down(port+", TCP, IPv6", words("-H tcp://[fd00:2::1]:5432")...).from(unreachable(3, 4, true)).but("CRITICAL down", "from fd00:2:5::5"),
		down(port+", HTTP", words("-H http://10.2.0.1/")...).from(unreachable(3, 4, true)).but("CRITICAL down", router),
		down(port+", IKE", words("-H ike://10.2.0.1")...).from(unreachable(3, 4, true)).but("CRITICAL down", router),
		down(port+", a peer by TCP", words("-H 10.2.9.9 --peer tcp://10.2.0.1:22")...).from(unreachable(3, 4, true)).but("CRITICAL peer-down"),
		silent("TCP silent", tcp...).from(nobody),
		silent("IKE silent", words("-H ike://10.2.0.1")...).from(nobody),
	}
}
