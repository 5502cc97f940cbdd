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

// Quickest is how long it takes to send to n addresses that answer everything
// at once.
func (s Settings) Quickest(scheme Scheme, n int) time.Duration {
	if scheme == ICMP {
		return timeOf(n*s.Packets) + time.Duration(s.Packets-1)*s.Interval
	}
	return 0
}

// Silence is how long it takes to be sure that n addresses are silent.
func (s Settings) Silence(scheme Scheme, n int) time.Duration {
	if scheme == ICMP {
		return s.bothLooks(n, spacingSilent)
	}
	return s.turns(n) * s.Attempt
}

// Longest is how long n addresses may take at the most: those that leave every
// doubt open. The search for the largest packet that passes is not counted.
func (s Settings) Longest(scheme Scheme, n int) time.Duration {
	if scheme == ICMP {
		return s.bothLooks(n, spacingAnswered)
	}
	// Only an attempt that failed before its time is followed by another.
	return s.turns(n) * (2*s.Attempt + doubt)
}

// turns is how often as many connections as there may be at once are made.
func (s Settings) turns(n int) time.Duration {
	return time.Duration((n + s.Parallel - 1) / s.Parallel)
}

// bothLooks is the first look, the second one and the wait for its last answer.
func (s Settings) bothLooks(n int, spacing time.Duration) time.Duration {
	look, packets := time.Duration(s.Packets-1)*s.Interval, s.Packets
	if more := s.MaxPackets - s.Packets; more > 0 {
		look += doubt + time.Duration(more-1)*spacing
		packets += priceOf(more, spacing)
	}
	return timeOf(n*packets) + look + s.Wait
}
