package probe

import (
	"cmp"
	"errors"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"checkvpn/pkg/lab"
	"checkvpn/pkg/vpn"
)

func TestEchoReplies(t *testing.T) {
	forEachEchoSocket(t, func(t *testing.T, f Family, privileged bool) {
		c := newChain(t)
		e := listenAt(t, c.near, f, Path{}, privileged)
		to := of(f, "10.2.0.2", "fd00:2::2")
		for _, size := range []int{0, formOf(f).least(), formOf(f).least() + 5, 500, 1500} {
			got := e.ask(t, echoAsked{To: to, Bytes: size})
			expectEcho(t, got, echoEvent{Kind: echoReply, To: to, From: to})
			if size == 0 {
				size = formOf(f).usual()
			}
			if got.Bytes != size {
				t.Errorf("got a reply of %d bytes, want %d", got.Bytes, size)
			}
		}
		if f == IPv6 {
			// The interface belongs to the node, which this thread is not at.
			for _, text := range []string{"fe80::1%out", "fe80::1%2"} {
				to := netip.MustParseAddr(text)
				expectEcho(t, e.ask(t, echoAsked{To: to}), echoEvent{Kind: echoReply, To: to, From: to.WithZone("")})
			}
		}
	})
}

// TestEchoErrors has routers of the real kernel say why they do not pass on.
func TestEchoErrors(t *testing.T) {
	forEachEchoSocket(t, func(t *testing.T, f Family, privileged bool) {
		c := newChain(t)
		lead(t, c.router, "10.9.0.1/32", "", unix.RTN_UNREACHABLE)
		lead(t, c.router, "fd00:9::1/128", "", unix.RTN_UNREACHABLE)
		lead(t, c.router, "10.9.0.2/32", "", unix.RTN_PROHIBIT)
		lead(t, c.router, "fd00:9::2/128", "", unix.RTN_PROHIBIT)
		for _, setting := range []string{"net/ipv4/neigh/out/retrans_time_ms", "net/ipv6/neigh/out/retrans_time_ms"} {
			check(t, c.near.Sysctl(setting, "50")) // else it takes three seconds
		}
		e := listenAt(t, c.near, f, Path{}, privileged)
		router, far := of(f, "10.1.0.1", "fd00:1::1"), of(f, "10.2.0.2", "fd00:2::2")
		for _, test := range []struct {
			name   string
			to     netip.Addr
			ttl    int
			from   netip.Addr
			t4, t6 [2]uint8
		}{
			{"unreachable", of(f, "10.9.0.1", "fd00:9::1"), 0, router, [2]uint8{3, 1}, [2]uint8{1, 0}},
			{"prohibited", of(f, "10.9.0.2", "fd00:9::2"), 0, router, [2]uint8{3, 13}, [2]uint8{1, 1}},
			{"the first hop", far, 1, router, [2]uint8{11, 0}, [2]uint8{3, 0}},
			{"a neighbour that this host does not find", of(f, "10.1.0.99", "fd00:1::99"), 0, netip.Addr{}, [2]uint8{3, 1}, [2]uint8{1, 3}},
		} {
			code := test.t4
			if f == IPv6 {
				code = test.t6
			}
			got := e.ask(t, echoAsked{To: test.to, TTL: test.ttl})
			want := echoEvent{Kind: echoError, To: test.to, From: test.from, Type: code[0], Code: code[1]}
			t.Run(test.name, func(t *testing.T) { expectEcho(t, got, want) })
		}
		expectEcho(t, e.ask(t, echoAsked{To: far, TTL: 2}), echoEvent{Kind: echoReply, To: far, From: far})
	})
}

// TestEchoTooBig has a packet that a router says is too big, which the kernel
// remembers for ten minutes, and one that is too big for this host.
func TestEchoTooBig(t *testing.T) {
	forEachEchoSocket(t, func(t *testing.T, f Family, privileged bool) {
		c := newChain(t)
		e := listenAt(t, c.near, f, Path{}, privileged)
		to, router, code := of(f, "10.2.0.2", "fd00:2::2"), of(f, "10.1.0.1", "fd00:1::1"), formOf(f).tooBig
		setMTU(t, c.router, "far", 1300)
		for range 2 {
			expectEcho(t, e.ask(t, echoAsked{To: to, Bytes: 1400}),
				echoEvent{Kind: echoError, To: to, From: router, Type: code[0], Code: code[1], MTU: 1300})
			expectEcho(t, e.ask(t, echoAsked{To: to, Bytes: 1300}), echoEvent{Kind: echoReply, To: to, From: to})
		}
		setMTU(t, c.router, "far", 1500)
		expectEcho(t, e.ask(t, echoAsked{To: to, Bytes: 1400}), echoEvent{Kind: echoReply, To: to, From: to})

		left := 0
		for i := range 3 {
			check(t, e.send(echoAsked{To: to, Seq: 1000 + i, Bytes: 1501}, func(time.Time) { left++ }))
		}
		for i := range 3 {
			got := e.next(t)
			expectEcho(t, got, echoEvent{Kind: echoError, To: to, Type: code[0], Code: code[1], MTU: 1500})
			if got.Seq != 1000+i || got.Bytes != 1501 {
				t.Errorf("got %+v, want that of packet %d", got, i)
			}
		}
		if left != 3 {
			t.Errorf("%d of 3 packets are said to have left", left)
		}
		expectEcho(t, e.ask(t, echoAsked{To: to, Bytes: 1500}), echoEvent{Kind: echoReply, To: to, From: to})
	})
}

// TestEchoManyTargets asks a thousand by one socket, from several goroutines.
// Each answers for itself.
func TestEchoManyTargets(t *testing.T) {
	forEachEchoSocket(t, func(t *testing.T, f Family, privileged bool) {
		c := newChain(t)
		lead(t, c.far, "10.77.0.0/16", "", unix.RTN_LOCAL)
		lead(t, c.far, "fd00:77::/64", "", unix.RTN_LOCAL)
		lead(t, c.router, "10.77.0.0/16", "10.2.0.2", 0)
		lead(t, c.router, "fd00:77::/64", "fd00:2::2", 0)
		e := listenAt(t, c.near, f, Path{}, privileged)
		to := of(f, "10.77.0.0", "fd00:77::")
		missing := make(map[int]netip.Addr)
		for i := range 1000 {
			to = to.Next()
			missing[i] = to
		}
		for deadline := time.Now().Add(patience); len(missing) > 0 && time.Now().Before(deadline); {
			sendAll(t, e, missing)
			for again := time.After(time.Second); len(missing) > 0 && again != nil; {
				select {
				case got := <-e.events:
					if want, ok := missing[got.Seq]; ok {
						expectEcho(t, got, echoEvent{Kind: echoReply, To: want, From: want})
						delete(missing, got.Seq)
					}
				case <-again:
					again = nil
				}
			}
		}
		if len(missing) > 0 {
			t.Errorf("%d of 1000 targets are not heard of", len(missing))
		}
	})
}

func sendAll(t *testing.T, e *ear, targets map[int]netip.Addr) {
	t.Helper()
	var all sync.WaitGroup
	for part := range 4 {
		var mine []echoAsked
		for seq, to := range targets {
			if seq%4 == part {
				mine = append(mine, echoAsked{To: to, Seq: seq})
			}
		}
		all.Go(func() {
			for _, r := range mine {
				if err := e.send(r, nil); err != nil {
					t.Errorf("%+v: %v", r, err)
				}
			}
		})
	}
	all.Wait()
}

// TestEchoOthersError: that some cannot be reached is no error of the packets
// to others. Each error comes back before the next packet is sent.
func TestEchoOthersError(t *testing.T) {
	forEachEchoSocket(t, func(t *testing.T, f Family, privileged bool) {
		n := echoNode(t)
		l := newLine(t, n, f, "tun", 1400, []string{"10.1.0.2", "fd00:1::2"}, []string{"10.0.0.0/8", "fd00::/16"})
		e := listenAt(t, n, f, Path{}, privileged)
		dead, alive, router := of(f, "10.2.0.1", "fd00:2::1"), of(f, "10.2.0.2", "fd00:2::2"), of(f, "10.1.0.1", "fd00:1::1")
		kind, codes := byte(3), []byte{0, 1, 4, 13}
		if f == IPv6 {
			kind, codes = 1, []byte{0, 1, 3, 4}
		}
		errors, replies := 0, 0
		for i := range 50 {
			e.say(t, echoAsked{To: dead, Seq: 1000 + i})
			l.deliver(t, l.error(l.next(t), router, kind, codes[i%4], 1280, 1280-48))
			e.say(t, echoAsked{To: alive, Seq: 2000 + i})
			l.deliver(t, l.message(l.next(t)))
		}
		for errors+replies < 100 {
			switch got := e.next(t); {
			case got.Kind == echoError && got.To == dead && got.Seq/1000 == 1 && got.From == router:
				errors++
			case got.Kind == echoReply && got.To == alive && got.Seq/1000 == 2:
				replies++
			default:
				t.Fatalf("got %+v", got)
			}
		}
	})
}

// TestEchoErrorInFailure has an error come in just before a packet that cannot
// be sent, so that it is often send that reads it. It is heard all the same.
func TestEchoErrorInFailure(t *testing.T) {
	forEachEchoSocket(t, func(t *testing.T, f Family, privileged bool) {
		n := echoNode(t)
		l := newLine(t, n, f, "tun", 1400, []string{"10.1.0.2", "fd00:1::2"}, []string{"10.0.0.0/8", "fd00::/16"})
		lead(t, n, "10.9.0.2/32", "", unix.RTN_PROHIBIT)
		lead(t, n, "fd00:9::2/128", "", unix.RTN_PROHIBIT)
		e := listenAt(t, n, f, Path{}, privileged)
		for i := range 200 {
			e.say(t, echoAsked{To: of(f, "10.2.0.1", "fd00:2::1"), Seq: i + 1})
			l.deliver(t, l.error(l.next(t), of(f, "10.1.0.1", "fd00:1::1"), 3, 0, 0, 1000))
			expectSyscall(t, e.send(echoAsked{To: of(f, "10.9.0.2", "fd00:9::2")}, nil), "sendmsg", unix.EACCES)
			if got := e.next(t); got.Seq != i+1 || got.Kind != echoError {
				t.Fatalf("got %+v, want an error about packet %d", got, i+1)
			}
		}
	})
}

// TestEchoOnTheWire looks at what leaves.
func TestEchoOnTheWire(t *testing.T) {
	forEachEchoSocket(t, func(t *testing.T, f Family, privileged bool) {
		n := echoNode(t)
		l := newLine(t, n, f, "tun", 1400, []string{"10.1.0.2", "fd00:1::2"}, []string{"10.0.0.0/8", "fd00::/16"})
		e := listenAt(t, n, f, Path{DSCP: 46}, privileged)
		for _, r := range []echoAsked{
			{Bytes: formOf(f).least(), TTL: 255},
			{Bytes: 100},
			{},
			{Bytes: 1400, TTL: 1},
		} {
			r.To = of(f, "10.2.0.1", "fd00:2::1")
			e.say(t, r)
			b := l.next(t)
			var class, ttl byte
			if f == IPv6 {
				class, ttl = b[0]<<4|b[1]>>4, b[7]
			} else {
				class, ttl = b[1], b[8]
				if b[6]&0x40 == 0 {
					t.Error("may be cut into fragments")
				}
			}
			r.TTL, r.Bytes = cmp.Or(r.TTL, 64), cmp.Or(r.Bytes, map[Family]int{IPv4: 52, IPv6: 72}[f])
			if len(b) != r.Bytes || int(ttl) != r.TTL || class>>2 != 46 {
				t.Errorf("got %d bytes, %d hops, DSCP %d, want %+v", len(b), ttl, class>>2, r)
			}
		}
	})
}

// TestEchoForgedReplies has what others might send arrive before the reply.
func TestEchoForgedReplies(t *testing.T) {
	forEachEchoSocket(t, func(t *testing.T, f Family, privileged bool) {
		n := echoNode(t)
		l := newLine(t, n, f, "tun", 1400, []string{"10.1.0.2", "fd00:1::2"}, []string{"10.0.0.0/8", "fd00::/16"})
		e := listenAt(t, n, f, Path{}, privileged)
		to := of(f, "10.2.0.1", "fd00:2::1")
		e.say(t, echoAsked{To: to, Seq: 1, Bytes: 200})
		request := l.next(t)
		for _, forge := range []func(m *message){
			func(m *message) { m.icmp[5] ^= 0x80 }, // id
			func(m *message) { m.icmp[7] ^= 0x80 }, // sequence number
			func(m *message) { m.icmp[8] ^= 1 },    // first and last byte of the cookie
			func(m *message) { m.icmp[23] ^= 1 },
			func(m *message) { m.icmp[1] = 1 }, // code
			func(m *message) { m.icmp = m.icmp[:len(m.icmp)-1] },
			func(m *message) { m.icmp = append(m.icmp, 0) },
			func(m *message) { m.icmp = m.icmp[:8] },
			func(m *message) { m.from = to.Next().AsSlice() },
			func(m *message) { m.badSum = true },
		} {
			m := l.message(request)
			m.from = slices.Clone(m.from)
			forge(&m)
			l.deliver(t, m)
		}
		e.say(t, echoAsked{To: to, Seq: 2})
		second := l.next(t)
		l.deliver(t, l.message(second))
		l.deliver(t, l.message(second)) // twice
		l.deliver(t, l.message(request))
		for _, seq := range []int{2, 1} {
			got := e.next(t)
			expectEcho(t, got, echoEvent{Kind: echoReply, To: to, From: to})
			if got.Seq != seq {
				t.Fatalf("got a reply to packet %d, want %d", got.Seq, seq)
			}
		}
	})
}

// TestEchoForgedErrors is the same for what routers say.
func TestEchoForgedErrors(t *testing.T) {
	forEachEchoSocket(t, func(t *testing.T, f Family, privileged bool) {
		n := echoNode(t)
		l := newLine(t, n, f, "tun", 1400, []string{"10.1.0.2", "fd00:1::2"}, []string{"10.0.0.0/8", "fd00::/16"})
		e := listenAt(t, n, f, Path{}, privileged)
		to, router := of(f, "10.2.0.1", "fd00:2::1"), of(f, "10.5.0.1", "fd00:5::1")
		kind, ip := byte(3), 20
		if f == IPv6 {
			kind, ip = 1, 40
		}
		e.say(t, echoAsked{To: to, Seq: 1, Bytes: 200})
		request := l.next(t)
		said := func(b []byte, quote int) message { return l.error(b, router, kind, 1, 0, quote) }
		for _, at := range []int{ip - 1, ip, ip + 5, ip + 7, ip + 8, ip + 23} { // address, type, id, number, cookie
			b := slices.Clone(request)
			b[at] ^= 0x80
			l.deliver(t, said(b, 1000))
		}
		l.deliver(t, said(request, ip+7))
		redirect := l.error(request, router, 5, 1, 0, 1000)
		if f == IPv6 {
			redirect = l.error(request, router, 137, 0, 0, 1000)
		}
		l.deliver(t, redirect)

		// So much, or so little, a router may quote.
		whole, short, padded := said(request, 1000), echoAsked{To: to, Seq: 2, Bytes: 200}, echoAsked{To: to, Seq: 3, Bytes: 200}
		e.say(t, short)
		l.deliver(t, said(l.next(t), ip+8))
		e.say(t, padded)
		m := said(l.next(t), ip+8)
		m.icmp = append(m.icmp, make([]byte, 100)...)
		l.deliver(t, m)
		l.deliver(t, whole)
		l.deliver(t, whole) // twice
		e.say(t, echoAsked{To: to, Seq: 4})
		l.deliver(t, said(l.next(t), 1000))
		for _, seq := range []int{2, 3, 1, 4} {
			got := e.next(t)
			expectEcho(t, got, echoEvent{Kind: echoError, To: to, From: router, Type: kind, Code: 1})
			if got.Seq != seq {
				t.Fatalf("got an error about packet %d, want %d", got.Seq, seq)
			}
		}
	})
}

// TestEchoPath: packets leave by the interface and from the address that are
// asked for, whatever the route says, and replies to elsewhere are not heard.
func TestEchoPath(t *testing.T) {
	forEachEchoSocket(t, func(t *testing.T, f Family, privileged bool) {
		n := echoNode(t)
		routed := newLine(t, n, f, "routed", 1400, []string{"10.1.0.2", "fd00:1::2"}, []string{"10.0.0.0/8", "fd00::/16"})
		other := newLine(t, n, f, "other", 1400, []string{"10.3.0.2", "fd00:3::2", "10.3.0.3", "fd00:3::3"}, []string{"8.0.0.0/5", "fc00::/7"})
		source, to := of(f, "10.3.0.3", "fd00:3::3"), of(f, "10.2.0.1", "fd00:2::1")
		e := listenAt(t, n, f, Path{Interface: "other", Source: source}, privileged)
		e.say(t, echoAsked{To: to, Seq: 1})
		m := other.message(other.next(t))
		if string(m.to) != string(source.AsSlice()) {
			t.Errorf("the packet is from %v, want %v", m.to, source)
		}
		routed.deliver(t, m)
		elsewhere := m
		elsewhere.to = of(f, "10.3.0.2", "fd00:3::2").AsSlice()
		other.deliver(t, elsewhere)
		e.say(t, echoAsked{To: to, Seq: 2})
		other.deliver(t, other.message(other.next(t)))
		other.deliver(t, m)
		for _, seq := range []int{2, 1} {
			if got := e.next(t); got.Seq != seq {
				t.Fatalf("got a reply to packet %d, want %d", got.Seq, seq)
			}
		}
		// Without a path the route decides.
		plain := listenAt(t, n, f, Path{}, privileged)
		plain.say(t, echoAsked{To: to})
		routed.deliver(t, routed.message(routed.next(t)))
		plain.next(t)
	})
}

// TestEchoRateLimit has the limits that Linux routers have by default. What they
// say at once is used up; they say why of a packet that leaves a while later.
//
// What a router says of its IPv4 routes (no route, unreachable, prohibited) is
// counted twice, in ip_error and in icmp_send, from the same account of 1 a
// second. A packet that comes when there is one left, and not two, uses it up in
// vain. So there it takes two seconds in which nothing is sent.
func TestEchoRateLimit(t *testing.T) {
	forEachEchoSocket(t, func(t *testing.T, f Family, privileged bool) {
		for name, test := range map[string]struct {
			request echoAsked
			pause   time.Duration
		}{
			"time exceeded": {echoAsked{To: of(f, "10.2.0.2", "fd00:2::2"), TTL: 1}, 1050 * time.Millisecond},
			"prohibited":    {echoAsked{To: of(f, "10.9.0.2", "fd00:9::2")}, 2050 * time.Millisecond},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := newChain(t)
				lead(t, c.router, "10.9.0.2/32", "", unix.RTN_PROHIBIT)
				lead(t, c.router, "fd00:9::2/128", "", unix.RTN_PROHIBIT)
				check(t, c.router.Sysctl("net/ipv4/icmp_ratelimit", "1000"))
				check(t, c.router.Sysctl("net/ipv6/icmp/ratelimit", "1000"))
				e := listenAt(t, c.near, f, Path{}, privileged)
				// Until the nodes know each other, packets wait.
				e.ask(t, echoAsked{To: of(f, "10.2.0.2", "fd00:2::2")})
				r := test.request
				for i := range 20 {
					r.Seq = 10 + i
					e.say(t, r)
				}
				time.Sleep(test.pause)
				r.Seq = 100
				e.say(t, r)
				heard := 0
				for got := e.next(t); got.Seq != r.Seq; got = e.next(t) {
					heard++
				}
				t.Logf("%d errors about the first 20 packets", heard)
			})
		}
	})
}

// TestEchoAsNobody opens sockets without any privilege.
func TestEchoAsNobody(t *testing.T) {
	for name, f := range map[string]Family{"IPv4": IPv4, "IPv6": IPv6} {
		t.Run(name, func(t *testing.T) {
			n := echoNode(t)
			l := newLine(t, n, f, "tun", 1400, []string{"10.1.0.2", "fd00:1::2"}, []string{"10.0.0.0/8", "fd00::/16"})
			e := &ear{events: make(chan echoEvent, 10)}
			var raw error
			err := n.Do(func() (err error) {
				// The thread alone changes its user, and it ends with this function.
				const nobody = 65534
				if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
					return errno
				}
				if _, raw = openEchoSocket(f, Path{}, true); raw == nil {
					return errors.New("nobody may open a raw socket")
				}
				e.echoSocket, err = openEchoSocket(f, Path{Interface: "tun"}, false)
				return err
			})
			if errors.Is(err, unix.EINVAL) {
				lab.Skip(t, "this user namespace has no such user")
			}
			check(t, err)
			defer e.Close()
			expectSyscall(t, raw, "socket", unix.EPERM)
			go e.listen()
			to := of(f, "10.2.0.1", "fd00:2::1")
			e.say(t, echoAsked{To: to})
			l.deliver(t, l.error(l.next(t), to, 3, 0, 0, 1000))
			expectEcho(t, e.next(t), echoEvent{Kind: echoError, To: to, From: to, Type: 3})
		})
	}
}

func expectSyscall(t *testing.T, err error, name string, errno syscall.Errno) {
	t.Helper()
	call, ok := errors.AsType[*os.SyscallError](err)
	if !ok || call.Syscall != name || call.Err != errno {
		t.Errorf("got %v, want %s: %v", err, name, errno)
	}
}

// TestEchoOwnErrors has what this host itself cannot do.
func TestEchoOwnErrors(t *testing.T) {
	forEachEchoSocket(t, func(t *testing.T, f Family, privileged bool) {
		n := echoNode(t)
		newLine(t, n, f, "tun", 1400, []string{"10.1.0.2", "fd00:1::2"}, []string{"10.0.0.0/8", "fd00::/16"})
		lead(t, n, "10.9.0.2/32", "", unix.RTN_PROHIBIT)
		lead(t, n, "fd00:9::2/128", "", unix.RTN_PROHIBIT)
		check(t, n.Do(func() error {
			_, err := openEchoSocket(f, Path{Interface: "gone"}, privileged)
			expectSyscall(t, err, "setsockopt", unix.ENODEV)
			_, err = openEchoSocket(f, Path{Source: of(f, "10.1.0.9", "fd00:1::9")}, privileged)
			expectSyscall(t, err, "bind", unix.EADDRNOTAVAIL)
			return nil
		}))
		e := listenAt(t, n, f, Path{}, privileged)
		left := func(time.Time) { t.Error("a packet is said to have left") }
		expectSyscall(t, e.send(echoAsked{To: of(f, "192.0.2.1", "2001:db8::1")}, left), "sendmsg", unix.ENETUNREACH)
		expectSyscall(t, e.send(echoAsked{To: of(f, "10.9.0.2", "fd00:9::2")}, left), "sendmsg", unix.EACCES)
		good := echoAsked{To: of(f, "10.2.0.1", "fd00:2::1")}
		for _, wrong := range []func(*echoAsked){
			func(r *echoAsked) { r.To = netip.Addr{} },
			func(r *echoAsked) { r.To = of(3-f, "10.2.0.1", "fd00:2::1") },
			func(r *echoAsked) { r.Bytes = formOf(f).least() - 1 },
			func(r *echoAsked) { r.Bytes = 65536 },
			func(r *echoAsked) { r.TTL = 256 },
			func(r *echoAsked) { r.TTL = -1 },
		} {
			r := good
			wrong(&r)
			if err := e.send(r, left); err == nil {
				t.Errorf("%+v is sent", r)
			}
		}
		if len(e.table.sent) != 0 {
			t.Errorf("%d packets are remembered, and none was sent", len(e.table.sent))
		}
		check(t, e.send(good, nil))
		check(t, e.Close())
		if err := e.send(good, left); err == nil {
			t.Error("a closed socket sends")
		}
	})
}

// TestEchoLeft: nothing is heard of a packet before its sender knows when it
// left, however fast the reply is.
func TestEchoLeft(t *testing.T) {
	forEachEchoSocket(t, func(t *testing.T, f Family, privileged bool) {
		n := echoNode(t)
		var s *echoSocket
		check(t, n.Do(func() (err error) {
			s, err = openEchoSocket(f, Path{}, privileged)
			return err
		}))
		done := make(chan error, 1)
		heard := make(chan int, 1000)
		go func() { done <- s.listen() }()
		for i := range 100 {
			size := 0
			if i%10 == 0 {
				size = 65535 // too big for no loopback, so large ones are answered as well
			}
			var sent time.Time
			check(t, s.send(echoRequest{To: of(f, "127.0.0.1", "::1"), Bytes: size, heard: func(kind vpn.Kind, at time.Time, _ *vpn.ICMPMessage) {
				switch {
				case kind == vpn.Sent && sent.IsZero():
					time.Sleep(10 * time.Microsecond)
					sent = at
				case sent.IsZero() || at.Before(sent):
					t.Errorf("packet %d: left at %v, but %s at %v", i, sent, kind, at)
				default:
					heard <- i
				}
			}}))
			select {
			case <-heard:
			case <-time.After(patience):
				t.Fatalf("nothing is heard of packet %d", i)
			}
		}
		check(t, s.Close())
		check(t, <-done)
	})
}

// TestEchoNumbers: of more packets than there are numbers the oldest are
// forgotten.
func TestEchoNumbers(t *testing.T) {
	table := newEchoTable(IPv4)
	to := netip.MustParseAddr("10.2.0.1")
	answer := func(packet []byte) *sentEcho {
		b := slices.Clone(packet)
		b[0] = 0
		return table.answers(b, to)
	}
	send := func(bytes int) (*sentEcho, []byte) {
		r := echoRequest{To: to, Bytes: bytes}
		packet := table.packet(r)
		return table.add(r), packet
	}
	_, first := send(52)
	for i := range 1 << 16 {
		p, packet := send(60)
		if got := answer(packet); got != p {
			t.Fatalf("packet %d: got %+v", i, got)
		}
	}
	if p := answer(first); p != nil {
		t.Errorf("a number that is used again: got %+v", p)
	}
	if n := len(table.sent); n != 1<<16 {
		t.Errorf("%d packets are remembered", n)
	}
}

// TestEchoNotSent: nobody can say anything of a packet before it has left.
func TestEchoNotSent(t *testing.T) {
	table := newEchoTable(IPv4)
	r := echoRequest{To: netip.MustParseAddr("10.2.0.1"), Bytes: 52}
	packet := table.packet(r)
	reply, quote := slices.Clone(packet), queuedError{Origin: unix.SO_EE_ORIGIN_ICMP, ICMPMessage: vpn.ICMPMessage{Type: 3}, To: r.To, Quote: packet}
	reply[0] = 0
	if table.answers(reply, r.To) != nil || table.isAbout(quote) != nil {
		t.Error("a packet that has not left is answered, or stopped")
	}
	p := table.add(r)
	if table.answers(reply, r.To) != p || table.isAbout(quote) != p {
		t.Error("a packet that has left is not found")
	}
}
