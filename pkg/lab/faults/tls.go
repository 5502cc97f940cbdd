package main

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os/exec"
	"time"
)

// TLS servers that should not be trusted, or never come to an end.

// pageOver serves a page over TLS with one of the certificates.
func pageOver(which func(*certificates) tls.Certificate) func(*room) error {
	return func(r *room) error {
		config := &tls.Config{Certificates: []tls.Certificate{which(r.tools.certs)}}
		return onPort("443", func(conn net.Conn) {
			c := tls.Server(conn, config)
			if c.Handshake() == nil {
				page(c)
			}
		})(r)
	}
}

// tlsRecords sends the same record for ever, whatever is asked.
func tlsRecords(record ...byte) func(net.Conn) {
	return func(conn net.Conn) {
		go io.Copy(io.Discard, conn)
		for {
			if _, err := conn.Write(record); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// renegotiating runs OpenSSL's server and has it ask for a new handshake all
// the time: Go's own server cannot.
func renegotiating(r *room) error {
	key, err := keyPEM(r.tools.certs.good)
	if err != nil {
		return err
	}
	if err := errors.Join(r.write("key.pem", key, 0o644), r.write("cert.pem", pemOf(r.tools.certs.good), 0o644)); err != nil {
		return err
	}
	cmd := exec.Command("openssl", "s_server", "-accept", "127.0.0.1:443", "-tls1_2",
		"-cert", r.dir+"/cert.pem", "-key", r.dir+"/key.pem")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := r.Start(cmd); err != nil {
		return err
	}
	r.closeLater(stdin)
	r.closeLater(killer{cmd})
	go func() {
		for {
			if _, err := io.WriteString(stdin, "r\n"); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return r.awaitPort("127.0.0.1:443")
}

// killer ends a program that serves a room.
type killer struct{ cmd *exec.Cmd }

func (k killer) Close() error {
	k.cmd.Process.Kill()
	return k.cmd.Wait()
}

// awaitPort waits until somebody listens.
func (r *room) awaitPort(address string) (err error) {
	for range 200 {
		var conn net.Conn
		if err = r.Do(func() (err error) { conn, err = net.Dial("tcp", address); return err }); err == nil {
			return conn.Close()
		}
		time.Sleep(25 * time.Millisecond)
	}
	return err
}

func tlsRows() []row {
	here := words("-H web=https://127.0.0.1/")
	refused := func(title string, rig func(*room) error, says string) row {
		return row{name: "TLS " + title, args: here, rig: rig, code: critical, cause: "refused", says: says}
	}
	raw := func(serve func(net.Conn)) func(*room) error { return onPort("443", serve) }
	return []row{
		{name: "TLS as it should be", args: here, code: ok, cause: "up",
			rig: pageOver(func(c *certificates) tls.Certificate { return c.good })},
		{name: "TLS as it should be, IPv6", args: words("-H web=https://[::1]/"), code: ok, cause: "up",
			rig: pageOver(func(c *certificates) tls.Certificate { return c.good })},
		refused("silent", raw(hold), "no answer").of(3),
		refused("closed at once", raw(func(net.Conn) {}), "connection"),
		refused("reset at once", raw(reset), "connection"),
		refused("expired", pageOver(func(c *certificates) tls.Certificate { return c.expired }), "expired or not yet valid"),
		refused("not valid yet", pageOver(func(c *certificates) tls.Certificate { return c.early }), "expired or not yet valid"),
		refused("for another name", pageOver(func(c *certificates) tls.Certificate { return c.elsewhere }), "for another name"),
		refused("for hostile names", pageOver(func(c *certificates) tls.Certificate { return c.hostile }), "TLS"),
		refused("self-signed", pageOver(func(c *certificates) tls.Certificate { return c.selfSigned }), "unknown authority"),
		refused("garbage", raw(flood), "TLS: the far end does not speak it"),
		refused("in plain HTTP", raw(func(c net.Conn) { _, _ = io.WriteString(c, status("400 Bad Request")); hold(c) }), "TLS: the far end does not speak it"),
		refused("with hello requests for ever", raw(tlsRecords(22, 3, 3, 0, 4, 0, 0, 0, 0)), ""),
		refused("with warnings for ever", raw(tlsRecords(21, 3, 3, 0, 2, 1, 90)), ""),
		refused("with empty records for ever", raw(tlsRecords(22, 3, 3, 0, 0)), ""),
		refused("with a handshake of 16 MB", raw(func(c net.Conn) {
			go io.Copy(io.Discard, c)
			_, _ = c.Write(append([]byte{22, 3, 3, 0x40, 0}, append([]byte{2, 0xff, 0xff, 0xff}, make([]byte, 0x4000-4)...)...))
			hold(c)
		}), ""),
		refused("renegotiating for ever", renegotiating, ""),
	}
}
