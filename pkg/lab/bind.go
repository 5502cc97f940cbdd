package lab

import (
	"net"
	"net/netip"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/conn"
)

// udpBind is WireGuard's way to its UDP port, in a namespace, by IPv4. WireGuard's
// own one opens it in whatever namespace the thread is in, and reads 128 packets
// at once: 16 MB of buffers for each end of each tunnel.
type udpBind struct {
	ns *namespace

	mu     sync.Mutex
	socket *net.UDPConn
}

// socketBuffer holds what arrives while WireGuard is busy.
const socketBuffer = 4 << 20

// Open opens the port.
func (b *udpBind) Open(port uint16) ([]conn.ReceiveFunc, uint16, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.socket != nil {
		return nil, 0, conn.ErrBindAlreadyOpen
	}
	err := b.ns.do(func() error {
		c, err := net.ListenPacket("udp4", ":"+strconv.Itoa(int(port)))
		if err != nil {
			return err
		}
		b.socket = c.(*net.UDPConn)
		b.socket.SetReadBuffer(socketBuffer)
		if raw, err := b.socket.SyscallConn(); err == nil {
			// Beyond the system's limit, where that is allowed.
			raw.Control(func(fd uintptr) {
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer)
			})
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return []conn.ReceiveFunc{receive(b.socket)}, port, nil
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
func (b *udpBind) Close() (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.socket != nil {
		err = b.socket.Close()
		b.socket = nil
	}
	return err
}

// Send sends packets to one endpoint.
func (b *udpBind) Send(packets [][]byte, to conn.Endpoint) error {
	b.mu.Lock()
	c := b.socket
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
