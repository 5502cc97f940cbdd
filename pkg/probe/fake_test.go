package probe

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/tun"

	"checkvpn/pkg/lab"
)

// fake is a far side behind a TUN device that answers echo requests in ways
// that no real one does. The last byte of the address that is asked says how.
type fake struct {
	dev  tun.Device
	mu   sync.Mutex
	n    map[byte]int    // requests to each address
	when map[byte]func() // called at the third request to an address
}

// The ways of the fake, as the last byte of its address.
const (
	honest    = 1 + iota
	twice     // each answer comes twice
	stranger  // another address answers, and then the right one
	impostor  // only another address answers
	late      // after the wait
	corrupt   // with a wrong checksum
	reordered // the first request is answered after the third
	timeless  // with the time that pro-bing keeps in the packet set to zero
	cutOff    // with most of the payload cut off
	leaving   // the first request is not answered, and the route to it changes at the third
)

func fakeAddr(way byte) string { return netip.AddrFrom4([4]byte{10, 9, 0, way}).String() }

// newFake makes a host in the lab, with a way to a fake and another that leads
// nowhere, by the interface empty0.
func newFake(t *testing.T) (*lab.Site, *fake) {
	t.Helper()
	i, err := lab.NewInternet()
	check(t, err)
	t.Cleanup(func() { i.Close() })
	site, err := i.AddSite(lab.SiteConfig{
		Name: "near", Public: lab.Addrs("192.0.2.1"),
		Networks:     []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24")},
		GatewayAddrs: lab.Addrs("10.1.0.1"),
		HostAddrs:    lab.Addrs("10.1.0.20"),
	})
	check(t, err)
	f := &fake{n: map[byte]int{}, when: map[byte]func(){}}
	check(t, site.Do(func() (err error) {
		if f.dev, err = tun.CreateTUN("fake0", 1500); err != nil {
			return err
		}
		empty, err := tun.CreateTUN("empty0", 1500)
		if err != nil {
			return err
		}
		t.Cleanup(func() { empty.Close() })
		for _, name := range []string{"fake0", "empty0"} {
			link, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetUp(link); err != nil {
				return err
			}
		}
		return setRoute("10.9.0.0/24", "fake0", unix.RTN_UNICAST)
	}))
	t.Cleanup(func() { f.dev.Close() })
	go f.serve()
	return site, f
}

// setRoute sets the route to a network, in the namespace of the calling thread.
func setRoute(to, by string, kind int) error {
	_, dst, err := net.ParseCIDR(to)
	if err != nil {
		return err
	}
	r := &netlink.Route{Dst: dst, Type: kind}
	if by != "" {
		link, err := netlink.LinkByName(by)
		if err != nil {
			return err
		}
		r.LinkIndex = link.Attrs().Index
	}
	return netlink.RouteReplace(r)
}

// room is what the TUN device wants before a packet.
const room = 16

func (f *fake) serve() {
	bufs, sizes := make([][]byte, f.dev.BatchSize()), make([]int, f.dev.BatchSize())
	for i := range bufs {
		bufs[i] = make([]byte, 65536)
	}
	for {
		n, err := f.dev.Read(bufs, sizes, room)
		if err != nil {
			return
		}
		for i := range n {
			request := append([]byte(nil), bufs[i][room:room+sizes[i]]...)
			if len(request) >= 28 && request[0]>>4 == 4 && request[9] == unix.IPPROTO_ICMP && request[20] == 8 {
				f.answer(request)
			}
		}
	}
}

func (f *fake) answer(request []byte) {
	way := request[19]
	f.mu.Lock()
	f.n[way]++
	n, when := f.n[way], f.when[way]
	f.mu.Unlock()
	reply := append([]byte(nil), request...)
	copy(reply[12:16], request[16:20])
	copy(reply[16:20], request[12:16])
	reply[20] = 0
	other := append([]byte(nil), reply...)
	other[15] = 200
	switch way {
	case twice:
		f.send(reply)
	case stranger:
		f.send(other)
	case impostor:
		reply = other
	case late:
		time.AfterFunc(900*time.Millisecond, func() { f.send(reply) })
		return
	case timeless:
		clear(reply[28:36])
	case cutOff:
		reply = reply[:32]
		binary.BigEndian.PutUint16(reply[2:], 32)
	case leaving:
		if n == 1 {
			return
		}
	case corrupt:
		sum(reply)
		reply[len(reply)-1] ^= 0xff
		f.write(reply)
		return
	case reordered:
		if n == 1 {
			time.AfterFunc(60*time.Millisecond, func() { f.send(reply) })
			return
		}
	}
	f.send(reply)
	if n == 3 && when != nil {
		when()
	}
}

func (f *fake) send(packet []byte) {
	packet = append([]byte(nil), packet...)
	sum(packet)
	f.write(packet)
}

func (f *fake) write(packet []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, _ = f.dev.Write([][]byte{append(make([]byte, room), packet...)}, room)
}

// sum sets the checksums of the IPv4 header and of ICMP (RFC 1071).
func sum(packet []byte) {
	for _, part := range []struct{ bytes, field []byte }{
		{packet[:20], packet[10:12]}, {packet[20:], packet[22:24]},
	} {
		clear(part.field)
		var s uint32
		for i, b := range part.bytes {
			s += uint32(b) << (8 * (1 - i%2))
		}
		for s>>16 != 0 {
			s = s>>16 + s&0xffff
		}
		binary.BigEndian.PutUint16(part.field, ^uint16(s))
	}
}
