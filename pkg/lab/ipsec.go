package lab

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// IPsec is strongSwan's (IKEv2, ESP over UDP in user space). The near gateway keeps
// the tunnel up: it notices in some five seconds that the far one is dead, and asks
// for it until it is back. A gateway can have one.
var IPsec = Kind{"ipsec", func(near, far side) (end, end, error) {
	secret := rand.Text()
	return &ipsecEnd{side: near, secret: secret}, &ipsecEnd{side: far, secret: secret}, nil
}}

// ipsecEnd is a strongSwan daemon, charon. Its /run and its configuration are in
// memory, in a file system view of its own, at their usual paths: the AppArmor
// profiles of the distributions know no others.
type ipsecEnd struct {
	side
	secret string // both ends have the same
	device string // the TUN device
	node   *Node  // the gateway, in that view; nil while down
	charon *daemon
}

func (e *ipsecEnd) name() string { return e.device }

func (e *ipsecEnd) start() (err error) {
	if e.node, err = e.site.Gateway.another(); err != nil {
		return err
	}
	if err := e.node.inShell(e.layFiles); err != nil {
		return err
	}
	if e.charon, err = newDaemon(e.node, exec.Command("/usr/lib/ipsec/charon")); err != nil {
		return err
	}
	// By then it has opened its ports, and the socket for commands.
	if err := e.charon.await("spawning", 0, 5*time.Second); err != nil {
		return err
	}
	if strings.Contains(e.charon.log(), "unable to bind socket") {
		return errors.New("another tunnel of the gateway's has the port for IKE")
	}
	_, after, _ := strings.Cut(e.charon.log(), "created TUN device: ")
	e.device, _, _ = strings.Cut(after, "\n")
	if err := e.site.Gateway.ip(raise(e.device, 1400)); err != nil {
		return err
	}
	if err := e.swanctl("--load-all", "--noprompt"); err != nil || !e.asks {
		return err
	}
	return e.swanctl("--initiate", "--child", "net", "--timeout", "6")
}

func (e *ipsecEnd) stop() error {
	e.charon.stop()
	e.charon = nil
	if e.node == nil {
		return nil
	}
	err := e.node.Close()
	e.node = nil
	return err
}

// swanctl has the daemon do something.
func (e *ipsecEnd) swanctl(args ...string) error {
	if err := e.node.Tool("/usr/sbin/swanctl", args...); err != nil {
		return fmt.Errorf("%w; charon: %s", err, lastLines(e.charon.log()))
	}
	return nil
}

// Rekey makes a new child SA in the old one's place of an IPsec tunnel while traffic
// goes on, and returns when both ends have it.
func (t *Tunnel) Rekey() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := t.near.(*ipsecEnd)
	if !ok || e.charon == nil {
		return errors.New("only IPsec that is up makes new keys when it is asked to")
	}
	before := len(e.charon.log())
	if err := e.swanctl("--rekey", "--child", "net"); err != nil {
		return err
	}
	return e.charon.await("CHILD_SA closed", before, handshake)
}

// layFiles gives the calling thread's file system view the daemon's files.
func (e *ipsecEnd) layFiles() error {
	if err := unix.Mount("lab", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return os.NewSyscallError("mount", err)
	}
	return errors.Join(
		os.Mkdir("/run/swanctl", 0o700),
		os.WriteFile("/run/strongswan.conf", []byte(strongswanConf), 0o600),
		os.WriteFile("/run/swanctl/swanctl.conf", []byte(e.swanctlConf()), 0o600),
		lay("/run/strongswan.conf", "/etc/strongswan.conf"),
		lay("/run/swanctl", "/etc/swanctl"))
}

// The first plugin of IPsec is kernel-libipsec, or the kernel's own would be used.
const strongswanConf = `charon {
  load = random nonce aes sha1 sha2 hmac kdf openssl gcm kernel-libipsec kernel-netlink socket-default vici
  filelog {
    stderr {
      default = 1
      flush_line = yes
    }
  }
  retransmit_tries = 2
  retransmit_timeout = 1.0
  retransmit_base = 1.5
}
swanctl {
  load = random openssl
}
`

func (e *ipsecEnd) swanctlConf() string {
	restart := "none"
	if e.asks {
		restart = "start"
	}
	return fmt.Sprintf(`connections {
  tunnel {
    version = 2
    mobike = no
    local_addrs = %s
    remote_addrs = %s
    dpd_delay = 2s
    keyingtries = 0
    proposals = aes128-sha256-curve25519
    local { auth = psk }
    remote { auth = psk }
    children {
      net {
        local_ts = %s
        remote_ts = %s
        esp_proposals = aes128gcm16-curve25519
        dpd_action = %[5]s
        close_action = %[5]s
      }
    }
  }
}
secrets {
  ike { secret = "%[6]s" }
}
`, e.site.Public[0], e.other.Public[0], joined(e.site.Networks), joined(e.other.Networks), restart, e.secret)
}

// joined are networks as strongSwan lists them.
func joined(networks []netip.Prefix) string {
	var list []string
	for _, n := range networks {
		list = append(list, n.String())
	}
	return strings.Join(list, ",")
}
