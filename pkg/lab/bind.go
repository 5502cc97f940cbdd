package lab

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/conn"
)

// udpBind is WireGuard's way to its UDP port, in a namespace. WireGuard's own
// one opens it in whatever namespace the thread is in, and reads 128 packets at
// once: 16 MB of buffers for each end of each tunnel.
type udpBind struct {
	ns *namespace

	mu     sync.Mutex
	v4, v6 *net.UDPConn
}

// socketBuffer holds what arrives while WireGuard is busy.
const socketBuffer = 4 << 20

// Open opens the port for IPv4 and IPv6.
func (b *udpBind) Open(port uint16) ([]conn.ReceiveFunc, uint16, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.v4 != nil {
		return nil, 0, conn.ErrBindAlreadyOpen
	}
	err := b.ns.do(func() (err error) {
		if b.v4, err = listenUDP("udp4", port); err != nil {
			return err
		}
		b.v6, err = listenUDP("udp6", port)
		return err
	})
	if err != nil {
		b.closeLocked()
		return nil, 0, err
	}
	return []conn.ReceiveFunc{receive(b.v4), receive(b.v6)}, port, nil
}

func listenUDP(network string, port uint16) (*net.UDPConn, error) {
	c, err := net.ListenPacket(network, ":"+strconv.Itoa(int(port)))
	if err != nil {
		return nil, err
	}
	u := c.(*net.UDPConn)
	u.SetReadBuffer(socketBuffer)
	if raw, err := u.SyscallConn(); err == nil {
		// Beyond the system's limit, where that is allowed.
		raw.Control(func(fd uintptr) {
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer)
		})
	}
	return u, nil
}

func receive(c *net.UDPConn) conn.ReceiveFunc {
	return func(packets [][]byte, sizes []int, endpoints []conn.Endpoint) (int, error) {
		n, from, err := c.ReadFromUDPAddrPort(packets[0])
		if err != nil {
			return 0, err
		}
		sizes[0], endpoints[0] = n, &conn.StdNetEndpoint{AddrPort: from}
		return 1, nil
	}
}

// Close closes the port.
func (b *udpBind) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closeLocked()
}

func (b *udpBind) closeLocked() (err error) {
	for _, c := range []**net.UDPConn{&b.v4, &b.v6} {
		if *c != nil {
			err = errors.Join(err, (*c).Close())
			*c = nil
		}
	}
	return err
}

// Send sends packets to one endpoint.
func (b *udpBind) Send(packets [][]byte, to conn.Endpoint) error {
	b.mu.Lock()
	c := b.v4
	if to.DstIP().Is6() {
		c = b.v6
	}
	b.mu.Unlock()
	if c == nil {
		return net.ErrClosed
	}
	for _, p := range packets {
		if _, err := c.WriteToUDPAddrPort(p, to.(*conn.StdNetEndpoint).AddrPort); err != nil {
			return err
		}
	}
	return nil
}

// ParseEndpoint reads an address and port.
func (b *udpBind) ParseEndpoint(s string) (conn.Endpoint, error) {
	a, err := netip.ParseAddrPort(s)
	return &conn.StdNetEndpoint{AddrPort: a}, err
}

// BatchSize is how many packets are read at once.
func (b *udpBind) BatchSize() int { return 1 }

// SetMark does nothing: the lab marks no packets.
func (b *udpBind) SetMark(uint32) error { return nil }
