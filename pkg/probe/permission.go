package probe

import (
	"errors"
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

// Privilege tells how echo requests of a family were sent: "unprivileged" or
// "raw"; empty if none were.
func (p *Prober) Privilege(f Family) string {
	if found, ok := p.permissions.found.Load(f); ok {
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

// NeedsRaw tells whether echo requests to any of the endpoints need a raw
// socket, and with it cap_net_raw. A name may lead to either family.
func NeedsRaw(f Family, endpoints []vpn.Endpoint) bool {
	return slices.ContainsFunc([]Family{IPv4, IPv6}, func(family Family) bool {
		asked := slices.ContainsFunc(endpoints, func(e vpn.Endpoint) bool {
			if e.Addr.IsValid() {
				return e.Scheme == vpn.ICMP && family.Has(e.Addr)
			}
			return e.Scheme == vpn.ICMP && (f == AnyFamily || f == family)
		})
		if !asked {
			return false
		}
		privileged, err := findPrivileged(family)
		return err == nil && privileged
	})
}
