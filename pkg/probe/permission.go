package probe

import (
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"syscall"

	"checkvpn/pkg/vpn"
)

// How echo requests may be sent.
//
// An unprivileged datagram socket is tried first. It needs no capability, but
// net.ipv4.ping_group_range must include the process's group. Raw sockets are
// the fallback. The kernel looks at each of them for each reply.

// mode is which kind of socket echo requests are sent by.
type mode struct{ privileged bool }

func (m mode) String() string {
	if m.privileged {
		return "raw"
	}
	return "unprivileged"
}

// findMode opens a socket of each kind to find one that this process may have.
func findMode(f Family) (mode, error) {
	domain, protocol := syscall.AF_INET, syscall.IPPROTO_ICMP
	if f == IPv6 {
		domain, protocol = syscall.AF_INET6, syscall.IPPROTO_ICMPV6
	}
	err := tryOpen(domain, syscall.SOCK_DGRAM, protocol)
	if err == nil {
		return mode{}, nil
	}
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		if err = tryOpen(domain, syscall.SOCK_RAW, protocol); err == nil {
			return mode{privileged: true}, nil
		}
	}
	return mode{}, err
}

func tryOpen(domain, kind, protocol int) error {
	fd, err := syscall.Socket(domain, kind|syscall.SOCK_CLOEXEC, protocol)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	return syscall.Close(fd)
}

// NeedsRaw tells whether echo requests to any of the endpoints need a raw
// socket, and with it cap_net_raw. A name may lead to either family.
func NeedsRaw(f Family, endpoints []vpn.Endpoint) bool {
	for _, family := range []Family{IPv4, IPv6} {
		asked := slices.ContainsFunc(endpoints, func(e vpn.Endpoint) bool {
			if e.Addr.IsValid() {
				return e.Scheme == vpn.ICMP && family.Has(e.Addr)
			}
			return e.Scheme == vpn.ICMP && (f == AnyFamily || f == family)
		})
		if !asked {
			continue
		}
		if m, err := findMode(family); err == nil && m.privileged {
			return true
		}
	}
	return false
}

// Permission tells how echo requests of a family would be sent: "unprivileged"
// or "raw". The error is a *vpn.Fault: vpn.NoPermission if this process may not
// send any, and another if the machine has no such family.
func Permission(f Family) (string, error) {
	m, err := findMode(f)
	if err != nil {
		return "", icmpFault(err)
	}
	return m.String(), nil
}

// modes are those that were found, once for each family. A failure is not kept:
// a descriptor may be free a moment later.
type modes struct{ four, six atomic.Pointer[mode] }

func (m *modes) of(f Family) *atomic.Pointer[mode] {
	if f == IPv6 {
		return &m.six
	}
	return &m.four
}

func (m *modes) find(f Family) (mode, error) {
	if found := m.of(f).Load(); found != nil {
		return *found, nil
	}
	found, err := findMode(f)
	if err == nil {
		m.of(f).Store(&found)
	}
	return found, err
}

// Privilege tells how echo requests of a family were sent: "unprivileged" or
// "raw"; empty if none were.
func (p *Prober) Privilege(f Family) string {
	if found := p.modes.of(f).Load(); found != nil {
		return found.String()
	}
	return ""
}
