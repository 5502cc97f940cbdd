package probe

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"checkvpn/pkg/vpn"
)

func TestIsInterfaceName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"tun0": true, "a": true, "...": true, "my-very-long-alternative-name": true, "vpn.100@office": true,
		strings.Repeat("x", 127): true, strings.Repeat("x", 128): false,
		"": false, ".": false, "..": false, "a/b": false, "a b": false, "a\tb": false, "a\nb": false, "fe80::x": false, "a\x00": false,
	} {
		if got := IsInterfaceName(name); got != want {
			t.Errorf("%q: got %t", name, got)
		}
	}
}

// long begins with short, which is a name of the other interface.
const short, long = "fifteen-letters", "fifteen-letters-and-more"

func nameBoth() error {
	v0, err := netlink.LinkByName("v0")
	if err != nil {
		return err
	}
	w0, err := netlink.LinkByName("w0")
	if err != nil {
		return err
	}
	return firstError(netlink.LinkAddAltName(w0, short), netlink.LinkAddAltName(v0, long), netlink.LinkAddAltName(v0, "dr"))
}

func TestAlternativeNames(t *testing.T) {
	t.Parallel()
	newFork(t).do(t, func() error {
		if err := nameBoth(); err != nil {
			return err
		}
		v0, err := net.InterfaceByName("v0")
		if err != nil {
			return err
		}
		for name, want := range map[string]string{"v0": "v0", "dr": "v0", long: "v0", short: "w0", "w0": "w0"} {
			link, err := linkNamed(name)
			if err != nil {
				return err
			}
			if got := link.Attrs(); got.Name != want || (got.Index == v0.Index) != (want == "v0") {
				t.Errorf("%s: got %d, %s, want %s", name, got.Index, got.Name, want)
			}
			if bound, err := boundTo(name); err != nil || bound != want {
				t.Errorf("bound to %s: got %q, %v, want %s", name, bound, err, want)
			}
			for _, f := range sent(icmpProto, 0, Path{}) {
				if r, err := routeOf(f); err != nil || holds(vpn.Via{Interface: name}, r) != (want == "v0") {
					t.Errorf("via %s: got %+v, %v", name, r, err)
				}
				if f.Interface = name; want == "v0" {
					expectWay(t, f, want)
				}
			}
		}
		for _, name := range []string{"gone0", "fifteen", long + "-still", strings.Repeat("x", 200), ""} {
			if _, err := linkNamed(name); !errors.Is(err, syscall.ENODEV) {
				t.Errorf("%s: got %v", name, err)
			}
			if _, err := boundTo(name); name != "" && !errors.Is(err, syscall.ENODEV) {
				t.Errorf("bound to %q: got %v", name, err)
			}
		}
		return nil
	})
}

// boundTo binds a socket, and gives the interface that the kernel chose.
func boundTo(name string) (string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	if err := bindToInterface(fd, name); err != nil {
		return "", err
	}
	return unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
}

func TestCounters(t *testing.T) {
	t.Parallel()
	newFork(t).do(t, func() error {
		if err := nameBoth(); err != nil {
			return err
		}
		const packets = 50
		names := []string{long, "v01", "w0"}
		read := func() (list []vpn.Counters) {
			for _, name := range names {
				c, err := counters(name)
				if err != nil {
					t.Error(err)
				}
				list = append(list, c)
			}
			return list
		}
		before := read()
		for range packets {
			if err := sent(icmpProto, 0, Path{})[0].send(); err != nil {
				return err
			}
		}
		// What v0 sends, its other end receives; w0 has no part in it. A few
		// packets of IPv6's own may be among them.
		after := read()
		if n := after[0].Out - before[0].Out; n < packets || n >= 2*packets || after[0].Interface != long {
			t.Errorf("%d packets out of %s", n, after[0].Interface)
		}
		if n := after[0].In - before[0].In; n >= packets {
			t.Errorf("%d packets into v0", n)
		}
		if n := after[1].In - before[1].In; n < packets || n >= 2*packets {
			t.Errorf("%d packets into v01", n)
		}
		if n := after[2].Out - before[2].Out; n >= packets {
			t.Errorf("%d packets out of w0", n)
		}
		if c, err := counters("gone0"); !errors.Is(err, syscall.ENODEV) {
			t.Errorf("got %+v, %v", c, err)
		}
		return nil
	})
}
