package main

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Echo replies that are not what they should be.

var (
	one  = []string{"-H", "10.2.0.1"}
	one6 = []string{"-H", "fd00:2::1"}
)

// withBody answers with an echo reply whose body is changed.
func withBody(change func(body []byte) []byte) maker {
	return echoes(func(w wire, p packet) {
		reply := p.echoReply()
		reply.body = change(reply.body)
		w.send(reply)
	})
}

// garbage are replies cut short at every byte, and then filled by chance.
func garbage(w wire, p packet) {
	for n := range len(p.body) {
		reply := p.echoReply()
		reply.body = reply.body[:n]
		w.send(reply)
		for i := range reply.body {
			reply.body[i] = byte(rand.Uint32())
		}
		w.sendRaw(reply.rawUnsealed())
	}
}

// whole, forged and truncated are what an ICMP error quotes of a packet: all of it;
// what nearly is that packet, with another number, identifier or address; and each
// of its beginnings.
func whole(p packet) [][]byte { return [][]byte{p.rawUnsealed()} }

func forged(p packet) (all [][]byte) {
	quote := p.rawUnsealed()
	body := len(quote) - len(p.body)
	for _, at := range []int{body - 1, body, body + 4, body + 6} {
		b := slices.Clone(quote)
		b[at] ^= 0x40
		all = append(all, b)
	}
	return all
}

func truncated(p packet) (all [][]byte) {
	quote := p.rawUnsealed()
	for n := range len(quote) - len(p.body) + 6 {
		all = append(all, quote[:n])
	}
	return all
}

// everyError sends each ICMP error that there is and many that there are not, with
// quotes, from a router or else from the host itself.
func everyError(from4, from6 netip.Addr, quotes func(packet) [][]byte) func(wire, packet) {
	return func(w wire, p packet) {
		from, types := from4, []byte{3, 4, 5, 11, 12}
		if p.from.Is6() {
			from, types = from6, []byte{1, 2, 3, 4, 127}
		}
		if !from.IsValid() {
			from = p.to
		}
		for _, quote := range quotes(p) {
			for _, kind := range types {
				for _, code := range []byte{0, 1, 3, 4, 13, 16, 255} {
					body := append([]byte{kind, code, 0, 0, 0xff, 0xff, 0xff, 0xff}, quote...)
					w.send(packet{from, p.from, p.protocol, body})
				}
			}
		}
	}
}

func icmpRows() []row {
	router4, router6, zero := netip.MustParseAddr("10.2.5.5"), netip.MustParseAddr("fd00:2:5::5"), netip.Addr{}
	other4, other6 := netip.MustParseAddr("10.2.0.99"), netip.MustParseAddr("fd00:2::99")
	wrongSource := echoes(func(w wire, p packet) {
		reply := p.echoReply()
		if reply.from = other4; p.from.Is6() {
			reply.from = other6
		}
		w.send(reply)
	})
	down := func(r row) row {
		r.code, r.cause, r.says = critical, "down", "does not answer"
		if r.args == nil {
			r.args = one
		}
		return r
	}
	up := func(r row) row {
		r.code, r.cause = ok, "up"
		if r.args == nil {
			r.args = one
		}
		return r
	}
	twice := echoes(func(w wire, p packet) { w.send(p.echoReply(), p.echoReply(), p.echoReply()) })
	return []row{
		up(row{name: "echo replies as they should be"}),
		up(row{name: "echo replies as they should be, IPv6", args: one6}),
		up(row{name: "duplicate replies", peer: twice}),
		up(row{name: "duplicate replies, IPv6", peer: twice, args: one6}),
		up(row{name: "duplicate replies to a raw socket", peer: twice, rig: onlyRaw}),
		// One packet was answered: that is loss, and no answer to the others.
		down(row{name: "duplicates of the first reply alone", peer: firstOnly}).but(critical, "degraded", "loss"),
		down(row{name: "replies after their time", peer: echoes(func(w wire, p packet) { w.later(1500*time.Millisecond, p.echoReply()) })}).but(critical, "degraded", "came too late to count"),
		up(row{name: "late replies, in time", args: words("-H 10.2.0.1 -w 100,20% -c 900,60%"),
			peer: echoes(func(w wire, p packet) { w.later(700*time.Millisecond, p.echoReply()) })}).but(warning, "degraded", "limit 100 ms"),
		up(row{name: "reordered replies", peer: reordered}),
		down(row{name: "replies from another address", peer: wrongSource}),
		down(row{name: "replies from another address, IPv6", peer: wrongSource, args: one6}),
		down(row{name: "replies from another address to a raw socket", peer: wrongSource, rig: onlyRaw}),
		down(row{name: "replies with a wrong checksum", peer: echoes(func(w wire, p packet) {
			reply := p.echoReply()
			reply.body[2] ^= 0x55
			w.sendRaw(reply.rawUnsealed())
		})}),
		down(row{name: "replies with corrupted data", peer: withBody(func(b []byte) []byte { b[20] ^= 1; return b })}),
		down(row{name: "replies with corrupted data to a raw socket", rig: onlyRaw, peer: withBody(func(b []byte) []byte { b[20] ^= 1; return b })}),
		down(row{name: "replies with another identifier", peer: withBody(func(b []byte) []byte { b[4] ^= 1; return b })}),
		down(row{name: "replies with another identifier to a raw socket", rig: onlyRaw, peer: withBody(func(b []byte) []byte { b[4] ^= 1; return b })}),
		down(row{name: "replies with sequence numbers never sent", peer: withBody(func(b []byte) []byte {
			binary.BigEndian.PutUint16(b[6:], binary.BigEndian.Uint16(b[6:])+3000)
			return b
		})}),
		down(row{name: "truncated replies", peer: withBody(func(b []byte) []byte { return b[:12] })}),
		down(row{name: "requests reflected as they were", peer: echoes(func(w wire, p packet) { w.send(p.reply(p.body)) })}),
		down(row{name: "garbage in place of replies", peer: echoes(garbage)}),
		down(row{name: "garbage in place of replies to a raw socket", peer: echoes(garbage), rig: onlyRaw}),
		down(row{name: "garbage in place of replies to a raw socket, IPv6", peer: echoes(garbage), rig: onlyRaw, args: one6}),
		up(row{name: "garbage beside good replies", peer: echoes(func(w wire, p packet) { garbage(w, p); w.send(p.echoReply()) })}),
		up(row{name: "garbage beside good replies to a raw socket", rig: onlyRaw,
			peer: echoes(func(w wire, p packet) { garbage(w, p); w.send(p.echoReply()) })}),
		up(row{name: "a flood of replies", peer: echoes(func(w wire, p packet) {
			for range 500 {
				w.send(p.echoReply())
			}
		})}),
		down(row{name: "port unreachable, from a router, for echo requests",
			peer: echoes(func(w wire, p packet) { w.send(p.unreachable(netip.MustParseAddr("10.2.5.5"), 3, 4)) })}),
		down(row{name: "errors of every kind, from a router", peer: echoes(everyError(router4, router6, whole))}),
		down(row{name: "errors of every kind, from a router, IPv6", peer: echoes(everyError(router4, router6, whole)), args: one6}),
		down(row{name: "errors of every kind, from a router, to a raw socket", peer: echoes(everyError(router4, router6, whole)), rig: onlyRaw}),
		down(row{name: "errors of every kind with forged quotes", peer: echoes(everyError(zero, zero, forged))}),
		down(row{name: "errors of every kind with forged quotes, IPv6", peer: echoes(everyError(zero, zero, forged)), args: one6}),
		down(row{name: "errors of every kind with forged quotes to a raw socket", peer: echoes(everyError(zero, zero, forged)), rig: onlyRaw}),
		down(row{name: "errors with truncated quotes", peer: echoes(everyError(zero, zero, truncated))}),
		down(row{name: "errors with truncated quotes, IPv6", peer: echoes(everyError(zero, zero, truncated)), args: one6}),
		up(row{name: "errors of every kind beside good replies", peer: echoes(func(w wire, p packet) { everyError(router4, router6, whole)(w, p); w.send(p.echoReply()) })}),
		down(row{name: "prohibited, by the host itself", peer: echoes(func(w wire, p packet) { w.send(p.unreachable(p.to, 13, 1)) })}).but(warning, "filtered", "administratively prohibited, from the host itself"),
		down(row{name: "prohibited, by the host itself, IPv6", args: one6, peer: echoes(func(w wire, p packet) { w.send(p.unreachable(p.to, 13, 1)) })}).but(warning, "filtered", "administratively prohibited, from the host itself"),
		down(row{name: "errors that quote nothing of ours", peer: echoes(func(w wire, p packet) {
			p.body = []byte{8, 0, 0, 0, 1, 2, 3, 4}
			w.send(p.unreachable(p.to, 3, 4))
		})}),
	}
}

// but is the row with another end.
func (r row) but(code int, cause, says string) row {
	r.code, r.cause, r.says = code, cause, says
	return r
}

// firstOnly answers the first request, and that again for every other.
func firstOnly(*room) peer {
	var first *packet
	return func(w wire, p packet) {
		if first == nil && p.isEcho() {
			reply := p.echoReply()
			first = &reply
		}
		if p.isEcho() {
			w.send(*first)
		}
	}
}

// reordered holds five requests back and answers the last one first.
func reordered(*room) peer {
	var held []packet
	return func(w wire, p packet) {
		if !p.isEcho() {
			return
		}
		if held = append(held, p.echoReply()); len(held) == 5 {
			slices.Reverse(held)
			w.send(held...)
			held = nil
		}
	}
}

// onlyRaw leaves no other way to ICMP than a raw socket.
func onlyRaw(r *room) error { return r.Sysctl("net/ipv4/ping_group_range", "1 0") }
