package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"slices"
)

// IKE peers that send what is no answer. None of it may count as one.

// ike makes a peer of what is answered to a request of IKE_SA_INIT, without the
// marker that stands before it on port 4500.
func ike(answers func(request []byte) [][]byte) maker {
	return func(*room) peer {
		return func(w wire, p packet) {
			_, port := p.udpPorts()
			if port != 500 && port != 4500 || !lives(p) {
				return
			}
			request, marker := p.body[8:], []byte(nil)
			if port == 4500 {
				request, marker = request[4:], make([]byte, 4)
			}
			for _, a := range answers(request) {
				w.send(p.udpReply(slices.Concat(marker, a)))
			}
		}
	}
}

// ikeAnswer is what a sound peer sends: that it wants another group.
func ikeAnswer(request []byte) []byte {
	a := make([]byte, 38)
	copy(a, request[:8])
	a[16], a[17], a[18], a[19] = 41, 0x20, 34, 0x20
	binary.BigEndian.PutUint32(a[24:], uint32(len(a)))
	copy(a[28:], []byte{0, 0, 0, 10, 0, 0, 0, 17, 0, 14})
	return a
}

// changed is a sound answer after a change.
func changed(change func([]byte)) func([]byte) [][]byte {
	return func(request []byte) [][]byte {
		a := ikeAnswer(request)
		change(a)
		return [][]byte{a}
	}
}

func ikeRows() []row {
	target := words("-H ike://10.2.0.1")
	silent := func(title string, a func([]byte) [][]byte) row {
		return row{name: "IKE " + title, peer: ike(a), args: target, code: critical, cause: "down"}
	}
	sound := func(q []byte) [][]byte { return [][]byte{ikeAnswer(q)} }
	return []row{
		{name: "IKE as it should be", peer: ike(sound), args: target, code: ok, cause: "up"},
		{name: "IKE as it should be, IPv6", peer: ike(sound), args: words("-H ike://[fd00:2::1]"), code: ok, cause: "up"},
		{name: "IKE as it should be, port 4500", peer: ike(sound), args: words("-H ike://10.2.0.1:4500"), code: ok, cause: "up"},
		{name: "IKE as it should be, after garbage", peer: ike(func(q []byte) [][]byte { return [][]byte{q, {1}, ikeAnswer(q)} }), args: target, code: ok, cause: "up"},
		{name: "a peer by IKE as it should be", peer: ike(sound), args: words("-H 10.2.9.9 --peer ike://10.2.0.1"), code: critical, cause: "tunnel-down"},
		{name: "a peer by IKE that answers garbage", args: words("-H 10.2.9.9 --peer ike://10.2.0.1"), code: critical, cause: "peer-down",
			peer: ike(changed(func(a []byte) { rand.Read(a) }))},
		silent("silent", func([]byte) [][]byte { return nil }),
		silent("empty", func([]byte) [][]byte { return [][]byte{{}} }),
		silent("garbage", changed(func(a []byte) { rand.Read(a) })),
		silent("garbage with our SPI", changed(func(a []byte) { rand.Read(a[8:]); a[17] = 0xf0 })),
		silent("truncated at each byte", func(q []byte) (all [][]byte) {
			for n := range ikeAnswer(q) {
				all = append(all, ikeAnswer(q)[:n])
			}
			return all
		}),
		silent("longer than it says, by each byte", func(q []byte) (all [][]byte) {
			for n := range 40 {
				all = append(all, append(ikeAnswer(q), bytes.Repeat([]byte{0}, n+1)...))
			}
			return all
		}),
		silent("reflected", func(q []byte) [][]byte { return [][]byte{q} }),
		silent("reflected with the response flag off and on", func(q []byte) [][]byte {
			r := bytes.Clone(q)
			r[19] |= 0x20 // still the initiator's flag
			return [][]byte{q, r}
		}),
		silent("answered by another SPI", changed(func(a []byte) { a[0] ^= 1 })),
		silent("answered by no SPI", changed(func(a []byte) { clear(a[:8]) })),
		silent("answered to another message", changed(func(a []byte) { a[23] = 1 })),
		silent("answered in another exchange", changed(func(a []byte) { a[18] = 35 })),
		silent("of version 3", changed(func(a []byte) { a[17] = 0x30 })),
		silent("with a payload that has no end", changed(func(a []byte) { a[31] = 0 })),
		silent("with a length of 4 GB", changed(func(a []byte) { binary.BigEndian.PutUint32(a[24:], 0xffffffff) })),
		silent("with a status that says nothing", changed(func(a []byte) { binary.BigEndian.PutUint16(a[34:], 16388) })),
		silent("flooded with garbage", func(q []byte) (all [][]byte) {
			for range 2000 {
				all = append(all, q[:20])
			}
			return all
		}),
		{name: "IKE from another port", args: target, code: critical, cause: "down", peer: func(*room) peer {
			return func(w wire, p packet) {
				if _, port := p.udpPorts(); port == 500 {
					answer := p.udpReply(ikeAnswer(p.body[8:]))
					answer.body[1]++
					w.send(answer)
				}
			}
		}},
		{name: "IKE from another address", args: target, code: critical, cause: "down", peer: func(*room) peer {
			return func(w wire, p packet) {
				if _, port := p.udpPorts(); port == 500 {
					answer := p.udpReply(ikeAnswer(p.body[8:]))
					answer.from = answer.from.Next()
					w.send(answer)
				}
			}
		}},
		{name: "IKE without the marker on port 4500", args: words("-H ike://10.2.0.1:4500"), code: critical, cause: "down", peer: func(*room) peer {
			return func(w wire, p packet) {
				if _, port := p.udpPorts(); port == 4500 {
					w.send(p.udpReply(ikeAnswer(p.body[12:])))
				}
			}
		}},
	}
}
