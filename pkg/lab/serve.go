package lab

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
)

// listen opens the machine's ports, in the calling thread's namespace.
func (m *machine) listen(ca *Authority) error {
	config := &tls.Config{}
	if len(m.HTTPS) > 0 {
		certificate, err := ca.Issue(func(t *x509.Certificate) {
			t.DNSNames = m.Names
			for _, a := range m.Addrs {
				t.IPAddresses = append(t.IPAddresses, a.AsSlice())
			}
		})
		if err != nil {
			return err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
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
