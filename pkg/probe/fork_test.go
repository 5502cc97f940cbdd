package probe

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"checkvpn/pkg/lab"
)

// fork is a machine with two ways out: v0 has the addresses 10.60.0.1 and
// fd00:60::1, w0 10.61.0.1 and fd00:61::1; gateways end in 2 and 3. The main
// table leads to 10.2.0.0/16 and fd00:2::/64 by v0, the table 78 by w0.
type fork struct{ *lab.Node }

const otherTable = 78

var targets = []netip.Addr{netip.MustParseAddr("10.2.0.1"), netip.MustParseAddr("fd00:2::1")}

func newFork(t *testing.T) fork {
	t.Helper()
	node, err := lab.NewNode()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	f := fork{node}
	f.do(t, func() error {
		for i, name := range []string{"v0", "w0"} {
			if err := addVeth(name, 60+i); err != nil {
				return err
			}
		}
		return firstError(
			addRoute("10.2.0.0/16", netlink.Route{Gw: net.ParseIP("10.60.0.2")}),
			addRoute("fd00:2::/64", netlink.Route{Gw: net.ParseIP("fd00:60::2")}),
			addRoute("10.2.0.0/16", netlink.Route{Gw: net.ParseIP("10.61.0.2"), Table: otherTable}),
			addRoute("fd00:2::/64", netlink.Route{Gw: net.ParseIP("fd00:61::2"), Table: otherTable}))
	})
	return f
}

// do runs f there. What f calls may use t.Error, not t.Fatal.
func (f fork) do(t *testing.T, run func() error) {
	t.Helper()
	if err := f.Do(run); err != nil {
		t.Fatal(err)
	}
}

// addVeth makes a device whose other end, with a 1 behind its name, is in the
// same place. Nobody answers there, so its neighbours are set by hand.
func addVeth(name string, network int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: name + "1"}
	if err := netlink.LinkAdd(veth); err != nil {
		return err
	}
	for _, end := range []string{name, name + "1"} {
		link, err := netlink.LinkByName(end)
		if err == nil {
			err = netlink.LinkSetUp(link)
		}
		if err != nil {
			return err
		}
	}
	for _, own := range []string{"10.%d.0.1/24", "fd00:%d::1/64"} {
		if err := addAddress(veth, fmt.Sprintf(own, network)); err != nil {
			return err
		}
	}
	for _, format := range []string{"10.%d.0.2", "10.%d.0.3", "fd00:%d::2", "fd00:%d::3"} {
		if err := netlink.NeighSet(&netlink.Neigh{
			LinkIndex: veth.Index, State: netlink.NUD_PERMANENT,
			IP: net.ParseIP(fmt.Sprintf(format, network)), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 9},
		}); err != nil {
			return err
		}
	}
	return nil
}

func addAddress(link netlink.Link, prefix string) error {
	addr, err := netlink.ParseAddr(prefix)
	if err != nil {
		return err
	}
	if addr.IP.To4() == nil {
		addr.Flags = unix.IFA_F_NODAD
	}
	if err := netlink.AddrAdd(link, addr); err != nil {
		return err
	}
	return awaitLocal(addr.IP, link)
}

// awaitLocal waits until the kernel has made an address its own, which it does
// later for IPv6.
func awaitLocal(ip net.IP, link netlink.Link) error {
	for range 1000 {
		routes, err := netlink.RouteGetWithOptions(ip, &netlink.RouteGetOptions{OifIndex: link.Attrs().Index})
		if ip.To4() != nil || err == nil && routes[0].Type == unix.RTN_LOCAL {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("%s does not become an address of this host", ip)
}

func addRoute(to string, r netlink.Route) error {
	_, dst, err := net.ParseCIDR(to)
	if err != nil {
		return err
	}
	r.Dst = dst
	if err := netlink.RouteAdd(&r); err != nil {
		return fmt.Errorf("route to %s: %w", to, err)
	}
	return nil
}

// hopsBy are next hops over some devices.
func hopsBy(gateways ...string) (hops []*netlink.NexthopInfo) {
	for _, g := range gateways {
		hops = append(hops, &netlink.NexthopInfo{Gw: net.ParseIP(g)})
	}
	return hops
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// send sends a packet of a flow, as a check does.
func (f flow) send() error {
	kind := unix.SOCK_DGRAM
	if f.Protocol == unix.IPPROTO_TCP {
		kind = unix.SOCK_STREAM | unix.SOCK_NONBLOCK
	}
	fd, err := unix.Socket(afOf(f.To), kind, int(f.Protocol))
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	level, option := unix.IPPROTO_IP, unix.IP_TOS
	if f.To.Is6() {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
	}
	if err := unix.SetsockoptInt(fd, level, option, int(f.DSCP)<<2); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if f.Interface != "" {
		if err := bindToInterface(fd, f.Interface); err != nil {
			return err
		}
	}
	if f.Source.IsValid() {
		if err := unix.Bind(fd, socketAddress(f.Source, 0)); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	if f.Protocol == unix.IPPROTO_TCP {
		if err := unix.Connect(fd, socketAddress(f.To, f.Port)); err != unix.EINPROGRESS {
			return os.NewSyscallError("connect", err)
		}
		return nil
	}
	echo := []byte{8, 0, 0, 0, 0, 1, 0, 1}
	if f.To.Is6() {
		echo[0] = 128
	}
	return os.NewSyscallError("sendto", unix.Sendto(fd, echo, 0, socketAddress(f.To, f.Port)))
}

func socketAddress(addr netip.Addr, port uint16) unix.Sockaddr {
	if addr.Is4() {
		return &unix.SockaddrInet4{Addr: addr.As4(), Port: int(port)}
	}
	return &unix.SockaddrInet6{Addr: addr.As16(), Port: int(port)}
}

// taken finds out which way packets of a flow really leave, by the counters. A
// few packets of IPv6's own may be among them.
func (f flow) taken() (string, error) {
	const packets = 10
	before := map[string]uint64{}
	for _, name := range []string{"v0", "w0"} {
		c, err := counters(name)
		if err != nil {
			return "", err
		}
		before[name] = c.Out
	}
	for range packets {
		if err := f.send(); err != nil {
			return "", err
		}
	}
	way := ""
	for name, n := range before {
		c, err := counters(name)
		if err != nil {
			return "", err
		}
		if c.Out >= n+packets {
			way += name
		}
	}
	return way, nil
}
