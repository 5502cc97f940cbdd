package probe

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"checkvpn/pkg/vpn"
)

// How echo requests may be sent.
//
// An unprivileged datagram socket is tried first. It needs no capability, but
// net.ipv4.ping_group_range must include the process's group. Raw sockets, which
// are privileged, are the fallback. The kernel looks at each of them for each
// reply.

// openICMP opens a socket for echo requests. Its error is that of the system call.
func openICMP(f Family, privileged bool) (fd int, err error) {
	domain, kind, protocol := unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP
	if f == IPv6 {
		domain, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	if privileged {
		kind = unix.SOCK_RAW
	}
	fd, err = unix.Socket(domain, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	return fd, os.NewSyscallError("socket", err)
}

// findPrivileged opens a socket of each kind to find one that this process may
// have, and tells whether that is the privileged one.
func findPrivileged(f Family) (privileged bool, err error) {
	fd, err := openICMP(f, false)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		privileged = true
		fd, err = openICMP(f, true)
	}
	if err != nil {
		return false, err
	}
	return privileged, unix.Close(fd)
}

// permissions are what was found, once for each family. A failure is not kept: a
// descriptor may be free a moment later.
type permissions struct{ found sync.Map }

func (p *permissions) find(f Family) (privileged bool, err error) {
	if found, ok := p.found.Load(f); ok {
		return found.(bool), nil
	}
	if privileged, err = findPrivileged(f); err == nil {
		p.found.Store(f, privileged)
	}
	return privileged, err
}

// Privilege tells how echo requests to an address were sent: "unprivileged" or
// "raw"; empty if none were.
func (p *Prober) Privilege(addr netip.Addr) string {
	if found, ok := p.permissions.found.Load(familyFor(addr)); ok {
		return kindOfSocket(found.(bool))
	}
	return ""
}

func kindOfSocket(privileged bool) string {
	if privileged {
		return "raw"
	}
	return "unprivileged"
}

// Permission tells how echo requests of a family would be sent: "unprivileged"
// or "raw". The error is a *vpn.Fault: vpn.NoPermission if this process may not
// send any, and another if the host has no such family.
func Permission(f Family) (string, error) {
	privileged, err := findPrivileged(f)
	if err != nil {
		return "", icmpFault(err)
	}
	return kindOfSocket(privileged), nil
}

// Families are those of the echo requests that questions need, if only one family is
// asked, or any. A name may lead to both.
func Families(only Family, questions []Question) (list []Family) {
	for _, f := range []Family{IPv4, IPv6} {
		if slices.ContainsFunc(questions, func(q Question) bool {
			left := q.family(only)
			return q.Endpoint.Scheme == vpn.ICMP && (left == f || left == AnyFamily)
		}) {
			list = append(list, f)
		}
	}
	return list
}

// NeedsRaw tells whether echo requests of any of these families need a raw socket,
// and with it cap_net_raw.
func NeedsRaw(families []Family) bool {
	return slices.ContainsFunc(families, func(f Family) bool {
		privileged, err := findPrivileged(f)
		return err == nil && privileged
	})
}
