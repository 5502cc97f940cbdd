package lab

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const tunPath = "/dev/net/tun"

// tunQueue is how many packets wait in a TUN device for whoever reads it. The
// kernel's 500 loses packets when a thousand are sent at once.
const tunQueue = 4096

// openTUN makes a TUN device in the calling thread's namespace. The device
// lives until the descriptor is closed.
func openTUN(name string) (fd int, err error) {
	fd, err = unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: tunPath, Err: err}
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("TUN device %s: %w", name, err)
	}
	return fd, nil
}

// raiseTUN sets the device's packet size and queue and brings it up.
func raiseTUN(name string, mtu int) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, err
	}
	if err := netlink.LinkSetMTU(link, mtu); err != nil {
		return nil, err
	}
	if err := netlink.LinkSetTxQLen(link, tunQueue); err != nil {
		return nil, err
	}
	return link, netlink.LinkSetUp(link)
}

func deleteTUN(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkDel(link)
}
