package plugin

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"checkvpn/pkg/probe"
	"checkvpn/pkg/vpn"
)

// Every host takes packets of 576 bytes (RFC 1122, section 3.3.2), and every
// link of IPv6 those of 1280 (RFC 8200, section 5): less is no question.
const (
	minMTU  = 576
	minMTU6 = 1280
	maxMTU  = 65535
)

// readMTU reads the size of the packets that must pass. Echo requests carry
// them, so there must be a far target that is asked by icmp.
func (p *plan) readMTU(_ Tunnel, o *options) (err error) {
	if !o.MTU.set {
		return nil
	}
	if p.MTU, err = number("--mtu", o.MTU.text, minMTU, maxMTU); err != nil {
		return err
	}
	if !slices.ContainsFunc(p.Targets, vpn.Target.IsFarPinged) {
		return BadValue("--mtu", o.MTU.text, errors.New("it is asked of far targets by echo requests, and there is no such target: add one, for example -H 10.3.11.6"))
	}
	if p.MTU >= minMTU6 {
		return nil
	}
	if p.family == probe.IPv6 || p.path.Source.Is6() {
		return BadValue("--mtu", o.MTU.text, fmt.Errorf("IPv6 needs at least %d", minMTU6))
	}
	for _, t := range p.Targets {
		if t.IsFarPinged() && t.Endpoint.Addr.Is6() {
			return BadValue("--mtu", o.MTU.text, fmt.Errorf("the far target %s is IPv6, which needs at least %d", shown(t.Name), minMTU6))
		}
	}
	return nil
}

// tried says what became of the packets of each size.
func tried(list []vpn.Tried) string {
	words := make([]string, len(list))
	for i, s := range list {
		switch {
		case s.Answered > 0:
			words[i] = fmt.Sprintf("%d pass", s.Bytes)
		case s.TooBig > 0:
			words[i] = fmt.Sprintf("%d too big", s.Bytes)
		default:
			words[i] = fmt.Sprintf("%d lost (%d sent)", s.Bytes, s.Sent)
		}
	}
	return strings.Join(words, ", ")
}

// largest is the largest size that is known to pass, in bytes; 0 if none is.
func largest(s *vpn.Size) int {
	switch {
	case s == nil:
		return 0
	case s.Passes:
		return s.Asked
	}
	return s.Largest
}
