package plugin

import (
	"errors"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"checkvpn/pkg/probe"
)

// The rights of the process. The only one that a check can need beyond those of
// its caller is cap_net_raw, by a file capability: for echo requests, where the
// kernel allows no unprivileged ones.
//
// Files are named by the caller, in the arguments and in the environment, so
// they are read with the caller's rights: a setuid program refuses to run, and
// other file capabilities are dropped first of all. What is read from the
// network is hostile, so cap_net_raw is dropped before that unless it is needed.
// Where it is, it stays until the end, because pro-bing opens its sockets late.

var errSetuid = errors.New("this program is setuid or setgid, which it never needs: chmod u-s,g-s on it, and setcap cap_net_raw+ep where ICMP needs it")

// onlyCallersRights refuses the rights of another user, and drops what file
// capabilities give besides cap_net_raw. The capabilities of root are its own.
func onlyCallersRights() error {
	if os.Getuid() != os.Geteuid() || os.Getgid() != os.Getegid() {
		return errSetuid
	}
	if os.Getuid() != 0 {
		keepCapabilities(1 << unix.CAP_NET_RAW)
	}
	return nil
}

// shedPrivilege drops cap_net_raw unless the plan cannot do without.
func (p *plan) shedPrivilege() {
	if !probe.NeedsRaw(p.families()) {
		keepCapabilities(^uint64(1 << unix.CAP_NET_RAW))
	}
}

// keepCapabilities drops, for good and in every thread, the capabilities that
// are not in mask. Go can change all threads at once in a program without cgo
// alone, and as such the plugins are built; in any other the call is refused.
func keepCapabilities(mask uint64) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return
	}
	held := data
	for i := range data {
		part := uint32(mask >> (32 * i))
		data[i].Effective &= part
		data[i].Permitted &= part
		data[i].Inheritable &= part
	}
	if data == held {
		return
	}
	_, _, _ = syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
}
