package lab

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Kind is one of the kinds of tunnel that the lab can make.
type Kind struct {
	Name string // wireguard, ipsec or openvpn
	ends func(near, far side) (end, end, error)
}

// Kinds are all of them. WireGuard needs no program; the others have Debian's
// openvpn, and strongswan-charon, strongswan-swanctl, libcharon-extra-plugins and
// libstrongswan-standard-plugins, which make tools installs.
func Kinds() []Kind { return []Kind{WireGuard, IPsec, OpenVPN} }

// Raise makes a tunnel between the gateways of two sites, and returns when it stands.
func (k Kind) Raise(i *Internet, near, far *Site) (*Tunnel, error) {
	a, b, err := sides(near, far)
	if err != nil {
		return nil, err
	}
	t := &Tunnel{Near: near, Far: far}
	if t.near, t.far, err = k.ends(a, b); err != nil {
		return nil, err
	}
	if err := t.Up(); err != nil {
		return nil, fmt.Errorf("%s from %s to %s: %w", k.Name, near.Name, far.Name, errors.Join(err, t.Close()))
	}
	t.Interface = t.near.name()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tunnels = append(i.tunnels, t)
	return t, nil
}

// Tunnel joins the networks of two sites over the internet. It carries both.
type Tunnel struct {
	Near, Far *Site
	Interface string // at the near gateway

	mu        sync.Mutex
	near, far end
	isUp      bool

	bypassed bool
}

// end is one gateway's end of a tunnel. Each kind of tunnel has its own.
type end interface {
	name() string // of its interface, once it has been up
	start() error // makes the interface and its routes; the near end waits for the far one
	stop() error  // takes them away, also after a start that failed, or when there are none
}

// side is what the ends of all kinds know.
type side struct {
	site, other     *Site
	number, another int  // of the tunnel, at this site and at the other
	asks            bool // the near one, which asks the far one for the tunnel
}

// sides numbers the tunnel at both sites.
func sides(near, far *Site) (a, b side, err error) {
	m, errNear := near.nextTunnel()
	n, errFar := far.nextTunnel()
	return side{near, far, m, n, true}, side{far, near, n, m, false}, errors.Join(errNear, errFar)
}

const maxTunnels = 16 // of a site

func (s *Site) nextTunnel() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tunnels == maxTunnels {
		return 0, fmt.Errorf("site %s has %d tunnels already", s.Name, s.tunnels)
	}
	s.tunnels++
	return s.tunnels - 1, nil
}

// lead brings up the tunnel's device and leads the other site's networks into it.
// What the gateway itself sends comes from its inner address.
func (s side) lead(device string, mtu int) error {
	commands := routes(device, s.site.GatewayAddrs, s.other.Networks...)
	return s.site.Gateway.ip(append([]string{raise(device, mtu)}, commands...)...)
}

// handshake is how long to wait for the other end. WireGuard asks again after
// five seconds when the first packet was lost.
const handshake = 6500 * time.Millisecond

// Up raises the tunnel and waits until it stands. Both ends start anew: one that
// takes the other for its old self is deaf for some seconds.
func (t *Tunnel) Up() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isUp {
		return nil
	}
	err := t.far.stop()
	if err == nil {
		err = t.far.start() // first, so that the near one finds it listening
	}
	if err == nil {
		err = t.near.start()
	}
	if err != nil {
		return errors.Join(err, t.near.stop())
	}
	t.isUp = true
	return nil
}

// Down takes the tunnel down at the near end: its interface and routes are
// gone, and the far end waits in vain.
func (t *Tunnel) Down() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.isUp = false
	return t.near.stop()
}

// Close takes the tunnel down at both ends.
func (t *Tunnel) Close() error {
	err := t.Down()
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(err, t.far.stop())
}

// SetMTU sets the largest packet that the near gateway puts into the tunnel. It
// answers larger ones that they are too big.
func (t *Tunnel) SetMTU(bytes int) error {
	return t.Near.Gateway.ip(fmt.Sprintf("link set %s mtu %d", t.Interface, bytes))
}

// Bypass leads what is between the IPv4 networks of the two sites over the internet
// in clear, both ways, or no longer. Machines then answer outside the tunnel, which
// stays as it is: there or, after Down, gone. No third site may have such networks.
func (t *Tunnel) Bypass(on bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bypassed == on {
		return nil
	}
	t.bypassed = on
	return errors.Join(bypass(t.Near, t.Far, on), bypass(t.Far, t.Near, on))
}

// bypass has a table of its own for the routes of a gateway around its tunnels,
// which is asked before all others, strongSwan's 220 included.
func bypass(here, there *Site, on bool) error {
	verb, to := "add", there
	if !on {
		verb, to = "del", nil
	}
	here.internet.lead(to, there.Networks)
	commands := []string{"rule " + verb + " lookup 100 priority 100"}
	for _, n := range there.Networks {
		if n.Addr().Is4() {
			commands = append(commands, fmt.Sprintf("route %s %s dev %s table 100%s", verb, n, outside, from(here.GatewayAddrs, n)))
		}
	}
	return here.Gateway.ip(commands...)
}
