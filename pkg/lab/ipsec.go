package lab

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"strings"
	"sync"
)

// IPsec makes an IPsec tunnel between the gateways of two sites with
// strongSwan (IKEv2, ESP over UDP in user space) and returns when it stands.
// It carries the networks of both sites.
//
// The near gateway keeps the tunnel up: it notices in some five seconds that
// the far one is dead, and asks for it until it is back.
func (i *Internet) IPsec(near, far *Site) (*Tunnel, error) {
	a, b, err := newIPsecEnds(near, far)
	if err != nil {
		return nil, err
	}
	t, err := i.raise("IPsec", &Tunnel{Near: near, Far: far, near: a, far: b})
	if err == nil {
		t.Interface = a.name
	}
	return t, err
}

type ipsecEnd struct {
	site          *Site
	peer          *ipsecEnd
	name          string // once it has been up
	port, natPort int
	secret        string // both ends have the same
	initiates     bool

	mu     sync.Mutex
	charon *charon // nil while down
}

// newIPsecEnds makes both ends. The near one, which asks, needs no well-known
// ports, so that several can be at one gateway.
func newIPsecEnds(near, far *Site) (a, b *ipsecEnd, err error) {
	n, err := near.nextTunnel()
	if err != nil {
		return nil, nil, err
	}
	secret := rand.Text()
	a = &ipsecEnd{site: near, secret: secret, port: 20500 + n, natPort: 24500 + n, initiates: true}
	b = &ipsecEnd{site: far, secret: secret, port: 500, natPort: 4500}
	a.peer, b.peer = b, a
	return a, b, nil
}

func (e *ipsecEnd) up() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.run()
	if err == nil && e.initiates {
		err = e.initiate()
	}
	if err != nil {
		e.stop()
	}
	return err
}

// run starts the daemon, where it does not run.
func (e *ipsecEnd) run() (err error) {
	if e.charon != nil {
		return nil
	}
	if e.charon, err = newCharon(e.site.Gateway.ns, e.strongswanConf(), e.swanctlConf()); err != nil {
		return err
	}
	if e.name, err = e.charon.device(); err != nil {
		return err
	}
	return e.site.Gateway.Do(func() error {
		_, err := raiseTUN(e.name, 1400)
		return err
	})
}

// initiate makes the child SA, and the IKE SA before it, where there is none.
func (e *ipsecEnd) initiate() error {
	sas, err := e.charon.ask("--list-sas", "--child", "net")
	if err != nil || strings.Contains(sas, "INSTALLED") {
		return err
	}
	return e.charon.swanctl("--initiate", "--child", "net", "--timeout", "6")
}

func (e *ipsecEnd) down() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stop()
	return nil
}

func (e *ipsecEnd) stop() {
	if e.charon != nil {
		e.charon.close()
		e.charon = nil
	}
}

func (e *ipsecEnd) strongswanConf() string {
	return fmt.Sprintf(`charon {
  # kernel-libipsec comes first, or the kernel's own IPsec would be used.
  load = random nonce aes sha1 sha2 hmac kdf openssl gcm kernel-libipsec kernel-netlink socket-default vici
  port = %d
  port_nat_t = %d
  plugins {
    vici {
      socket = unix://%s
    }
  }
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
`, e.port, e.natPort, viciSocket)
}

func (e *ipsecEnd) swanctlConf() string {
	restart := "none"
	if e.initiates {
		restart = "start"
	}
	return fmt.Sprintf(`connections {
  tunnel {
    version = 2
    mobike = no
    local_addrs = %[1]s
    remote_addrs = %[2]s
    dpd_delay = 2s
    keyingtries = 0
    proposals = aes128-sha256-curve25519
    local {
      auth = psk
      id = %[1]s
    }
    remote {
      auth = psk
      id = %[2]s
    }
    children {
      net {
        local_ts = %[3]s
        remote_ts = %[4]s
        esp_proposals = aes128gcm16-curve25519
        dpd_action = %[5]s
        close_action = %[5]s
      }
    }
  }
}
secrets {
  ike {
    secret = "%[6]s"
  }
}
`, e.site.Public[0], e.peer.site.Public[0], joinPrefixes(e.site.Networks), joinPrefixes(e.peer.site.Networks), restart, e.secret)
}

func joinPrefixes(prefixes []netip.Prefix) string {
	var s []string
	for _, p := range prefixes {
		s = append(s, p.String())
	}
	return strings.Join(s, ",")
}
