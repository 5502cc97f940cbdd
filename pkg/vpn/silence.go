package vpn

import "time"

const (
	silencePackets = 15
	silenceSpacing = 30 * time.Millisecond
	// Routers that send about one ICMP error a second have sent theirs about the
	// first look, so one packet more leaves when they have one again.
	lateDelay = 1050 * time.Millisecond
)

// silenceLook asks an icmp target that has answered nothing whether it is
// silent: by quick packets until any answer comes. It goes on listening when the
// target counts as silent, because an answer undoes that.
type silenceLook struct {
	asked  *asked
	quick  Look
	late   Look          // one more packet, for the sake of ICMP errors; nothing waits for it
	lateAt time.Duration // when that is made, lateDelay after the first look; 0 is never
	looks  [2]Look
}

// newSilenceLook begins a look at a target whose first look is over.
func newSilenceLook(a *asked) *silenceLook {
	return &silenceLook{asked: a, quick: a.look(Silence, silencePackets, silenceSpacing)}
}

// wants are the looks that shall run now, and when time alone may change
// something.
func (s *silenceLook) wants(ev *evidence, now time.Duration) (looks []Look, wake time.Duration) {
	if s.asked.heard() {
		return nil, 0
	}
	if s.lateAt > 0 && now >= s.lateAt && s.late.Packets == 0 {
		s.late = s.asked.look(Silence, 1, 0)
	}
	looks = append(s.looks[:0], s.quick)
	if s.late.Packets > 0 {
		looks = append(looks, s.late)
	} else {
		wake = s.lateAt
	}
	if left, sent := s.left(ev, now); sent && left > 0 {
		wake = earliest(wake, now+left)
	}
	return looks, wake
}

// isSilent tells whether the target can be called silent: nothing has come back,
// and the last quick packet is old enough.
func (s *silenceLook) isSilent(ev *evidence, now time.Duration) bool {
	left, sent := s.left(ev, now)
	return sent && left <= 0 && !s.asked.heard()
}

// left is for how long answers are still waited for, if all quick packets have
// left or failed. If none of them left, it is for those of the first look.
func (s *silenceLook) left(ev *evidence, now time.Duration) (left time.Duration, sent bool) {
	packets := s.asked.packets
	if len(packets) < s.quick.First+s.quick.Packets {
		return 0, false
	}
	for i := range s.quick.First + s.quick.Packets {
		switch p := &packets[i]; {
		case p.state == underWay:
			left = max(left, ev.wait-ev.age(p.sent, now))
		case p.state == planned && i >= s.quick.First:
			return 0, false
		}
	}
	return left, true
}

// earliest is the earlier of two times, 0 being never.
func earliest(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
