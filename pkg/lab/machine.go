package lab

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
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
func (s *Site) StopMachine(name string) error { return s.turn(silent, name, "") }

// RejectMachine makes the gateway answer for a machine that it is
// administratively prohibited, as a firewall does.
func (s *Site) RejectMachine(name string) error { return s.turn(rejecting, name, "") }

// StartMachine makes a machine answer again.
func (s *Site) StartMachine(name string) error { return s.turn(alive, name, "") }

// StopGroup makes all machines of a group silent.
func (s *Site) StopGroup(group string) error { return s.turn(silent, "", group) }

// StartGroup makes all machines of a group answer again.
func (s *Site) StartGroup(group string) error { return s.turn(alive, "", group) }

// turn changes the state of the machine of a name, or of those of a group.
func (s *Site) turn(to state, name, group string) error {
	var found []*machine
	for _, m := range s.machines {
		if m.Name == name || group != "" && m.Group == group {
			found = append(found, m)
		}
	}
	if found == nil {
		return fmt.Errorf("site %s: no machine or group %s%s", s.Name, name, group)
	}
	return s.become(to, found)
}

// become ends these machines' state and begins another. Addresses go before the
// servers: nobody may hear them close.
func (s *Site) become(to state, machines []*machine) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	machines = slices.DeleteFunc(slices.Clone(machines), func(m *machine) bool { return m.state == to })
	var commands []string
	for _, m := range machines {
		commands = append(append(commands, m.state.ip("del", m.Addrs)...), to.ip("add", m.Addrs)...)
	}
	if err := s.Gateway.ip(commands...); err != nil {
		return err
	}
	for _, m := range machines {
		m.hangUp()
		if m.state = to; to == alive {
			if err := s.Gateway.Do(func() error { return m.listen(s.internet.authority) }); err != nil {
				return fmt.Errorf("machine %s: %w", m.Name, err)
			}
		}
	}
	return nil
}

// ip are ip's commands that "add" or "del" a state of these addresses.
func (s state) ip(verb string, addresses []netip.Addr) (commands []string) {
	for _, a := range addresses {
		switch s {
		case alive:
			commands = append(commands, address(verb, a, "lo"))
		case rejecting:
			commands = append(commands, fmt.Sprintf("route %s prohibit %s", verb, a))
		}
	}
	return commands
}

// listen opens the machine's ports, in the calling thread's namespace.
func (m *machine) listen(ca *Authority) error {
	certificate, err := ca.Issue(func(t *x509.Certificate) {
		t.DNSNames = m.Names
		for _, a := range m.Addrs {
			t.IPAddresses = append(t.IPAddresses, a.AsSlice())
		}
	})
	if err != nil {
		return err
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	for _, open := range []struct {
		ports []uint16
		serve func(net.Listener) io.Closer
	}{
		{m.TCP, func(l net.Listener) io.Closer { accept(l, func(net.Conn) {}); return l }},
		{m.HTTP, m.pages},
		{m.HTTPS, func(l net.Listener) io.Closer { return m.pages(tls.NewListener(l, config)) }},
	} {
		for _, port := range open.ports {
			for _, a := range m.Addrs {
				l, err := net.Listen("tcp", netip.AddrPortFrom(a, port).String())
				if err != nil {
					return err
				}
				m.servers = append(m.servers, open.serve(l))
			}
		}
	}
	return nil
}

// pages serves the machine's name.
func (m *machine) pages(l net.Listener) io.Closer {
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, m.Name+"\n")
	})}
	go server.Serve(l)
	return server
}

// hangUp closes the machine's ports and connections.
func (m *machine) hangUp() {
	for _, s := range m.servers {
		s.Close()
	}
	m.servers = nil
}
