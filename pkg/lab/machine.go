package lab

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Machine is something behind a gateway that answers pings, and whatever else
// is listed. It has no namespace of its own: its addresses are the gateway's.
type Machine struct {
	Name  string
	Group string
	Addrs []netip.Addr
	Names []string // in the DNS, and in the certificate

	TCP         []uint16 // ports that accept connections, and close them
	HTTP, HTTPS []uint16 // ports that serve a page
}

// state is how a machine behaves.
type state int

const (
	silent state = iota
	alive
	rejecting
)

type machine struct {
	Machine
	state   state
	servers []io.Closer
}

// StopMachine makes a machine silent, as if it had no power.
func (s *Site) StopMachine(name string) error { return s.turn(silent, named(name)) }

// RejectMachine makes the gateway answer for a machine that it is
// administratively prohibited, as a firewall does.
func (s *Site) RejectMachine(name string) error { return s.turn(rejecting, named(name)) }

// StartMachine makes a machine answer again.
func (s *Site) StartMachine(name string) error { return s.turn(alive, named(name)) }

// StopGroup makes all machines of a group silent.
func (s *Site) StopGroup(group string) error { return s.turn(silent, grouped(group)) }

// StartGroup makes all machines of a group answer again.
func (s *Site) StartGroup(group string) error { return s.turn(alive, grouped(group)) }

func named(name string) func(*machine) bool { return func(m *machine) bool { return m.Name == name } }
func grouped(group string) func(*machine) bool {
	return func(m *machine) bool { return m.Group == group }
}

// turn changes the state of the machines that match.
func (s *Site) turn(to state, matches func(*machine) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := false
	for _, m := range s.machines {
		if !matches(m) {
			continue
		}
		found = true
		if err := s.become(m, to); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("site %s: no such machine or group", s.Name)
	}
	return nil
}

// become ends a machine's state and begins another.
func (s *Site) become(m *machine, to state) error {
	if m.state == to {
		return nil
	}
	err := s.Gateway.Do(func() error {
		if err := m.leave(); err != nil {
			return err
		}
		switch to {
		case alive:
			if err := addToLoopback(m.Addrs); err != nil {
				return err
			}
			return m.listen(s.internet.authority)
		case rejecting:
			return m.prohibit(netlink.RouteAdd)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("machine %s: %w", m.Name, err)
	}
	m.state = to
	return nil
}

// leave ends the machine's state; it is silent then. Addresses go before the
// servers: nobody may hear them close.
func (m *machine) leave() error {
	switch m.state {
	case alive:
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		for _, a := range m.Addrs {
			if err := netlink.AddrDel(lo, &netlink.Addr{IPNet: ipNet(single(a))}); err != nil {
				return err
			}
		}
		m.hangUp()
	case rejecting:
		return m.prohibit(netlink.RouteDel)
	}
	return nil
}

// prohibit adds or removes the routes that answer for the machine.
func (m *machine) prohibit(change func(*netlink.Route) error) error {
	for _, a := range m.Addrs {
		if err := change(&netlink.Route{Dst: ipNet(single(a)), Type: unix.RTN_PROHIBIT}); err != nil {
			return err
		}
	}
	return nil
}
