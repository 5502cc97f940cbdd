package probe

import (
	"bytes"
	"cmp"
	"encoding/binary"
)

// parseIKEAnswer tells whether a datagram is a well-formed answer to the
// request with this SPI, and names it in words of our own. Nothing that the
// sender chose gets into them.
func parseIKEAnswer(datagram []byte, spi [8]byte, marked bool) (answer string, ok bool) {
	message := datagram
	if marked {
		if message, ok = bytes.CutPrefix(datagram, []byte(nonESPMarker)); !ok {
			return "", false
		}
	}
	if len(message) < ikeHeader || len(message) > ikeLongest ||
		spi == [8]byte{} || [8]byte(message) != spi ||
		int64(binary.BigEndian.Uint32(message[24:])) != int64(len(message)) {
		return "", false
	}
	payloads, ok := splitPayloads(message[16], message[ikeHeader:])
	if !ok {
		return "", false
	}
	switch message[17] >> 4 { // the minor version is to be ignored (RFC 7296 section 2.5)
	case 2:
		return nameIKEv2(message[:ikeHeader], payloads)
	case 1:
		return nameIKEv1(message[:ikeHeader], payloads)
	}
	return "", false
}

type ikePayload struct {
	kind byte
	body []byte
}

// splitPayloads follows the chain of payloads, which has to end where the
// message does (RFC 7296 section 3.2; IKEv1's is the same).
func splitPayloads(next byte, rest []byte) (payloads []ikePayload, ok bool) {
	for next != 0 {
		if len(rest) < ikeGeneric {
			return nil, false
		}
		length := int(binary.BigEndian.Uint16(rest[2:]))
		if length < ikeGeneric || length > len(rest) {
			return nil, false
		}
		payloads = append(payloads, ikePayload{next, rest[ikeGeneric:length]})
		next, rest = rest[0], rest[length:]
	}
	return payloads, len(rest) == 0
}

// nameIKEv2 names an IKE_SA_INIT response. Our own request comes back from
// some devices as it was: it has not the response flag. A responder that sends
// an error has no SPI, or one, and is not to be blamed for it (RFC 7296 section
// 2.6); one that accepts has.
func nameIKEv2(header []byte, payloads []ikePayload) (answer string, ok bool) {
	if header[18] != ikeSAInit || header[19]&(ikeResponse|ikeInitiator) != ikeResponse ||
		binary.BigEndian.Uint32(header[20:]) != 0 {
		return "", false
	}
	var failure, status string
	sound := map[byte]bool{} // types of payload
	for _, p := range payloads {
		switch n := len(p.body); p.kind {
		case ikeNotify:
			name, failed, ok := nameNotify(p.body)
			if !ok {
				return "", false
			}
			if failed {
				failure = cmp.Or(failure, name)
			} else {
				status = cmp.Or(status, name)
			}
		case ikeSA:
			sound[p.kind] = n >= 8 // a proposal
		case ikeKE:
			sound[p.kind] = n > 4 // a group and a value
		case ikeNonce:
			sound[p.kind] = n >= 16 && n <= 256 // section 3.9
		case ikeEncrypted, ikeEncFragment:
			return "", false // there is no key yet
		default:
			if p.kind < ikeSA {
				return "", false
			}
		}
	}
	accepted := sound[ikeSA] && sound[ikeKE] && sound[ikeNonce] && [8]byte(header[8:]) != [8]byte{}
	switch {
	case failure != "":
		return failure, true
	case accepted:
		return "IKEv2 proposal accepted", true
	}
	return status, status != ""
}

// nameNotify names the notification in a payload's body (RFC 7296 section
// 3.10), the empty name being one that is no answer. One of an unknown error
// type makes the exchange fail all the same (section 3.10.1).
func nameNotify(body []byte) (name string, failed, ok bool) {
	if len(body) < 4 || len(body) < 4+int(body[1]) {
		return "", false, false
	}
	kind, data := binary.BigEndian.Uint16(body[2:]), body[4+int(body[1]):]
	switch {
	case kind == 17 && len(data) != 2: // the group that the peer wants (section 1.3)
		return "", false, false
	case kind == 16390:
		return "COOKIE", false, len(data) >= 1 && len(data) <= 64 // section 2.6
	case kind == 16407:
		return "REDIRECT", false, true // RFC 5685
	case kind >= 16384: // status: of no consequence here
		return "", false, true
	}
	if name, ok = ikeErrors[kind]; !ok {
		name = "unknown IKEv2 error"
	}
	return name, true, true
}

// ikeErrors are the error types of notifications in IANA's registry of IKEv2
// parameters.
var ikeErrors = map[uint16]string{
	1:  "UNSUPPORTED_CRITICAL_PAYLOAD",
	4:  "INVALID_IKE_SPI",
	5:  "INVALID_MAJOR_VERSION",
	7:  "INVALID_SYNTAX",
	9:  "INVALID_MESSAGE_ID",
	11: "INVALID_SPI",
	14: "NO_PROPOSAL_CHOSEN",
	17: "INVALID_KE_PAYLOAD",
	24: "AUTHENTICATION_FAILED",
	34: "SINGLE_PAIR_REQUIRED",
	35: "NO_ADDITIONAL_SAS",
	36: "INTERNAL_ADDRESS_FAILURE",
	37: "FAILED_CP_REQUIRED",
	38: "TS_UNACCEPTABLE",
	39: "INVALID_SELECTORS",
	40: "UNACCEPTABLE_ADDRESSES",
	41: "UNEXPECTED_NAT_DETECTED",
	42: "USE_ASSIGNED_HoA",
	43: "TEMPORARY_FAILURE",
	44: "CHILD_SA_NOT_FOUND",
	45: "INVALID_GROUP_ID",
	46: "AUTHORIZATION_FAILED",
}

// nameIKEv1 names what a peer without IKEv2 may send to a request of a version
// that it does not know: an Informational exchange in the clear that carries a
// notification of an error, mostly INVALID-MAJOR-VERSION (RFC 2408 sections
// 3.14.1 and 5.2).
func nameIKEv1(header []byte, payloads []ikePayload) (answer string, ok bool) {
	if header[18] != ikeV1Inform || header[19]&ikeV1Encrypts != 0 {
		return "", false
	}
	for _, p := range payloads {
		if p.kind != ikeV1Notify {
			continue
		}
		if len(p.body) < 8 || len(p.body) < 8+int(p.body[5]) { // DOI, protocol, size of SPI, type
			return "", false
		}
		kind := binary.BigEndian.Uint16(p.body[6:])
		ok = ok || kind > 0 && kind < 16384
	}
	if !ok {
		return "", false
	}
	return "IKEv1 only", true
}
