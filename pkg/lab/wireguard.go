package lab

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"
)

// Each tunnel of a gateway has a port of its own, from the usual one on.
const wireGuardPort = 51820

// WireGuard is in this process.
var WireGuard = Kind{"wireguard", func(near, far side) (end, end, error) {
	a, b := &wireGuardEnd{side: near}, &wireGuardEnd{side: far}
	a.peer, b.peer = b, a
	return a, b, errors.Join(a.newKey(), b.newKey())
}}

type wireGuardEnd struct {
	side
	peer   *wireGuardEnd
	key    *ecdh.PrivateKey
	device *device.Device // nil while down
}

func (e *wireGuardEnd) newKey() (err error) {
	e.key, err = ecdh.X25519().GenerateKey(rand.Reader)
	return err
}

// peerKey is the key by which the peer is known.
func (e *wireGuardEnd) peerKey() []byte { return e.peer.key.PublicKey().Bytes() }

func (e *wireGuardEnd) name() string { return fmt.Sprintf("wg%d", e.number) }

func (e *wireGuardEnd) start() error {
	// At the gateway: what opens the device and the port does so where its thread is.
	err := e.site.Gateway.Do(func() error {
		fd, err := openTUN(e.name())
		if err != nil {
			return err
		}
		// Unmonitored: a monitored one looks for the interface in the namespace of
		// whatever thread it is on.
		t, _, err := tun.CreateUnmonitoredTUNFromFD(fd)
		if err != nil {
			return err
		}
		e.device = device.NewDevice(t, conn.NewStdNetBind(), device.NewLogger(device.LogLevelSilent, ""))
		return errors.Join(e.device.IpcSet(e.config()), e.device.Up())
	})
	if err == nil {
		err = e.lead(e.name(), device.DefaultMTU)
	}
	if err == nil && e.asks {
		err = e.shakeHands()
	}
	return err
}

// stop takes the interface away by its name: with its last descriptor it would
// go by itself, but a child that is just being forked holds one for a moment.
func (e *wireGuardEnd) stop() error {
	if e.device == nil {
		return nil
	}
	err := e.site.Gateway.ip("link del " + e.name())
	e.device.Close()
	e.device = nil
	return err
}

// config is the end in WireGuard's configuration protocol.
func (e *wireGuardEnd) config() string {
	endpoint := netip.AddrPortFrom(e.other.Public[0], uint16(wireGuardPort+e.another))
	config := fmt.Sprintf("private_key=%x\nlisten_port=%d\npublic_key=%x\nendpoint=%s\n",
		e.key.Bytes(), wireGuardPort+e.number, e.peerKey(), endpoint)
	for _, n := range e.other.Networks {
		config += fmt.Sprintf("allowed_ip=%s\n", n)
	}
	return config
}

// keepalive has the end send something of its own that often; 0 is never.
func (e *wireGuardEnd) keepalive(seconds int) error {
	return e.device.IpcSet(fmt.Sprintf("public_key=%x\nupdate_only=true\npersistent_keepalive_interval=%d\n", e.peerKey(), seconds))
}

// shakeHands sends the first packet and waits until the peer has answered. The
// keepalive comes only now: set before, its first packet finds no open port and
// the next one comes five seconds later.
func (e *wireGuardEnd) shakeHands() error {
	if err := e.keepalive(25); err != nil {
		return err
	}
	for end := time.Now().Add(handshake); time.Now().Before(end); time.Sleep(time.Millisecond) {
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

// Idle lets a WireGuard tunnel fall asleep: the near end forgets its keys and
// sends nothing of its own, as it does after some minutes without traffic. The
// first packet that is sent into it wakes it up.
func (t *Tunnel) Idle() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := t.near.(*wireGuardEnd)
	if !ok || e.device == nil {
		return errors.New("only WireGuard that is up falls asleep")
	}
	if err := e.keepalive(0); err != nil {
		return err
	}
	e.device.LookupPeer([32]byte(e.peerKey())).ExpireCurrentKeypairs()
	return nil
}
