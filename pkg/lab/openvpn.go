package lab

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const openVPNPort = 1194

// OpenVPN is TLS over UDP. Interface and routes stay while the tunnel is dead. The
// near gateway notices in six seconds and asks for the far one until it is back.
var OpenVPN = Kind{"openvpn", func(near, far side) (end, end, error) {
	a, b := &openVPNEnd{side: near}, &openVPNEnd{side: far}
	a.peer, b.peer = b, a
	return a, b, errors.Join(a.newIdentity(), b.newIdentity())
}}

type openVPNEnd struct {
	side
	peer        *openVPNEnd
	identity    string // certificate and key, as the configuration has them
	fingerprint string // of the certificate
	daemon      *daemon
}

func (e *openVPNEnd) name() string { return fmt.Sprintf("tun%d", e.number) }

// newIdentity makes a key and a certificate for it. The other end knows the
// certificate by its fingerprint, so nobody else has to sign it.
func (e *openVPNEnd) newIdentity() error {
	c, err := sign(nil, func(*x509.Certificate) {})
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	e.identity = fmt.Sprintf("<cert>\n%s</cert>\n<key>\n%s</key>\n", inPEM("CERTIFICATE", c.Certificate[0]), inPEM("PRIVATE KEY", key))
	hash := sha256.Sum256(c.Certificate[0])
	e.fingerprint = strings.ReplaceAll(fmt.Sprintf("% X", hash[:]), " ", ":")
	return err
}

// start returns when the port is open, and at the near end when both say that the
// tunnel stands. Either may take a second more than the other to find out, and
// drops packets until then.
func (e *openVPNEnd) start() (err error) {
	// The configuration, with the key, is in no file and on no command line.
	cmd := exec.Command("/usr/sbin/openvpn", "--config", "stdin")
	cmd.Stdin = strings.NewReader(e.config())
	if e.daemon, err = newDaemon(e.site.Gateway, cmd); err != nil {
		return err
	}
	const ready = "Initialization Sequence Completed"
	if !e.asks {
		err = e.daemon.await("link remote", 0, handshake)
	} else if err = e.daemon.await(ready, 0, handshake); err == nil {
		err = e.peer.daemon.await(ready, 0, 2*time.Second)
	}
	if err != nil {
		return err
	}
	// OpenVPN could do this too, but not with an address that the gateway has
	// elsewhere.
	return e.lead(e.name(), 1500)
}

func (e *openVPNEnd) stop() error {
	e.daemon.stop()
	e.daemon = nil
	return nil
}

func (e *openVPNEnd) config() string {
	role := fmt.Sprintf("tls-server\ndh none\nlport %d", openVPNPort)
	if e.asks {
		role = fmt.Sprintf("tls-client\nnobind\nremote %s %d", e.other.Public[0], openVPNPort)
	}
	return fmt.Sprintf(`dev %s
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
%s
peer-fingerprint %s
%s`, e.name(), role, e.peer.fingerprint, e.identity)
}
