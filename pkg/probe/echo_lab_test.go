package probe

import (
	"cmp"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"checkvpn/pkg/lab"
	"checkvpn/pkg/vpn"
)

// What the tests of the echo socket need: nodes and cables between them, a
// device of which the test is the far end, and an ear that waits for events.

// patience is for what must happen, however busy the machine is.
const patience = 30 * time.Second

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// forEachEchoSocket runs a test for both families and both kinds of socket.
func forEachEchoSocket(t *testing.T, test func(t *testing.T, f Family, privileged bool)) {
	for name, f := range map[string]Family{"IPv4": IPv4, "IPv6": IPv6} {
		for kind, privileged := range map[string]bool{"datagram": false, "raw": true} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				test(t, f, privileged)
			})
		}
	}
}

// of is the address of a family.
func of(f Family, four, six string) netip.Addr {
	if f == IPv6 {
		return netip.MustParseAddr(six)
	}
	return netip.MustParseAddr(four)
}

func echoNode(t *testing.T) *lab.Node {
	t.Helper()
	n, err := lab.NewNode()
	check(t, err)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// end is one end of a cable.
type end struct {
	node  *lab.Node
	name  string
	addrs []string // with their prefix lengths
}

// cable joins two nodes.
func cable(t *testing.T, a, b end) {
	t.Helper()
	var far *os.File
	check(t, b.node.Do(func() (err error) {
		far, err = os.Open("/proc/thread-self/ns/net")
		return err
	}))
	defer far.Close()
	check(t, a.node.Do(func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: a.name}, PeerName: b.name, PeerNamespace: netlink.NsFd(far.Fd()),
		})
	}))
	for _, e := range []end{a, b} {
		check(t, e.node.Do(func() error { return raise(e.name, e.addrs) }))
	}
}

func raise(name string, addrs []string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	var own []netip.Addr
	for _, text := range addrs {
		own = append(own, netip.MustParsePrefix(text).Addr())
		a, err := netlink.ParseAddr(text)
		if err != nil {
			return err
		}
		if a.IP.To4() == nil {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(link, a); err != nil {
			return err
		}
	}
	return awaitOwn(own)
}

func setMTU(t *testing.T, n *lab.Node, name string, bytes int) {
	t.Helper()
	check(t, n.Do(func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return netlink.LinkSetMTU(link, bytes)
	}))
}

// lead adds a route: by a gateway, or of a type.
func lead(t *testing.T, n *lab.Node, to, gateway string, kind int) {
	t.Helper()
	p := netip.MustParsePrefix(to)
	r := &netlink.Route{Dst: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}, Gw: net.ParseIP(gateway), Type: kind}
	check(t, n.Do(func() error {
		if kind == unix.RTN_LOCAL {
			lo, err := netlink.LinkByName("lo")
			if err != nil {
				return err
			}
			r.LinkIndex, r.Table, r.Scope = lo.Attrs().Index, unix.RT_TABLE_LOCAL, netlink.SCOPE_HOST
		}
		return netlink.RouteAdd(r)
	}))
}

// chain is three nodes in a row: 10.1.0.2 near, 10.1.0.1 router 10.2.0.1, far
// 10.2.0.2; likewise fd00:1::2 and so on.
type chain struct{ near, router, far *lab.Node }

func newChain(t *testing.T) chain {
	t.Helper()
	c := chain{echoNode(t), echoNode(t), echoNode(t)}
	check(t, c.router.Sysctl("net/ipv4/ip_forward", "1"))
	check(t, c.router.Sysctl("net/ipv6/conf/all/forwarding", "1"))
	cable(t, end{c.near, "out", []string{"10.1.0.2/24", "fd00:1::2/64", "fe80::2/64"}},
		end{c.router, "near", []string{"10.1.0.1/24", "fd00:1::1/64", "fe80::1/64"}})
	cable(t, end{c.router, "far", []string{"10.2.0.1/24", "fd00:2::1/64"}},
		end{c.far, "out", []string{"10.2.0.2/24", "fd00:2::2/64"}})
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		f := IPv4
		if all == "::/0" {
			f = IPv6
		}
		lead(t, c.near, all, of(f, "10.1.0.1", "fd00:1::1").String(), 0)
		lead(t, c.far, all, of(f, "10.2.0.1", "fd00:2::1").String(), 0)
	}
	return c
}

const echoReply, echoError = vpn.Answered, vpn.ICMPError

// echoAsked is an echo request with a number of ours.
type echoAsked struct {
	To              netip.Addr
	Seq, Bytes, TTL int
}

// echoEvent is what became of it.
type echoEvent struct {
	Kind       vpn.Kind
	To         netip.Addr
	Seq, Bytes int
	Sent, At   time.Time
	From       netip.Addr
	Type, Code uint8
	MTU        int
}

// ear is an echo socket at a node, and what it hears.
type ear struct {
	*echoSocket
	family Family
	events chan echoEvent
	seq    atomic.Int64
}

func listenAt(t *testing.T, n *lab.Node, f Family, path Path, privileged bool) *ear {
	t.Helper()
	e := &ear{family: f, events: make(chan echoEvent, 1<<16)}
	check(t, n.Do(func() (err error) {
		e.echoSocket, err = openEchoSocket(f, path, privileged)
		return err
	}))
	over := make(chan error)
	go func() { over <- e.listen() }()
	t.Cleanup(func() {
		e.Close()
		if err := <-over; err != nil {
			t.Errorf("listening: %v", err)
		}
	})
	return e
}

// send sends a packet, of which the ear hears.
func (e *ear) send(r echoAsked, left func(time.Time)) error {
	ev := echoEvent{To: r.To, Seq: r.Seq, Bytes: cmp.Or(r.Bytes, formOf(e.family).usual())}
	return e.echoSocket.send(echoRequest{To: r.To, Bytes: r.Bytes, TTL: r.TTL, heard: func(kind vpn.Kind, at time.Time, said *vpn.ICMPMessage) {
		switch ev.Kind, ev.At = kind, at; {
		case kind == vpn.Sent:
			if ev.Sent = at; left != nil {
				left(at)
			}
			return
		case said != nil:
			ev.From, ev.Type, ev.Code, ev.MTU = said.From, said.Type, said.Code, said.MTU
		default:
			ev.From, ev.Type, ev.Code, ev.MTU = r.To.WithZone(""), 0, 0, 0 // nobody else may answer
		}
		e.events <- ev
	}})
}

// next is the next event.
func (e *ear) next(t *testing.T) echoEvent {
	t.Helper()
	select {
	case ev := <-e.events:
		if ev.Sent.IsZero() || ev.At.Before(ev.Sent) {
			t.Errorf("heard before it was sent: %+v", ev)
		}
		return ev
	case <-time.After(patience):
		t.Fatal("nothing is heard")
		return echoEvent{}
	}
}

// say sends one packet.
func (e *ear) say(t *testing.T, r echoAsked) echoAsked {
	t.Helper()
	if r.Seq == 0 {
		r.Seq = int(e.seq.Add(1))
	}
	if err := e.send(r, nil); err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	return r
}

// ask sends a packet, and again if nothing is heard of it, until something is.
func (e *ear) ask(t *testing.T, r echoAsked) echoEvent {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		sent := e.say(t, r)
		again := time.After(time.Second)
		for waiting := true; waiting; {
			select {
			case ev := <-e.events:
				if ev.Seq == sent.Seq {
					return ev
				}
			case <-again:
				waiting = false
			}
		}
	}
	t.Fatalf("nothing is heard of %+v", r)
	return echoEvent{}
}

// expect compares an event, times apart.
func expectEcho(t *testing.T, got echoEvent, want echoEvent) {
	t.Helper()
	want.Seq, want.Bytes, want.Sent, want.At = got.Seq, got.Bytes, got.Sent, got.At
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// line is a device of which the test is the far end.
type line struct {
	file *os.File
	six  bool
}

func newLine(t *testing.T, n *lab.Node, f Family, name string, mtu int, addrs, routes []string) *line {
	t.Helper()
	file, err := n.OpenDevice(lab.Device{Name: name, MTU: mtu, Addrs: lab.Addrs(addrs...), Routes: lab.Prefixes(routes...)})
	check(t, err)
	t.Cleanup(func() { file.Close() })
	check(t, n.Do(func() error { return awaitOwn(lab.Addrs(addrs...)) }))
	return &line{file, f == IPv6}
}

// awaitOwn waits until a node takes packets to its addresses in. For IPv6 the
// kernel sees to that a moment after they are added.
func awaitOwn(addrs []netip.Addr) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		own := 0
		for _, a := range addrs {
			routes, err := netlink.RouteGet(a.AsSlice())
			// Each device has link-local addresses of its own.
			if a.IsLinkLocalUnicast() || err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL {
				own++
			}
		}
		switch {
		case own == len(addrs):
			return nil
		case time.Now().After(deadline):
			return errors.New("the addresses are not the node's")
		}
	}
}

// next is the next echo request that leaves by the device, a whole IP packet.
func (l *line) next(t *testing.T) []byte {
	t.Helper()
	check(t, l.file.SetReadDeadline(time.Now().Add(patience)))
	for {
		b := make([]byte, 1<<16)
		n, err := l.file.Read(b)
		check(t, err)
		b = b[:n]
		if l.six && b[0]>>4 == 6 && b[6] == unix.IPPROTO_ICMPV6 && b[40] == 128 || !l.six && b[0]>>4 == 4 && b[9] == unix.IPPROTO_ICMP && b[20] == 8 {
			return b
		}
	}
}

// message is an ICMP message in an IP packet, as the network delivers it.
type message struct {
	from, to []byte
	icmp     []byte
	badSum   bool
}

// message begins as what answers a request.
func (l *line) message(request []byte) message {
	if l.six {
		m := message{from: request[24:40], to: request[8:24], icmp: append([]byte(nil), request[40:]...)}
		m.icmp[0] = 129
		return m
	}
	m := message{from: request[16:20], to: request[12:16], icmp: append([]byte(nil), request[20:]...)}
	m.icmp[0] = 0
	return m
}

// error is an ICMP error about a request, of which it quotes so much.
func (l *line) error(request []byte, from netip.Addr, kind, code byte, info uint32, quote int) message {
	m := l.message(request)
	m.from = from.AsSlice()
	m.icmp = binary.BigEndian.AppendUint32([]byte{kind, code, 0, 0}, info)
	m.icmp = append(m.icmp, request[:min(len(request), quote)]...)
	return m
}

// deliver gives the message to the node.
func (l *line) deliver(t *testing.T, m message) {
	t.Helper()
	icmp := append([]byte(nil), m.icmp...)
	icmp[2], icmp[3] = 0, 0
	var b, pseudo []byte
	if l.six {
		b = append([]byte{0x60, 0, 0, 0, 0, 0, unix.IPPROTO_ICMPV6, 64}, m.from...)
		b = append(b, m.to...)
		binary.BigEndian.PutUint16(b[4:], uint16(len(icmp)))
		pseudo = append(append([]byte(nil), b[8:40]...), 0, 0, byte(len(icmp)>>8), byte(len(icmp)), 0, 0, 0, unix.IPPROTO_ICMPV6)
	} else {
		b = append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, unix.IPPROTO_ICMP, 0, 0}, m.from...)
		b = append(b, m.to...)
		binary.BigEndian.PutUint16(b[2:], uint16(20+len(icmp)))
		binary.BigEndian.PutUint16(b[10:], lab.Checksum(b))
	}
	binary.BigEndian.PutUint16(icmp[2:], lab.Checksum(append(pseudo, icmp...)))
	if m.badSum {
		icmp[2] ^= 0x40
	}
	_, err := l.file.Write(append(b, icmp...))
	check(t, err)
}
