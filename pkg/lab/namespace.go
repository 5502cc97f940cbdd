package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// namespace is a network namespace without a name. Only this descriptor, and
// the sockets, devices and programs in it, keep it alive.
type namespace struct{ file *os.File }

func newNamespace() (*namespace, error) {
	ns := new(namespace)
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		if ns.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		if err := defaults(); err != nil {
			ns.file.Close()
			return err
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("new network namespace: %w", err)
	}
	return ns, nil
}

// enter moves the calling thread into the namespace.
func (ns *namespace) enter() error {
	return os.NewSyscallError("setns", unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET))
}

// do runs f in the namespace.
func (ns *namespace) do(f func() error) error {
	return onThread(func() error {
		if err := ns.enter(); err != nil {
			return err
		}
		return f()
	})
}

func (ns *namespace) close() error { return ns.file.Close() }

// defaults makes the calling thread's new namespace ready for use.
func defaults() error {
	for _, s := range [][2]string{
		// Addresses must work at once, not after a second of asking around.
		{"net/ipv6/conf/all/accept_dad", "0"},
		{"net/ipv6/conf/default/accept_dad", "0"},
		{"net/ipv6/conf/default/accept_ra", "0"},
		// Packets come and go by different devices when a tunnel breaks.
		{"net/ipv4/conf/all/rp_filter", "0"},
		{"net/ipv4/conf/default/rp_filter", "0"},
		// Every packet gets its ICMP error, not one in a second.
		{"net/ipv4/icmp_ratelimit", "0"},
		{"net/ipv6/icmp/ratelimit", "0"},
	} {
		if err := setSysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	if err := allowPing(); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

// allowPing lets every group open ICMP sockets. In a user namespace only the
// groups that it maps may be named, and there that is group 0 alone.
func allowPing() error {
	const path = "net/ipv4/ping_group_range"
	err := setSysctl(path, "0 2147483647")
	if errors.Is(err, unix.EINVAL) {
		err = setSysctl(path, "0 0")
	}
	return err
}

// setSysctl writes a setting of the calling thread's namespace.
func setSysctl(path, value string) error {
	return os.WriteFile(filepath.Join("/proc/sys", path), []byte(value), 0)
}
