package probe

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Who refused. To connect() a firewall that rejects with "port unreachable", as
// Linux does by default, looks like the target's own refusal: both are
// ECONNREFUSED. But a refusal by the target says that the way there is open.
// The error queue of the socket knows who spoke; a reset by the target leaves
// nothing in it.

// witness keeps a descriptor of a TCP socket beyond a dial that fails, and
// reads the socket's error queue.
type witness struct {
	addr netip.Addr
	fd   int // 0 where there is none
}

// watch turns the error queue on before a socket is connected.
func (w *witness) watch(_ context.Context, _, _ string, c syscall.RawConn) error {
	var err error
	outer := c.Control(func(fd uintptr) {
		if w.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err != nil {
			err = os.NewSyscallError("fcntl", err)
			return
		}
		err = setErrorQueue(int(fd), w.addr, true)
	})
	return errors.Join(outer, err)
}

// other is what somebody else than the target said, or nil.
func (w *witness) other() *ToldError {
	for range maxTold {
		control, err := readQueue(w.fd)
		if err != nil {
			return nil
		}
		if told := parseTold(control); told != nil && told.From != w.addr.WithZone("") {
			if local, ok := localAddr(w.fd); ok && told.From == local {
				told.By = Itself
			}
			return told
		}
	}
	return nil
}

// close lets the socket go. On a connection that stands, errors that are not
// final must not end it, so the queue is turned off.
func (w *witness) close() {
	if w.fd != 0 {
		_ = setErrorQueue(w.fd, w.addr, false)
		unix.Close(w.fd)
	}
}

func localAddr(fd int) (netip.Addr, bool) {
	switch a, _ := unix.Getsockname(fd); a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr), true
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr).Unmap(), true
	}
	return netip.Addr{}, false
}

// setErrorQueue turns the error queue of a socket to addr on or off.
func setErrorQueue(fd int, addr netip.Addr, on bool) error {
	level, option, value := unix.IPPROTO_IP, unix.IP_RECVERR, 0
	if addr.Is6() {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	if on {
		value = 1
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, option, value))
}
