package lab

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	openVPNPath = "/usr/sbin/openvpn"
	openVPNPort = 1194
)

// openVPNReady is what openvpn says each time that its tunnel stands.
const openVPNReady = "Initialization Sequence Completed"

// OpenVPN makes an OpenVPN tunnel between the gateways of two sites (TLS over
// UDP) and returns when it stands. It carries the networks of both sites.
//
// Interface and routes stay while the tunnel is dead. The near gateway notices
// in six seconds and asks for the far one until it is back.
func (i *Internet) OpenVPN(near, far *Site) (*Tunnel, error) {
	a, err := newOpenVPNEnd(near)
	if err != nil {
		return nil, err
	}
	b, err := newOpenVPNEnd(far)
	if err != nil {
		return nil, err
	}
	a.peer, b.peer = b, a
	a.initiates = true
	return i.raise("OpenVPN", &Tunnel{Near: near, Far: far, Interface: a.name, near: a, far: b})
}

type openVPNEnd struct {
	site             *Site
	peer             *openVPNEnd
	name             string
	certificate, key string // PEM
	fingerprint      string // of the certificate
	initiates        bool

	mu     sync.Mutex
	daemon *daemon // nil while down
}

func newOpenVPNEnd(s *Site) (*openVPNEnd, error) {
	n, err := s.nextTunnel()
	if err != nil {
		return nil, err
	}
	e := &openVPNEnd{site: s, name: fmt.Sprintf("tun%d", n)}
	return e, e.newIdentity()
}

// newIdentity makes a key and a certificate for it. The other end knows the
// certificate by its fingerprint, so nobody else has to sign it.
func (e *openVPNEnd) newIdentity() error {
	c, err := sign(nil, func(*x509.Certificate) {})
	if err != nil {
		return err
	}
	certificate, key, err := KeyPEM(c)
	e.certificate, e.key = string(certificate), string(key)
	hash := sha256.Sum256(c.Certificate[0])
	e.fingerprint = strings.ReplaceAll(fmt.Sprintf("% X", hash[:]), " ", ":")
	return err
}

func (e *openVPNEnd) up() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.daemon != nil {
		return nil
	}
	var peer *daemon
	if e.initiates {
		var err error
		if peer, err = e.peer.unused(); err != nil {
			return err
		}
	}
	// The configuration, with the key, is in no file and on no command line.
	cmd := exec.Command(openVPNPath, "--config", "stdin")
	cmd.Stdin = strings.NewReader(e.config())
	d, err := newDaemon(cmd, e.site.Gateway.Start)
	if err != nil {
		return err
	}
	err = awaitOpenVPN(d, peer)
	if err == nil {
		err = e.site.Gateway.Do(e.raiseDevice)
	}
	if err != nil {
		d.stop()
		return err
	}
	e.daemon = d
	return nil
}

func (e *openVPNEnd) running() *daemon {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.daemon
}

// unused returns the end's program, started anew where it has heard from a near
// end before: a session half made makes it deaf for some seconds.
func (e *openVPNEnd) unused() (*daemon, error) {
	d := e.running()
	if d == nil {
		return nil, errors.New("the far end is down")
	}
	if said, _ := d.since(0); strings.Contains(said, "Initial packet") {
		if err := errors.Join(e.down(), e.up()); err != nil {
			return nil, err
		}
	}
	return e.running(), nil
}

// awaitOpenVPN waits until the port is open, and with a peer until both say that
// the tunnel stands. Either may take a second more than the other to find out,
// and drops packets until then.
func awaitOpenVPN(d, peer *daemon) error {
	if peer == nil {
		return d.await("link remote", 0, handshakeTime)
	}
	if err := d.await(openVPNReady, 0, handshakeTime); err != nil {
		return err
	}
	return peer.await(openVPNReady, 0, 2*time.Second)
}

// raiseDevice brings up the TUN device and its routes. OpenVPN could, but not
// with an address that the gateway has elsewhere too.
func (e *openVPNEnd) raiseDevice() error {
	link, err := raiseTUN(e.name, 1500)
	if err != nil {
		return err
	}
	return leadInto(link, e.site, e.peer.site)
}

func (e *openVPNEnd) down() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.daemon != nil {
		e.daemon.stop()
		e.daemon = nil
	}
	return nil
}

func (e *openVPNEnd) config() string {
	var b strings.Builder
	fmt.Fprintf(&b, `dev %s
dev-type tun
disable-dco
proto udp4
persist-tun
persist-key
ping 2
ping-restart 6
ping-timer-rem
connect-retry 0
tls-timeout 1
hand-window 5
data-ciphers AES-128-GCM
script-security 0
verb 3
`, e.name)
	if e.initiates {
		fmt.Fprintf(&b, "tls-client\nnobind\nremote %s %d\n", e.peer.site.Public[0], openVPNPort)
	} else {
		fmt.Fprintf(&b, "tls-server\ndh none\nlport %d\n", openVPNPort)
	}
	fmt.Fprintf(&b, "peer-fingerprint %s\n<cert>\n%s</cert>\n<key>\n%s</key>\n", e.peer.fingerprint, e.certificate, e.key)
	return b.String()
}
