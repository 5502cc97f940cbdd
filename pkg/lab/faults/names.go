package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Name servers that are silent, broken or mean harm.

// nameServer answers a query, over TCP or UDP, in so many datagrams.
type nameServer func(query dnsmessage.Message, overTCP bool) [][]byte

// resolver runs a name server in the room, at the address that programs ask
// there.
func resolver(s nameServer) func(*room) error {
	return func(r *room) error {
		const address = "127.0.0.1:53"
		var udp net.PacketConn
		err := r.Do(func() (err error) {
			udp, err = net.ListenPacket("udp", address)
			return err
		})
		if err != nil {
			return err
		}
		r.closeLater(udp)
		go func() {
			buffer := make([]byte, 4096)
			for {
				n, from, err := udp.ReadFrom(buffer)
				if err != nil {
					return
				}
				var q dnsmessage.Message
				if q.Unpack(buffer[:n]) == nil {
					for _, answer := range s(q, false) {
						udp.WriteTo(answer, from)
					}
				}
			}
		}()
		if err := r.listen(address, s.serveTCP); err != nil {
			return err
		}
		return r.SetResolver(netip.MustParseAddr("127.0.0.1"))
	}
}

func (s nameServer) serveTCP(conn net.Conn) {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	text := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, text); err != nil {
		return
	}
	var q dnsmessage.Message
	if q.Unpack(text) != nil {
		return
	}
	for _, answer := range s(q, true) {
		conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	}
	time.Sleep(100 * time.Millisecond)
}

// answer makes a response, and has it changed.
func answer(change func(*dnsmessage.Message)) nameServer {
	return func(q dnsmessage.Message, overTCP bool) [][]byte {
		q.Response, q.RecursionAvailable, q.Additionals = true, true, nil
		change(&q)
		text, err := q.Pack()
		if err != nil {
			panic(err)
		}
		if len(text) > 512 && !overTCP {
			q.Answers, q.Truncated = nil, true
			text, _ = q.Pack()
		}
		return [][]byte{text}
	}
}

// addresses answers with these, of the family that was asked for.
func addresses(list ...string) nameServer {
	return answer(func(m *dnsmessage.Message) {
		for _, text := range list {
			addResource(m, m.Questions[0].Name, netip.MustParseAddr(text))
		}
	})
}

func addResource(m *dnsmessage.Message, name dnsmessage.Name, a netip.Addr) {
	h := dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: 60, Type: m.Questions[0].Type}
	switch {
	case h.Type == dnsmessage.TypeA && a.Is4():
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
	case h.Type == dnsmessage.TypeAAAA && a.Is6():
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
	}
}

// many are addresses that nobody has, and one that answers at a place.
func many(count, good int) (list []string) {
	for i := range count {
		if i == good {
			list = append(list, "10.2.0.1")
			continue
		}
		list = append(list, fmt.Sprintf("10.2.%d.%d", 1+i/250, 1+i%250))
	}
	return list
}

func code(c dnsmessage.RCode) nameServer {
	return answer(func(m *dnsmessage.Message) { m.RCode = c })
}

// bytesOf answers with what is no message at all, or hardly one.
func bytesOf(make func(id uint16, question []byte) []byte) nameServer {
	return func(q dnsmessage.Message, _ bool) [][]byte {
		text, _ := q.Pack()
		return [][]byte{make(q.ID, text[12:])}
	}
}

func silence(dnsmessage.Message, bool) [][]byte { return nil }

func nameRows() []row {
	name := []string{"-H", "a.example"}
	broken := func(title string, s nameServer, says string) row {
		return row{name: "resolver " + title, args: name, rig: resolver(s), code: critical, cause: "resolver-down", says: says}
	}
	found := func(title string, s nameServer) row {
		return row{name: "resolver answers with " + title, args: name, rig: resolver(s), code: ok, cause: "up"}
	}
	const silent, refuses, none = "the resolver is silent", "the resolver refuses", "no such name"
	header := func(id uint16, flags, questions, answers uint16) []byte {
		b := binary.BigEndian.AppendUint16(nil, id)
		for _, v := range []uint16{flags, questions, answers, 0, 0} {
			b = binary.BigEndian.AppendUint16(b, v)
		}
		return b
	}
	cname := answer(func(m *dnsmessage.Message) {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, Type: dnsmessage.TypeCNAME},
			Body:   &dnsmessage.CNAMEResource{CNAME: m.Questions[0].Name}})
	})
	hostile := answer(func(m *dnsmessage.Message) {
		name := dnsmessage.MustNewName("a|b<b>\x1b[31m\n\xff.example.")
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, Type: dnsmessage.TypeCNAME},
			Body:   &dnsmessage.CNAMEResource{CNAME: name}})
		addResource(m, name, netip.MustParseAddr("10.2.0.1"))
	})
	return []row{
		broken("silent", silence, silent),
		broken("silent, -t 8", silence, silent).of(8),
		broken("silent, -t 1", silence, silent).of(1).with("-c", "500,60%"),
		broken("refusing", code(dnsmessage.RCodeRefused), refuses),
		broken("failing", code(dnsmessage.RCodeServerFailure), refuses),
		broken("knowing no such name", code(dnsmessage.RCodeNameError), none),
		broken("knowing no address", addresses(), none),
		broken("answering garbage", bytesOf(func(uint16, []byte) []byte { return []byte("garbage") }), ""),
		broken("answering an endless name", bytesOf(func(id uint16, q []byte) []byte {
			return append(append(header(id, 0x8180, 1, 1), q...), 0xc0, byte(12+len(q)), 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 10, 2, 0, 1)
		}), ""),
		broken("answering 65,535 answers in no bytes", bytesOf(func(id uint16, q []byte) []byte {
			return append(header(id, 0x8180, 1, 65535), q...)
		}), ""),
		broken("answering with another id", answer(func(m *dnsmessage.Message) {
			addResource(m, m.Questions[0].Name, netip.MustParseAddr("10.2.0.1"))
			m.ID++
		}), silent),
		broken("answering another question", answer(func(m *dnsmessage.Message) {
			m.Questions[0].Name = dnsmessage.MustNewName("b.example.")
			addResource(m, m.Questions[0].Name, netip.MustParseAddr("10.2.0.1"))
		}), silent),
		broken("answering that a name is its own alias", cname, ""),
		broken("answering truncated for ever", answer(func(m *dnsmessage.Message) { m.Truncated = true }), ""),
		broken("answering addresses of nobody", addresses("0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1", "::ffff:0.0.0.0"), none),
		found("an address", addresses("10.2.0.1")),
		found("an IPv6 address alone", addresses("fd00:2::1")),
		found("one good address among dead ones", addresses(many(7, 3)...)),
		found("a dead IPv6 and a good IPv4 address", addresses("fd00:2:9::1", "10.2.0.1")),
		found("a hostile alias", hostile),
		found("2,000 addresses, the third one good", addresses(many(2000, 2)...)),
		found("2,000 addresses, all dead", addresses(many(2000, -1)...)).but(critical, "down", ""),
		broken("with an IPv6 address alone, and -4", addresses("fd00:2::1"), none).with("-4"),
		{name: "resolver silent, and twenty names", rig: resolver(silence), args: twenty(), code: critical, cause: "resolver-down", says: silent},
		{name: "resolver silent, and an address besides", rig: resolver(silence), args: words("-H a.example -H 10.2.0.1"), code: warning, cause: "partial"},
		{name: "no resolver at all", args: name, code: critical, cause: "resolver-down", says: refuses},
	}
}

func twenty() (args []string) {
	for i := range 20 {
		args = append(args, "-H", fmt.Sprintf("m%d.example", i))
	}
	return args
}

// of is the row with another -t.
func (r row) of(seconds int) row {
	r.seconds = seconds
	return r
}

// with is the row with more arguments.
func (r row) with(args ...string) row {
	r.args = append(append([]string(nil), r.args...), args...)
	return r
}
