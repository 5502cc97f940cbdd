package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	openVPNPath = "/usr/sbin/openvpn"
	openVPNPort = 1194
)

var openVPNPrograms = []program{{openVPNPath, "openvpn"}}

// openVPNReady is what openvpn says each time that its tunnel stands.
const openVPNReady = "Initialization Sequence Completed"

// OpenVPN makes an OpenVPN tunnel between the gateways of two sites (TLS over
// UDP) and returns when it stands. It carries the networks of both sites.
//
// Interface and routes stay while the tunnel is dead. The near gateway notices
// in six seconds and asks for the far one until it is back.
func (i *Internet) OpenVPN(near, far *Site) (*Tunnel, error) {
	if err := installed(openVPNPrograms); err != nil {
		return nil, err
	}
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
	t, err := i.raise(&Tunnel{Near: near, Far: far, Interface: a.name, near: a, far: b})
	if err != nil {
		return nil, fmt.Errorf("OpenVPN from %s to %s: %w", near.Name, far.Name, err)
	}
	return t, nil
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
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := newTemplate("lab gateway")
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	e.certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	e.key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	hash := sha256.Sum256(der)
	e.fingerprint = strings.ReplaceAll(fmt.Sprintf("% X", hash[:]), " ", ":")
	return nil
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

// openvpn makes new keys after so many packets. When nothing else happens, it
// looks at the count every fifteen seconds only.
const (
	renegotiateAfter = 1000
	renegotiateTime  = 16 * time.Second
)

// rekey sends as many packets as that takes: there is no command for it, and a
// restart would be a pause of a second.
func (e *openVPNEnd) rekey() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.daemon == nil {
		return errDown
	}
	mark := e.daemon.mark()
	if err := e.site.Gateway.Do(e.spend); err != nil {
		return err
	}
	if err := e.daemon.await("soft reset", mark, renegotiateTime); err != nil {
		return err
	}
	return e.daemon.await("Control Channel:", mark, handshakeTime)
}

// spend sends twice as many packets to the far gateway. Some may get lost.
func (e *openVPNEnd) spend() error {
	to := e.peer.site.Networks[0].Masked().Addr()
	if gateway := e.peer.site.GatewayAddrs; len(gateway) > 0 {
		to = gateway[0]
	}
	const discard = 9
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, discard)))
	if err != nil {
		return err
	}
	defer conn.Close()
	const atOnce = 20 // few, or packets of others would find the queues full
	for range 2 * renegotiateAfter / atOnce {
		for range atOnce {
			conn.Write([]byte("lab"))
		}
		// The gateway answers that it has no such port.
		conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		conn.Read(make([]byte, 1))
	}
	return nil
}

func (e *openVPNEnd) config() string {
	var b strings.Builder
	fmt.Fprintf(&b, `dev %s
dev-type tun
disable-dco
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
	peer := e.peer.site.Public[0]
	if peer.Is4() {
		b.WriteString("proto udp4\n")
	} else {
		b.WriteString("proto udp6\n")
	}
	if e.initiates {
		fmt.Fprintf(&b, "tls-client\nnobind\nremote %s %d\nreneg-pkts %d\n", peer, openVPNPort, renegotiateAfter)
	} else {
		fmt.Fprintf(&b, "tls-server\ndh none\nlport %d\n", openVPNPort)
	}
	fmt.Fprintf(&b, "peer-fingerprint %s\n<cert>\n%s</cert>\n<key>\n%s</key>\n", e.peer.fingerprint, e.certificate, e.key)
	return b.String()
}
