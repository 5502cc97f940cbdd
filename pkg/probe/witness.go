package probe

import (
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"checkvpn/pkg/vpn"
)

// Who refused. To connect() a firewall that rejects with "port unreachable", as
// Linux does by default, looks like the target's own refusal: both are
// ECONNREFUSED. But a refusal by the target says that the way there is open.
// The error queue of the socket knows who sent what; a reset by the target leaves
// nothing in it. So what is said of a connection is what came to its own socket.

// maxQueued is how many entries of an error queue are read.
const maxQueued = 16

// witness keeps a descriptor of a TCP socket beyond a dial that fails, and
// reads the socket's error queue.
type witness struct {
	addr netip.Addr
	fd   int // 0 if there is none
}

// watch keeps a descriptor of a socket that has an error queue and is to be connected.
func (w *witness) watch(c syscall.RawConn) error {
	return onSocket(c, func(fd int) error {
		copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		w.fd = copied
		return nil
	})
}

// said is the last ICMP error that came to the socket; nil if none did.
func (w *witness) said() *vpn.ICMPMessage {
	if w.fd == 0 {
		return nil
	}
	return lastICMPError(w.fd, w.addr)
}

// close lets the socket go. On a connection that stands, errors that are not
// final must not end it, so the queue is turned off.
func (w *witness) close() {
	if w.fd != 0 {
		_ = errorQueue.set(w.fd, familyFor(w.addr), 0)
		unix.Close(w.fd)
	}
}

// lastICMPError reads the error queue of a socket to an address. That a packet was
// too big is no reason to be silent: it is sent again in pieces.
func lastICMPError(fd int, addr netip.Addr) (said *vpn.ICMPMessage) {
	var quote [64]byte
	for range maxQueued {
		q, err := readErrorQueue(fd, quote[:])
		if err != nil {
			break
		}
		if isICMPError(q) && q.Errno != unix.EMSGSIZE {
			said = &q.ICMPMessage
		}
	}
	if said != nil && !said.From.IsValid() {
		if own, err := ownAddrOf(fd); err == nil && own.Addr() == addr.WithZone("") {
			said.From = own.Addr() // this host is the target
		}
	}
	return said
}
