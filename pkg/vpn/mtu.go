package vpn

import (
	"fmt"

	"checkvpn/pkg/probe"
)

// stuck tells whether small packets pass to a target and big ones do not.
func (f Finding) stuck() bool {
	return f.asksBig() && f.Result.MTU.Outcome != probe.Answered && f.Result.MTU.Outcome != probe.Pending
}

// passesBig tells whether big packets pass to a target.
func (f Finding) passesBig() bool { return f.asksBig() && f.Result.MTU.Outcome == probe.Answered }

func (f Finding) asksBig() bool {
	return f.Target.Role == Far && f.Answers && f.Result.MTU != nil
}

// stuck are the targets that big packets do not pass to.
func (v Verdict) stuck() (list []Finding) {
	for _, f := range v.Findings {
		if f.stuck() {
			list = append(list, f)
		}
	}
	return list
}

// blackHole says of the targets together what is known of the one that most is
// known of.
func (v Verdict) blackHole() string {
	m := v.mtu()
	text := bigPackets(m)
	if m.Told == nil && m.Err == nil {
		text += ": bulk traffic hangs"
	}
	return text
}

// mtu is what is known of the largest packets that pass to any target, exactly
// where it can be.
func (v Verdict) mtu() *probe.MTU {
	var best *probe.MTU
	for _, f := range v.stuck() {
		m := f.Result.MTU
		switch {
		case best == nil,
			m.Exact && !best.Exact,
			m.Exact == best.Exact && m.Largest > best.Largest:
			best = m
		}
	}
	return best
}

// bigPackets says what becomes of packets of the size of --mtu.
func bigPackets(m *probe.MTU) string {
	size, fate := sizeOf(m.Asked), "vanish"
	if m.Told != nil {
		fate = "are " + m.Told.Error()
	}
	switch {
	case m.Outcome == probe.Pending:
		return size + " not waited for"
	case m.Outcome == probe.Answered:
		return size + " pass"
	case m.Err != nil:
		return size + " cannot be sent: " + m.Err.Error()
	case m.Exact:
		return fmt.Sprintf("packets over %d bytes %s", m.Largest, fate)
	case m.Largest > 0:
		return fmt.Sprintf("%s %s, %d pass", size, fate, m.Largest)
	}
	return size + " " + fate
}

func sizeOf(bytes int) string { return fmt.Sprintf("packets of %d bytes", bytes) }

// mendMTU is the advice for packets that are too big.
func (v Verdict) mendMTU() []string {
	m := v.mtu()
	fits := "what passes"
	if m.Largest > 0 {
		fits = fmt.Sprintf("%d bytes", m.Largest)
	}
	if m.Told != nil || m.Err != nil {
		return []string{"The way says what fits, so most programs adapt: correct --mtu, or find out who made the way smaller."}
	}
	return []string{
		"Small packets pass and big ones are lost without a word: set the MTU of the tunnel to " + fits + " at both ends, or clamp the MSS of TCP to fit.",
		"Look for a firewall that drops ICMP: fragmentation needed (IPv4) and packet too big (IPv6) must pass.",
	}
}
