package main

import (
	"os"
	"time"
)

// wire is the far end of a room's device.
type wire struct{ file *os.File }

func (w wire) send(packets ...packet) {
	for _, p := range packets {
		w.sendRaw(p.raw())
	}
}

func (w wire) sendRaw(b []byte) { _, _ = w.file.Write(b) } // the room may be gone

func (w wire) later(d time.Duration, p packet) {
	time.AfterFunc(d, func() { w.send(p) })
}

// peer is whoever is behind a room's device: it is given each packet, and
// answers as it likes. It is called from one goroutine.
type peer func(wire, packet)

// serve reads the device until it is closed.
func (p peer) serve(w wire) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := w.file.Read(buffer)
		if err != nil {
			return
		}
		if in, ok := parsePacket(append([]byte(nil), buffer[:n]...)); ok {
			p(w, in)
		}
	}
}

// lives tells the machines that answer, in 10.2.0.0/24 and fd00:2::/48, from
// those of the same networks that nobody has.
func lives(p packet) bool {
	if p.to.Is4() {
		return p.to.As4()[2] == 0
	}
	return p.to.As16()[5] == 0
}

// maker makes the peer of one room, with what it remembers.
type maker func(*room) peer

// answers makes a peer that is well, nobody one that is not there.
var (
	answers = echoes(func(w wire, request packet) { w.send(request.echoReply()) })
	nobody  = echoes(func(wire, packet) {})
)

// echoes makes a peer of what is done about an echo request.
func echoes(do func(w wire, request packet)) maker {
	return func(*room) peer {
		return func(w wire, p packet) {
			if p.isEcho() && lives(p) {
				do(w, p)
			}
		}
	}
}

// afterEchoes makes a peer that is well, and has something done when the tenth
// echo request has come.
func afterEchoes(do func(*room) error) maker {
	return func(r *room) peer {
		seen, well := 0, answers(r)
		return func(w wire, p packet) {
			well(w, p)
			if p.isEcho() {
				seen++
			}
			if seen == 10 && p.isEcho() {
				r.note(do(r))
			}
		}
	}
}
