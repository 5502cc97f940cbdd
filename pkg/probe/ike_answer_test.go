package probe

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"
)

// ikeMessage builds a message by hand: the fields of the header in which
// answers differ, and a chain of payloads.
type ikeMessage struct {
	responder uint64
	version   byte
	exchange  byte
	flags     byte
	id        uint32
	payloads  []ikePayload
}

func (m ikeMessage) bytes(spi [8]byte) []byte {
	b := binary.BigEndian.AppendUint64(spi[:], m.responder)
	b = append(b, 0, m.version, m.exchange, m.flags)
	b = binary.BigEndian.AppendUint32(b, m.id)
	b = append(b, 0, 0, 0, 0)
	at := 16 // where the type of the next payload goes
	for _, p := range m.payloads {
		b[at], at = p.kind, len(b)
		b = binary.BigEndian.AppendUint16(append(b, 0, 0), uint16(4+len(p.body)))
		b = append(b, p.body...)
	}
	binary.BigEndian.PutUint32(b[24:], uint32(len(b)))
	return b
}

// v2 is an IKE_SA_INIT response.
func v2(payloads ...ikePayload) ikeMessage {
	return ikeMessage{responder: 7, version: 0x20, exchange: 34, flags: 0x20, payloads: payloads}
}

// v1 is an IKEv1 Informational exchange in the clear.
func v1(payloads ...ikePayload) ikeMessage {
	return ikeMessage{version: 0x10, exchange: 5, id: 0x1234, payloads: payloads}
}

func notify(kind uint16, data ...byte) ikePayload {
	return ikePayload{41, append(binary.BigEndian.AppendUint16([]byte{0, 0}, kind), data...)}
}

func notifyV1(kind uint16) ikePayload {
	return ikePayload{11, binary.BigEndian.AppendUint16([]byte{0, 0, 0, 1, 1, 0}, kind)}
}

func noProposal(spi [8]byte) []byte { return v2(notify(14)).bytes(spi) }
func cookie(spi [8]byte) []byte     { return v2(notify(16390, 1, 2, 3)).bytes(spi) }

var (
	someSA    = ikePayload{33, make([]byte, 44)}
	someKE    = ikePayload{34, make([]byte, 100)}
	someNonce = ikePayload{40, make([]byte, 32)}
	vendor    = ikePayload{43, []byte("vendor")}
)

// captured are answers of a real peer (strongSwan 5.9.8), each with its SPI as
// the first eight octets.
var captured = map[string]string{
	"INVALID_KE_PAYLOAD": "4309fddfcb46917b00000000000000002920222000000000000000260000000a00000011001f",
	"NO_PROPOSAL_CHOSEN": "abc757b678e17f9edfadbf0943ad71b1292022200000000000000024000000080000000e",
	"COOKIE":             "850ea31b5df9cb48000000000000000029202220000000000000003c0000002000004006b90800006c1506cf89e406686c8d131cd1b1f3aaed581426",
	"IKEv2 proposal accepted": "5520265c94a8247227d6829d9a47cd6f2120222000000000000000e8220000300000002c010100040300000c0100000c800e0080030000080300000c" +
		"030000080200000500000008040000012800006800010000788f5098686c5c49dd75a1cfc61fa3f284757478f642fb6e36d22674a37bdbef2ad090b1" +
		"e19264253ab92568ddc2d064add02f95f36253026d0f7b926894505e9753875cb26b1f6f8bf83da854757eb75c89e3367b3f5b2c57953cb837f11fc7" +
		"290000246a61eef93c5a16fa512885807e727a4e7846f01a62eecd1dc8f23b7de2478f2129000008000040220000000800004014",
}

// ikeAnswers are well-formed answers, one for each of our words at least.
var ikeAnswers = []struct {
	want  string
	reply func(spi [8]byte) []byte
}{
	{"NO_PROPOSAL_CHOSEN", noProposal},
	{"COOKIE", cookie},
	{"INVALID_KE_PAYLOAD", v2(notify(17, 0, 14)).bytes},
	{"INVALID_SYNTAX", v2(vendor, notify(7)).bytes},
	{"INVALID_MAJOR_VERSION", v2(notify(5)).bytes},
	{"UNSUPPORTED_CRITICAL_PAYLOAD", v2(notify(1, 33)).bytes},
	{"TEMPORARY_FAILURE", v2(notify(16404, 1), notify(43), notify(14)).bytes},
	{"unknown IKEv2 error", v2(notify(8192)).bytes},
	{"REDIRECT", v2(notify(16407, 1, 4, 1, 2, 3, 4)).bytes},
	{"IKEv2 proposal accepted", v2(someSA, someKE, someNonce, notify(16388, 1), vendor).bytes},
	{"NO_PROPOSAL_CHOSEN", v2(someSA, someKE, someNonce, notify(14)).bytes},
	{"NO_PROPOSAL_CHOSEN", ikeMessage{version: 0x2f, exchange: 34, flags: 0x30, payloads: []ikePayload{ // no SPI, a minor version and the flag of a higher one
		{41, []byte{1, 4, 0, 14, 9, 9, 9, 9}}}}.bytes}, // with a protocol and its SPI
	{"COOKIE", v2(notify(16390, 1), notify(16407)).bytes},
	{"IKEv1 only", v1(notifyV1(5)).bytes},
	{"IKEv1 only", v1(ikePayload{13, []byte("vendor")}, notifyV1(14)).bytes},
	{"COOKIE", v2(notify(16390, 1), ikePayload{43, make([]byte, ikeLongest-28-5-4-4)}).bytes},
}

// ikeRubbish is what may come back to a request and is no answer to it.
func ikeRubbish(request []byte) [][]byte {
	spi := [8]byte(request)
	other := spi
	other[7] ^= 1
	good := noProposal(spi)
	changed := func(at int, value byte) []byte {
		b := bytes.Clone(good)
		b[at] = value
		return b
	}
	request2 := v2(notify(14))
	request2.flags = 0x28
	trailing := append(noProposal(spi), 0, 0, 0, 0)
	trailing[27] += 4
	informational := v2(notify(14))
	informational.exchange = 37
	unsettled := v2(someSA, someKE, someNonce)
	unsettled.responder = 0
	encrypted, notV1, mainMode := v1(notifyV1(5)), v1(notifyV1(5)), v1(notifyV1(5))
	encrypted.flags, notV1.version, mainMode.exchange = 1, 0x30, 2
	return [][]byte{
		{}, {0xff}, []byte("HTTP/1.0 400 Bad Request\r\n\r\n"), make([]byte, 28), make([]byte, 9000),
		request,                                                 // reflected
		noProposal(other),                                       // to another
		good[:len(good)-1],                                      // cut short
		append(good[:len(good):len(good)], 0),                   // too long
		changed(17, 0x30), changed(17, 0x00), changed(17, 0x10), // version
		changed(18, 35), changed(19, 0x08), changed(19, 0), // exchange, flags
		changed(27, 35), changed(27, 37), // length
		changed(23, 1),                   // message ID
		changed(16, 0),                   // octets after the last payload
		changed(16, 46), changed(16, 53), // encrypted
		changed(16, 1),                 // a payload of IKEv1
		changed(28, 41),                // a payload more than there is
		changed(31, 3), changed(31, 9), // its length
		changed(33, 1), // an SPI longer than the payload
		request2.bytes(spi), informational.bytes(spi), unsettled.bytes(spi),
		encrypted.bytes(spi), notV1.bytes(spi), mainMode.bytes(spi), trailing,
		v2(notify(14), ikePayload{46, nil}).bytes(spi), v2(notify(14), ikePayload{53, nil}).bytes(spi), v2(notify(14), ikePayload{1, nil}).bytes(spi),
		v2().bytes(spi), v2(vendor).bytes(spi), v2(notify(16388)).bytes(spi),
		v2(someSA, someNonce).bytes(spi), v2(someSA, someKE).bytes(spi), v2(someKE, someNonce).bytes(spi),
		v2(ikePayload{33, nil}, someKE, someNonce).bytes(spi),
		v2(someSA, ikePayload{34, make([]byte, 4)}, someNonce).bytes(spi),
		v2(someSA, someKE, ikePayload{40, make([]byte, 15)}).bytes(spi),
		v2(someSA, someKE, ikePayload{40, make([]byte, 257)}).bytes(spi),
		v2(notify(17)).bytes(spi), v2(notify(16390)).bytes(spi), v2(notify(16390, make([]byte, 65)...)).bytes(spi),
		v2(notify(14), ikePayload{43, make([]byte, ikeLongest-28-8-4+1)}).bytes(spi),
		v2(notify(14), ikePayload{43, make([]byte, 20000)}).bytes(spi),
		v1().bytes(spi), v1(notifyV1(24576)).bytes(spi), v1(notifyV1(0)).bytes(spi), v1(notify(14)).bytes(spi),
		v1(ikePayload{11, make([]byte, 7)}).bytes(spi), v1(ikePayload{11, []byte{0, 0, 0, 1, 1, 1, 0, 5}}).bytes(spi),
		append([]byte{0, 0, 0, 0}, good...), // a marker where none belongs
	}
}

func TestIKECaptured(t *testing.T) {
	for want, text := range captured {
		message, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		spi := [8]byte(message)
		if answer, ok := parseIKEAnswer(message, spi, false); answer != want || !ok {
			t.Errorf("got %q, want %q", answer, want)
		}
		if answer, ok := parseIKEAnswer(append([]byte(nonESPMarker), message...), spi, true); answer != want || !ok {
			t.Errorf("with a marker: got %q, want %q", answer, want)
		}
		for n := range message {
			if answer, ok := parseIKEAnswer(message[:n], spi, false); ok {
				t.Errorf("%s: the first %d octets are taken for %q", want, n, answer)
			}
		}
	}
}

func TestIKERubbish(t *testing.T) {
	if _, ok := parseIKEAnswer(noProposal([8]byte{}), [8]byte{}, false); ok {
		t.Error("there is an answer where there is no SPI")
	}
	_, request := newIKERequest(false)
	for i, rubbish := range ikeRubbish(request) {
		for _, marked := range []bool{false, true} {
			if marked && i == len(ikeRubbish(request))-1 {
				continue // the marker that belongs there then
			}
			if answer, ok := parseIKEAnswer(rubbish, [8]byte(request), marked); ok || answer != "" {
				t.Errorf("rubbish %d is taken for %q", i, answer)
			}
		}
	}
}

// Cut short anywhere, or with the length put right after the cut, an answer
// may at most be what its whole payloads say; and its SPI is ours or nothing.
func TestIKETruncated(t *testing.T) {
	spi := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	for _, test := range ikeAnswers {
		message := test.reply(spi)
		if answer, ok := parseIKEAnswer(message, spi, false); answer != test.want || !ok {
			t.Errorf("got %q, want %q", answer, test.want)
		}
		for n := range len(message) {
			cut := bytes.Clone(message[:n])
			if _, ok := parseIKEAnswer(cut, spi, false); ok {
				t.Errorf("%s: %d octets of %d are an answer", test.want, n, len(message))
			}
			if n < 28 {
				continue
			}
			binary.BigEndian.PutUint32(cut[24:], uint32(n))
			if _, ok := parseIKEAnswer(cut, spi, false); ok {
				t.Errorf("%s: %d octets of %d with that length are an answer", test.want, n, len(message))
			}
		}
		for bit := range 64 {
			ours := spi
			ours[bit/8] ^= 1 << (bit % 8)
			if _, ok := parseIKEAnswer(message, ours, false); ok {
				t.Errorf("%s: an answer to another SPI", test.want)
			}
		}
	}
}

// Whatever comes, an answer is one to our request, and in words of our own.
func FuzzIKEAnswer(f *testing.F) {
	for _, text := range captured {
		message, _ := hex.DecodeString(text)
		f.Add(message, message[:8], false)
		f.Add(append([]byte(nonESPMarker), message...), message[:8], true)
	}
	_, request := newIKERequest(false)
	for _, rubbish := range ikeRubbish(request) {
		f.Add(rubbish, request[:8], false)
	}
	known := map[string]bool{"IKEv2 proposal accepted": true, "COOKIE": true, "REDIRECT": true, "unknown IKEv2 error": true, "IKEv1 only": true}
	for _, name := range ikeErrors {
		known[name] = true
	}
	f.Fuzz(func(t *testing.T, datagram, spi []byte, marked bool) {
		if len(spi) != 8 {
			return
		}
		before := bytes.Clone(datagram)
		answer, ok := parseIKEAnswer(datagram, [8]byte(spi), marked)
		if !bytes.Equal(before, datagram) || ok != (answer != "") {
			t.Fatalf("%q, %v", answer, ok)
		}
		if !ok {
			return
		}
		message := datagram
		if marked {
			message = datagram[4:]
		}
		response := message[17]>>4 == 2 && message[18] == 34 && message[19]&0x28 == 0x20 && bytes.Equal(message[20:24], make([]byte, 4))
		v1 := message[17]>>4 == 1 && message[18] == 5 && message[19]&1 == 0
		switch {
		case marked && !bytes.HasPrefix(datagram, make([]byte, 4)),
			!bytes.Equal(message[:8], spi), bytes.Equal(spi, make([]byte, 8)),
			int(binary.BigEndian.Uint32(message[24:])) != len(message), len(message) > 8192,
			v1 != (answer == "IKEv1 only"), response == v1, !known[answer]:
			t.Errorf("%q for %x", answer, datagram)
		}
	})
}
