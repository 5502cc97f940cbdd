package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"checkvpn/pkg/lab"
)

// hostileText is what no output may hold as it is.
const hostileText = "a|b='1'\r\nOK: all is well\n\x1b[31m<b>\xff\xfe`$(id)`"

// respond reads a request and writes this text, with a pause after each byte.
func respond(text string, pause ...time.Duration) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			return
		}
		for _, p := range pause {
			for i := range text {
				_, _ = conn.Write([]byte{text[i]})
				time.Sleep(p)
			}
		}
		_, _ = io.WriteString(conn, text)
	}
}

func status(line string, headers ...string) string {
	return "HTTP/1.1 " + line + "\r\nContent-Length: 0\r\n" + strings.Join(append(headers, "\r\n"), "\r\n")
}

func redirect(to string) func(net.Conn) { return respond(status("302 Found", "Location: "+to)) }

var page = respond(status("200 OK"))

// endlessHeader reads a request and sends a header line for ever.
func endlessHeader(conn net.Conn) {
	respond("HTTP/1.1 200 OK\r\nX: ")(conn)
	for err := error(nil); err == nil; {
		_, err = conn.Write(bytes.Repeat([]byte("x"), 1<<20))
	}
}

// bomb is a page of 64 MB in a small part of that.
func bomb() string {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = z.Write(make([]byte, 64<<20))
	_ = z.Close()
	return "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + b.String()
}

// onPort runs a server on loopback, by IPv4 and IPv6.
func onPort(port string, serve func(net.Conn)) breaker {
	return func(p *place) error {
		return errors.Join(p.Listen("127.0.0.1:"+port, serve), p.Listen("[::1]:"+port, serve))
	}
}

// pageOver serves a page over TLS with a certificate for 127.0.0.1, after a change.
func pageOver(change func(*x509.Certificate)) breaker {
	return func(p *place) error {
		c, err := p.authority.Issue(func(t *x509.Certificate) {
			t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
			change(t)
		})
		if err != nil {
			return err
		}
		config := &tls.Config{Certificates: []tls.Certificate{c}}
		return onPort("443", func(conn net.Conn) {
			if c := tls.Server(conn, config); c.Handshake() == nil {
				page(c)
			}
		})(p)
	}
}

func good(*x509.Certificate) {}

// servers are programs on the far hosts that lead elsewhere or mean harm. How each
// answer is read, and servers that never end, are tested in pkg/probe; here is what
// becomes of it in the output.
func servers() []scenario {
	refused := func(name, port, url string, serve func(net.Conn), says ...string) scenario {
		return down(name, "-H", "web="+url).but("CRITICAL refused", says...).when(onPort(port, serve))
	}
	web := func(name string, serve func(net.Conn), says ...string) scenario {
		return refused("HTTP "+name, "80", "http://127.0.0.1/", serve, says...)
	}
	secure := func(name string, change func(*x509.Certificate), says string) scenario {
		return refused("TLS "+name, "443", "https://127.0.0.1/", nil, says).when(pageOver(change))
	}
	return []scenario{
		down("TCP refused, IPv6", words("-H tcp://[::1]:5432")...).but("CRITICAL refused", "connection refused"),
		up("TCP accepted and reset", words("-H tcp://[::1]:5432")...).when(onPort("5432", func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) })),
		up("a database that greets and hangs up", words("-H tcp://127.0.0.1:5432")...).when(onPort("5432", func(c net.Conn) { _, _ = io.WriteString(c, hostileText) })),

		web("with hostile words for a status", respond(status("503 "+strings.NewReplacer("\r", " ", "\n", " ").Replace(hostileText))), "503"),
		web("with hostile headers", respond(status("503 No", "A|b: "+hostileText, "<b>: \x1b[31m"))),
		web("at a byte a second", respond(status("200 OK"), time.Second), "no answer").within(3),
		web("with a gzip bomb", respond(bomb())).but("OK up"),
		web("redirected to credentials", redirect("http://user:secret@127.0.0.1:9/"), "refused"),
		web("redirected to hostile words", redirect("http://127.0.0.1/\x1b[31m|<b>\xff")),
		web("by a proxy of the environment", page).but("OK up").as(withEnv("http_proxy=http://127.0.0.1:9", "HTTP_PROXY=http://127.0.0.1:9", "ALL_PROXY=socks5://127.0.0.1:9")),
		web("redirect to another host, listed", redirect("http://127.0.0.2:9/")).with("--http-status", "302").but("OK up"),
		misuse("credentials in a URL", "credentials", words("-H web=https://user:geheim@127.0.0.1/")...).without("geheim"),

		secure("as it should be", good, "").but("OK up"),
		secure("signed by nobody who is known", good, "unknown authority").as(withEnv("SSL_CERT_FILE=/nowhere", "SSL_CERT_DIR=/nowhere")),
		secure("expired", func(t *x509.Certificate) { t.NotAfter = time.Now().Add(-time.Hour) }, "expired or not yet valid"),
		secure("not valid yet", func(t *x509.Certificate) { t.NotBefore = time.Now().Add(time.Hour) }, "expired or not yet valid"),
		secure("for hostile names", func(t *x509.Certificate) {
			t.Subject.CommonName = strings.ToValidUTF8(hostileText, "")
			t.IPAddresses, t.DNSNames = nil, []string{"a|b<b>.example"}
		}, "TLS"),
	}
}

// resolver runs a name server at the address that programs ask there.
func resolver(s lab.NameServer) breaker {
	return func(p *place) error {
		at := lab.Addrs("127.0.0.1")[0]
		if _, err := p.ServeNames(at, s); err != nil {
			return err
		}
		return p.SetResolver(at)
	}
}

// addresses answers with these, of the family that was asked for.
func addresses(list ...string) lab.NameServer {
	return lab.Names(func(m *dnsmessage.Message) { lab.AddAddresses(m, m.Questions[0].Name, lab.Addrs(list...)...) })
}

// targets are so many -H, made of a number each.
func targets(count int, format string) (args []string) {
	for i := range count {
		args = append(args, "-H", fmt.Sprintf(format, i))
	}
	return args
}

// names are resolvers that are silent, broken or mean harm. What is made of what the
// system's resolver finds is tested in pkg/probe.
func names() []scenario {
	const silent, refuses = "the resolver is silent", "the resolver refuses"
	broken := func(name string, s lab.NameServer, says ...string) scenario {
		return down("resolver "+name, "-H", "a.example").but("CRITICAL resolver-down", says...).when(resolver(s)).within(3)
	}
	return []scenario{
		broken("silent", lab.SilentNames, silent),
		broken("failing", lab.Names(func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeServerFailure }), refuses),
		broken("knowing no address", addresses(), "no such name"),
		broken("answering garbage", func(dnsmessage.Message) []byte { return []byte("garbage") }),
		broken("answering with another id", lab.Names(func(m *dnsmessage.Message) {
			lab.AddAddresses(m, m.Questions[0].Name, lab.Addrs("10.2.0.1")...)
			m.ID++
		}), silent),
		down("resolver silent, and twenty names", targets(20, "m%d.example")...).but("CRITICAL resolver-down", silent).when(resolver(lab.SilentNames)).within(3),
		broken("silent, and an address besides", lab.SilentNames).with(one...).but("WARNING partial"),
		down("no resolver at all", "-H", "a.example").but("CRITICAL resolver-down", refuses),
		up("resolver answers with a dead IPv6 and a good IPv4 address", "-H", "a.example").when(resolver(addresses("fd00:2:9::1", "10.2.0.1"))),
	}
}
