package probe

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// Which packet is meant. An echo request says three things that come back: an
// id, the same for all of a socket's packets; a sequence number of 16 bits; and
// data, which begins with a secret of the socket. A router need not quote the
// data.

const icmpHeader = 8 // bytes, of an echo request or reply

// echoForm is what differs between the two families.
type echoForm struct {
	unspecified    netip.Addr
	request, reply icmp.Type
	ipHeader       int // bytes
	tooBig         [2]uint8
}

func formOf(f Family) echoForm {
	if f == IPv6 {
		return echoForm{netip.IPv6Unspecified(), ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply, 40, [2]uint8{2, 0}}
	}
	return echoForm{netip.IPv4Unspecified(), ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply, 20, [2]uint8{3, 4}}
}

func (f echoForm) least() int { return f.ipHeader + icmpHeader }

// usual is the size of a small packet. It is that of the pinger's.
func (f echoForm) usual() int { return f.least() + 24 }

// echoTable remembers the packets that a socket has sent, and finds the one that
// a message from the network is about. It is not safe for concurrent use.
type echoTable struct {
	echoForm
	id     int
	cookie [16]byte
	next   uint16 // sequence number on the wire
	sent   map[uint16]*sentEcho
}

// sentEcho is one packet that has left. It gets one reply and one error at most,
// so that nobody can make many events of one packet.
type sentEcho struct {
	echoRequest
	answered, failed bool
}

// newEchoTable begins at a random number and with a random id, which the kernel
// replaces for datagram sockets.
func newEchoTable(f Family) *echoTable {
	t := &echoTable{echoForm: formOf(f), sent: make(map[uint16]*sentEcho)}
	var random [4]byte
	rand.Read(random[:])
	rand.Read(t.cookie[:])
	t.id, t.next = int(binary.NativeEndian.Uint16(random[:])), binary.NativeEndian.Uint16(random[2:])
	return t
}

// packet gives the bytes of the next packet, from the ICMP header on.
//
// The data is random: a tunnel that compresses would make a large packet of
// zeros small.
func (t *echoTable) packet(r echoRequest) []byte {
	data := make([]byte, r.Bytes-t.least())
	rand.Read(data)
	copy(data, t.cookie[:])
	m := icmp.Message{Type: t.request, Body: &icmp.Echo{ID: t.id, Seq: int(t.next), Data: data}}
	packet, err := m.Marshal(nil)
	if err != nil {
		panic(err) // an echo request always has a form
	}
	return packet
}

// add takes the next packet in, when it has left. The number of the 65,536th
// packet before is used again, and that one forgotten.
func (t *echoTable) add(r echoRequest) *sentEcho {
	p := &sentEcho{echoRequest: r}
	t.sent[t.next] = p
	t.next++
	return p
}

// answers finds the packet that an ICMP message from an address answers: the
// address is the one that was asked, and the data is what was sent, as far as
// that is remembered. It is nil for any other message, and for a second answer.
func (t *echoTable) answers(b []byte, from netip.Addr) *sentEcho {
	p, data := t.find(t.reply, b, from)
	if p == nil || p.answered || t.ipHeader+len(b) != p.Bytes || !t.begins(data) {
		return nil
	}
	p.answered = true
	return p
}

// isAbout finds the packet that an ICMP error is about, by what it quotes. It is
// nil for a packet of somebody else, for a second error about the same one, and
// for what is no error: a packet is passed on although there is a redirect.
func (t *echoTable) isAbout(q queuedError) *sentEcho {
	if !isICMPError(q) {
		return nil
	}
	p, data := t.find(t.request, q.Quote, q.To)
	if p == nil || p.failed {
		return nil
	}
	// Behind the ICMP header a router may quote nothing, or pad with zeros
	// (RFC 4884 section 4.5).
	if !t.begins(data) && len(bytes.Trim(data, "\x00")) > 0 {
		return nil
	}
	p.failed = true
	return p
}

// find finds the packet to an address that has the numbers of a message, and
// gives the message's data.
func (t *echoTable) find(kind icmp.Type, b []byte, to netip.Addr) (p *sentEcho, data []byte) {
	m, err := icmp.ParseMessage(kind.Protocol(), b)
	if err != nil || m.Type != kind || m.Code != 0 {
		return nil, nil
	}
	echo := m.Body.(*icmp.Echo)
	p = t.sent[uint16(echo.Seq)]
	if p == nil || echo.ID != t.id || p.To.WithZone("") != to {
		return nil, nil
	}
	return p, echo.Data
}

// begins tells whether data begins with the cookie, or with as much of it as
// there is room for.
func (t *echoTable) begins(data []byte) bool {
	n := min(len(data), len(t.cookie))
	return bytes.Equal(data[:n], t.cookie[:n])
}

// isICMPError tells what stops a packet: it did not arrive, was too big, was
// under way for too long or was not understood.
func isICMPError(q queuedError) bool {
	switch q.Origin {
	case unix.SO_EE_ORIGIN_ICMP:
		return q.Type == 3 || q.Type == 11 || q.Type == 12
	case unix.SO_EE_ORIGIN_ICMP6:
		return q.Type >= 1 && q.Type <= 4
	}
	return false
}

// withoutIPHeader cuts an IPv4 header off, which raw sockets receive too. It
// gives nothing if the ICMP message has a wrong checksum, another than it gets
// when it is made again: the kernel has not looked at it yet.
func withoutIPHeader(b []byte) []byte {
	if len(b) < 20 {
		return nil
	}
	b = b[min(len(b), int(b[0]&0xf)*4):]
	m, err := icmp.ParseMessage(unix.IPPROTO_ICMP, b)
	if err != nil {
		return nil
	}
	again, err := m.Marshal(nil)
	if err != nil || !bytes.Equal(again, b) {
		return nil
	}
	return b
}
