package lab

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
)

// listen opens the machine's ports, in the calling thread's namespace.
func (m *machine) listen(ca *authority) error {
	handler := m.Handler
	if handler == nil {
		handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, m.Name+"\n")
		})
	}
	for _, a := range m.Addrs {
		for _, port := range m.TCP {
			if err := m.open(a, port, acceptAndClose); err != nil {
				return err
			}
		}
		for _, port := range m.HTTP {
			if err := m.open(a, port, func(l net.Listener) io.Closer { return serveHTTP(l, handler) }); err != nil {
				return err
			}
		}
		if len(m.HTTPS) == 0 {
			continue
		}
		certificate, err := ca.issue(m.Addrs, m.Names)
		if err != nil {
			return err
		}
		config := &tls.Config{Certificates: []tls.Certificate{certificate}}
		for _, port := range m.HTTPS {
			err := m.open(a, port, func(l net.Listener) io.Closer { return serveHTTP(tls.NewListener(l, config), handler) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *machine) open(a netip.Addr, port uint16, serve func(net.Listener) io.Closer) error {
	l, err := net.Listen("tcp", netip.AddrPortFrom(a, port).String())
	if err != nil {
		return err
	}
	m.servers = append(m.servers, serve(l))
	return nil
}

// hangUp closes the machine's ports and connections.
func (m *machine) hangUp() {
	for _, s := range m.servers {
		s.Close()
	}
	m.servers = nil
}

func acceptAndClose(l net.Listener) io.Closer {
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	return l
}

func serveHTTP(l net.Listener, handler http.Handler) io.Closer {
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(l)
	return server
}
