package lab

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"
)

// Each tunnel of a gateway has a port of its own, from the usual one on.
const (
	wireGuardPort = 51820
	maxTunnels    = 16
)

// handshakeTime is how long to wait for the other end. WireGuard asks again
// after five seconds when the first packet was lost.
const handshakeTime = 6500 * time.Millisecond

// WireGuard makes a WireGuard tunnel between the gateways of two sites and
// returns when it stands. It carries the networks of both sites.
func (i *Internet) WireGuard(near, far *Site) (*Tunnel, error) {
	a, err := newWireGuardEnd(near)
	if err != nil {
		return nil, err
	}
	b, err := newWireGuardEnd(far)
	if err != nil {
		return nil, err
	}
	a.peer, b.peer = b, a
	a.initiates = true
	return i.raise("WireGuard", &Tunnel{Near: near, Far: far, Interface: a.name, near: a, far: b})
}

type wireGuardEnd struct {
	site      *Site
	peer      *wireGuardEnd
	name      string
	port      int
	key       *ecdh.PrivateKey
	initiates bool

	mu     sync.Mutex
	device *device.Device // nil while down
}

func newWireGuardEnd(s *Site) (*wireGuardEnd, error) {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	n, err := s.nextTunnel()
	if err != nil {
		return nil, err
	}
	return &wireGuardEnd{site: s, name: fmt.Sprintf("wg%d", n), port: wireGuardPort + n, key: key}, nil
}

func (e *wireGuardEnd) up() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.device != nil {
		return nil
	}
	err := e.site.Gateway.Do(e.make)
	if err == nil && e.initiates {
		err = e.shakeHands()
	}
	if err != nil {
		err = errors.Join(err, e.close())
	}
	return err
}

func (e *wireGuardEnd) down() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.close()
}

// close takes the interface away by its name: with its last descriptor it would
// go by itself, but a child that is just being forked holds one for a moment.
func (e *wireGuardEnd) close() error {
	if e.device == nil {
		return nil
	}
	err := e.site.Gateway.Do(func() error { return deleteTUN(e.name) })
	e.device.Close()
	e.device = nil
	return err
}

// make builds the end, in the gateway's namespace.
func (e *wireGuardEnd) make() error {
	fd, err := openTUN(e.name)
	if err != nil {
		return err
	}
	// Unmonitored: a monitored one looks for the interface in the namespace of
	// whatever thread it is on.
	t, _, err := tun.CreateUnmonitoredTUNFromFD(fd)
	if err != nil {
		return err
	}
	link, err := raiseTUN(e.name, device.DefaultMTU)
	if err != nil {
		t.Close()
		return err
	}
	e.device = device.NewDevice(t, &udpBind{ns: e.site.Gateway.ns}, device.NewLogger(device.LogLevelSilent, ""))
	if err := e.device.IpcSet(e.config()); err != nil {
		return err
	}
	if err := e.device.Up(); err != nil {
		return err
	}
	return leadInto(link, e.site, e.peer.site)
}

// config is the end in WireGuard's configuration protocol.
func (e *wireGuardEnd) config() string {
	var b strings.Builder
	fmt.Fprintf(&b, "private_key=%x\n", e.key.Bytes())
	fmt.Fprintf(&b, "listen_port=%d\n", e.port)
	fmt.Fprintf(&b, "public_key=%x\n", e.peer.key.PublicKey().Bytes())
	fmt.Fprintf(&b, "endpoint=%s\n", netip.AddrPortFrom(e.peer.site.Public[0], uint16(e.peer.port)))
	for _, n := range e.peer.site.Networks {
		fmt.Fprintf(&b, "allowed_ip=%s\n", n)
	}
	return b.String()
}

// shakeHands sends the first packet and waits until the peer has answered. The
// keepalive comes only now: set before, its first packet finds no open port and
// the next one comes five seconds later.
func (e *wireGuardEnd) shakeHands() error {
	keepalive := fmt.Sprintf("public_key=%x\nupdate_only=true\npersistent_keepalive_interval=25\n", e.peer.key.PublicKey().Bytes())
	if err := e.device.IpcSet(keepalive); err != nil {
		return err
	}
	for end := time.Now().Add(handshakeTime); time.Now().Before(end); time.Sleep(time.Millisecond) {
		state, err := e.device.IpcGet()
		if err != nil {
			return err
		}
		if !strings.Contains(state, "last_handshake_time_nsec=0\n") {
			return nil
		}
	}
	return errors.New("no handshake: the other end does not answer")
}
