package probe

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"testing"
)

// The request says what the top of ike.go says of it.
func TestIKERequest(t *testing.T) {
	spi, request := newIKERequest(false)
	again, marked := newIKERequest(true)
	if spi == again || spi == [8]byte{} || !bytes.Equal(request[:8], spi[:]) {
		t.Errorf("SPIs %x, %x", spi, again)
	}
	if !bytes.HasPrefix(marked, append(make([]byte, 4), again[:]...)) || len(marked) != len(request)+4 {
		t.Errorf("with a marker: %x", marked[:16])
	}
	// Version 2.0, IKE_SA_INIT, initiator, message 0; any peer takes 1,280 octets.
	header := append(make([]byte, 8), 33, 0x20, 34, 0x08, 0, 0, 0, 0, 0, 0)
	if !bytes.Equal(request[8:26], header) || int(binary.BigEndian.Uint16(request[26:])) != len(request) || len(request) > 1280 {
		t.Errorf("header %x of %d octets", request[:28], len(request))
	}
	payloads, ok := splitPayloads(33, request[28:])
	if !ok || len(payloads) != 3 || payloads[1].kind != 34 || payloads[2].kind != 40 || len(payloads[2].body) != 32 {
		t.Fatalf("payloads %v, %v", payloads, ok)
	}
	ke := payloads[1].body
	if group := binary.BigEndian.Uint16(ke); group != 1 || len(ke) != 4+96 || ke[4] == 0xff {
		t.Errorf("public value %x", ke)
	}
	for i, want := range []string{
		"1:12/256 1:12/192 1:12/128 1:3 3:12 3:13 3:14 3:2 2:5 2:6 2:7 2:2 4:1 4:14 4:19 4:20 4:31 4:15 4:16 4:18 4:21 4:5 4:2 4:24",
		"1:20/256 1:20/192 1:20/128 2:5 2:6 2:7 2:2 4:1 4:14 4:19 4:20 4:31 4:15 4:16 4:18 4:21 4:5 4:2 4:24",
	} {
		proposal := ikeProposals(t, payloads[0].body)[i]
		if proposal != want {
			t.Errorf("proposal %d: %s", i+1, proposal)
		}
	}
}

// ikeProposals reads the proposals of an SA payload, in a way of its own.
func ikeProposals(t *testing.T, body []byte) (proposals []string) {
	for number := byte(1); len(body) > 0; number++ {
		size := int(binary.BigEndian.Uint16(body[2:]))
		if last := size == len(body); body[0] == 0 != last || !last && body[0] != 2 || body[4] != number || body[5] != 1 || body[6] != 0 {
			t.Fatalf("proposal %x", body[:8])
		}
		proposals = append(proposals, ikeTransforms(t, int(body[7]), body[8:size]))
		body = body[size:]
	}
	return proposals
}

func ikeTransforms(t *testing.T, count int, body []byte) string {
	var names []string
	for ; len(body) > 0; count-- {
		size := int(binary.BigEndian.Uint16(body[2:]))
		if last := size == len(body); body[0] == 0 != last || body[0] != 0 && body[0] != 3 {
			t.Fatalf("transform %x", body)
		}
		name := strconv.Itoa(int(body[4])) + ":" + strconv.Itoa(int(binary.BigEndian.Uint16(body[6:])))
		if size == 12 && binary.BigEndian.Uint16(body[8:]) == 0x800e {
			name += "/" + strconv.Itoa(int(binary.BigEndian.Uint16(body[10:])))
		}
		names, body = append(names, name), body[size:]
	}
	if count != 0 {
		t.Errorf("the count of transforms is wrong by %d", count)
	}
	return strings.Join(names, " ")
}
