package probe

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
)

const (
	ikeHeader  = 28      // octets (RFC 7296 section 3.1, RFC 2408 section 3.1)
	ikeLongest = 8 << 10 // octets of the longest message that is looked at
	ikeGeneric = 4       // octets of the header of each payload (section 3.2)

	ikeSAInit     = 34 // the exchange type
	ikeInitiator  = 0x08
	ikeResponse   = 0x20
	ikeV1Inform   = 5    // IKEv1's Informational exchange (RFC 2408 section 3.1)
	ikeV1Encrypts = 0x01 // IKEv1's flag of an encrypted body
)

// Payload types (RFC 7296 section 3.2). IKEv2 does not use those below SA,
// which were IKEv1's.
const (
	ikeSA          = 33
	ikeKE          = 34
	ikeNonce       = 40
	ikeNotify      = 41
	ikeEncrypted   = 46
	ikeEncFragment = 53 // RFC 7383
	ikeV1Notify    = 11 // RFC 2408 section 3.1
)

// nonESPMarker stands before IKE on port 4500, where ESP has its SPI, which is
// never zero (RFC 7296 section 2.23, RFC 3948 section 2.2).
const nonESPMarker = "\x00\x00\x00\x00"

// A transform of a proposal: its type, its number and, for a cipher with
// several, its key length in bits (RFC 7296 section 3.3.2).
type ikeTransform struct {
	kind uint8
	id   uint16
	bits uint16
}

const (
	ikeEncr  = 1
	ikePRF   = 2
	ikeInteg = 3
	ikeGroup = 4
)

// ikeOffered is the group of the public value: see the top of ike.go.
const (
	ikeOffered      = 1  // MODP 768 (RFC 7296 appendix B.1)
	ikeOfferedBytes = 96 // octets of its public value
)

var (
	ikeCiphers = []ikeTransform{ // with an integrity algorithm beside them
		{ikeEncr, 12, 256}, {ikeEncr, 12, 192}, {ikeEncr, 12, 128}, // AES-CBC
		{ikeEncr, 3, 0},                                         // 3DES
		{ikeInteg, 12, 0}, {ikeInteg, 13, 0}, {ikeInteg, 14, 0}, // SHA2-256, -384, -512
		{ikeInteg, 2, 0}, // SHA1-96
	}
	ikeAEADs = []ikeTransform{ // without (RFC 5282): a proposal of their own
		{ikeEncr, 20, 256}, {ikeEncr, 20, 192}, {ikeEncr, 20, 128}, // AES-GCM, 16 octets of ICV
	}
	ikeCommon = []ikeTransform{
		{ikePRF, 5, 0}, {ikePRF, 6, 0}, {ikePRF, 7, 0}, {ikePRF, 2, 0}, // SHA2-256, -384, -512, SHA1
		// The group of the public value has to be among those proposed, and
		// should be the first (RFC 7296 section 3.4).
		{ikeGroup, ikeOffered, 0},
		{ikeGroup, 14, 0}, {ikeGroup, 19, 0}, {ikeGroup, 20, 0}, {ikeGroup, 31, 0},
		{ikeGroup, 15, 0}, {ikeGroup, 16, 0}, {ikeGroup, 18, 0}, {ikeGroup, 21, 0},
		{ikeGroup, 5, 0}, {ikeGroup, 2, 0}, {ikeGroup, 24, 0},
	}
)

// newIKERequest makes an IKE_SA_INIT request with a fresh SPI, for sending as
// it is.
func newIKERequest(marked bool) (spi [8]byte, packet []byte) {
	for spi == [8]byte{} { // zero means none (RFC 7296 section 3.1)
		rand.Read(spi[:])
	}
	var nonce [32]byte
	rand.Read(nonce[:])
	// A number below the group's prime, whose first octets are all ones, is a
	// public value as good as a computed one: nobody goes on to use it.
	public := make([]byte, ikeOfferedBytes)
	rand.Read(public)
	public[0] &= 0x7f

	sa := slices.Concat(
		ikeProposal(1, 2, slices.Concat(ikeCiphers, ikeCommon)),
		ikeProposal(2, 0, slices.Concat(ikeAEADs, ikeCommon)))
	ke := append([]byte{0, ikeOffered, 0, 0}, public...)

	message := append(spi[:], make([]byte, ikeHeader-len(spi))...)
	message[16], message[17], message[18], message[19] = ikeSA, 0x20, ikeSAInit, ikeInitiator
	message = appendPayload(message, ikeKE, sa)
	message = appendPayload(message, ikeNonce, ke)
	message = appendPayload(message, 0, nonce[:])
	binary.BigEndian.PutUint32(message[24:], uint32(len(message)))
	if marked {
		message = append([]byte(nonESPMarker), message...)
	}
	return spi, message
}

// appendPayload adds a payload; next is the type of the one after it.
func appendPayload(to []byte, next byte, body []byte) []byte {
	to = append(to, next, 0)
	to = binary.BigEndian.AppendUint16(to, uint16(ikeGeneric+len(body)))
	return append(to, body...)
}

// ikeProposal is a proposal for an IKE SA in the body of an SA payload (RFC 7296
// sections 3.3.1 and 3.3.2); more is 2 if another follows, else 0.
func ikeProposal(number, more byte, transforms []ikeTransform) []byte {
	var body []byte
	last := 0
	for _, t := range transforms {
		last = len(body)
		body = append(body, 3, 0, 0, 8, t.kind, 0) // another transform follows; this one has 8 octets
		body = binary.BigEndian.AppendUint16(body, t.id)
		if t.bits != 0 { // attribute 14 in its short form (section 3.3.5)
			body[last+3] += 4
			body = binary.BigEndian.AppendUint16(append(body, 0x80, 14), t.bits)
		}
	}
	body[last] = 0
	head := binary.BigEndian.AppendUint16([]byte{more, 0}, uint16(8+len(body)))
	head = append(head, number, 1, 0, byte(len(transforms))) // protocol IKE, no SPI
	return append(head, body...)
}
