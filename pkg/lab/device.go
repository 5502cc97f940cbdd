package lab

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

const tunPath = "/dev/net/tun"

// Device is a network device at a node, of which the caller holds the far end.
type Device struct {
	Name   string
	MTU    int
	Addrs  []netip.Addr   // the node's own, on the device
	Routes []netip.Prefix // what lies behind it
}

// OpenDevice makes a device. What the node sends by it is read from the file, a
// whole IP packet at a time, and what is written to the file the node receives.
// The device goes when the file is closed.
func (n *Node) OpenDevice(d Device) (file *os.File, err error) {
	err = n.Do(func() error {
		fd, err := openTUN(d.Name)
		if err == nil {
			file = os.NewFile(uintptr(fd), tunPath)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	commands := []string{raise(d.Name, d.MTU)}
	for _, a := range d.Addrs {
		commands = append(commands, address("add", a, d.Name))
	}
	if err := n.ip(append(commands, routes(d.Name, d.Addrs, d.Routes...)...)...); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

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

// raise is ip's command that brings up a TUN device. As many packets wait in it
// for whoever reads it: the kernel's 500 loses some when a thousand are sent at
// once.
func raise(device string, mtu int) string {
	return fmt.Sprintf("link set %s mtu %d txqueuelen 4096 up", device, mtu)
}

// address is ip's command to "add" or "del" an address. It works at once.
func address(verb string, a netip.Addr, device string) string {
	command := fmt.Sprintf("addr %s %s dev %s", verb, single(a)[0], device)
	if a.Is6() {
		command += " nodad"
	}
	return command
}

// routes are ip's commands that lead these networks into a device, from the first
// of the node's own addresses that is of their family.
func routes(device string, own []netip.Addr, networks ...netip.Prefix) (commands []string) {
	for _, n := range networks {
		commands = append(commands, fmt.Sprintf("route replace %s dev %s%s", n, device, from(own, n)))
	}
	return commands
}

func from(own []netip.Addr, n netip.Prefix) string {
	for _, a := range own {
		if a.Is4() == n.Addr().Is4() {
			return " src " + a.String()
		}
	}
	return ""
}

// single are the prefixes of an address each.
func single(addresses ...netip.Addr) (all []netip.Prefix) {
	for _, a := range addresses {
		all = append(all, netip.PrefixFrom(a, a.BitLen()))
	}
	return all
}
