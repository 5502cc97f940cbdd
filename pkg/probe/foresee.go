package probe

import (
	"net/netip"
	"os"
	"syscall"
	"time"
)

// What can be known of a run before it begins. Nothing here sends anything.

// RouteTo asks the kernel which way packets to addr would leave by path. That
// there is no way is an answer, in Route.Err; the error is that of asking.
func RouteTo(addr netip.Addr, path Path) (Route, error) { return routeTo(addr, path) }

// Permission tells how echo requests of a family would be sent: "unprivileged"
// or "raw". The error is an *UnableError where this process may not send any,
// and another where the machine has no such family.
func Permission(f Family) (string, error) {
	mode, err := findMode(f)
	if own := unable(err); own != nil {
		return "", own
	}
	if err != nil {
		return "", explain(err)
	}
	return mode.String(), nil
}

// NoPermission is the error of a target that cannot be sent echo requests for
// want of permission.
func NoPermission() error { return unable(os.NewSyscallError("socket", syscall.EACCES)) }

// AtOnce is how many addresses are asked at the same time by a scheme.
func (s Settings) AtOnce(scheme Scheme, privilege string) int {
	if scheme == ICMP && privilege == (icmpMode{privileged: true}).String() {
		return min(s.Parallel, maxRaw)
	}
	return s.Parallel
}

// Quickest is how long one address takes that answers everything at once.
func (s Settings) Quickest(scheme Scheme) time.Duration {
	if scheme == ICMP {
		return time.Duration(s.Packets-1) * s.Interval
	}
	return 0
}

// Silence is how long it takes to be sure that one address is silent.
func (s Settings) Silence(scheme Scheme) time.Duration {
	if scheme == ICMP {
		return s.bothLooks(spacingSilent)
	}
	return s.Attempt
}

// Longest is how long one address may take at the most: one that leaves every
// doubt open. The search for the largest packet that passes is not counted.
func (s Settings) Longest(scheme Scheme) time.Duration {
	if scheme == ICMP {
		return s.bothLooks(spacingAnswered)
	}
	// Only an attempt that failed before its time is followed by another.
	return 2*s.Attempt + doubt
}

// bothLooks is the first look, the second one and the wait for its last answer.
func (s Settings) bothLooks(spacing time.Duration) time.Duration {
	look := s.Quickest(ICMP)
	if more := s.MaxPackets - s.Packets; more > 0 {
		look += doubt + time.Duration(more-1)*spacing
	}
	return look + s.Wait
}
