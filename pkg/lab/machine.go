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
	Name    string
	Group   string
	Addrs   []netip.Addr
	Names   []string // in the DNS, and in the certificate
	Aliases []string // in the DNS alone

	TCP         []uint16 // ports that accept connections, and close them
	HTTP, HTTPS []uint16 // ports that serve a page
}

type machine struct {
	Machine
	alive   bool
	servers []io.Closer
}

// StopMachine makes a machine silent, as if it had no power.
func (s *Site) StopMachine(name string) error { return s.turn(false, name, "") }

// StartMachine makes a machine answer again.
func (s *Site) StartMachine(name string) error { return s.turn(true, name, "") }

// StopGroup makes all machines of a group silent.
func (s *Site) StopGroup(group string) error { return s.turn(false, "", group) }

// StartGroup makes all machines of a group answer again.
func (s *Site) StartGroup(group string) error { return s.turn(true, "", group) }

// turn starts or stops the machine of a name, or those of a group.
func (s *Site) turn(on bool, name, group string) error {
	var found []*machine
	for _, m := range s.machines {
		if m.Name == name || group != "" && m.Group == group {
			found = append(found, m)
		}
	}
	if found == nil {
		return fmt.Errorf("site %s: no machine or group %s%s", s.Name, name, group)
	}
	return s.power(on, found)
}

// power starts or stops these machines. Addresses go before the servers: nobody may
// hear them close.
func (s *Site) power(on bool, machines []*machine) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	machines = slices.DeleteFunc(slices.Clone(machines), func(m *machine) bool { return m.alive == on })
	verb := map[bool]string{true: "add", false: "del"}[on]
	var commands []string
	for _, m := range machines {
		for _, a := range m.Addrs {
			commands = append(commands, address(verb, a, "lo"))
		}
	}
	if err := s.Gateway.ip(commands...); err != nil {
		return err
	}
	for _, m := range machines {
		m.hangUp()
		if m.alive = on; on {
			if err := s.Gateway.Do(func() error { return m.listen(s.internet.authority) }); err != nil {
				return fmt.Errorf("machine %s: %w", m.Name, err)
			}
		}
	}
	return nil
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
