package probe

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"checkvpn/pkg/vpn"
)

// attempt makes one attempt, and gives what became of it.
func attempt(t *testing.T, url string, status func(int) bool) vpn.Event {
	t.Helper()
	got := asking{URL: url, Looks: connectWithin(500 * ms), status: status}.run(t)
	if len(got) != 2 || got[0].Kind != vpn.Sent || got[0].At > got[1].At || got[1].Took <= 0 {
		t.Fatalf("%s: got %s", url, got.words())
	}
	return got[1]
}

// expect asks once, and compares what became of it: "refused reset: connection
// refused". If want ends in *, it is the beginning.
func expect(t *testing.T, url, want string) {
	t.Helper()
	expectEvent(t, attempt(t, url, nil), want)
}

func expectEvent(t *testing.T, e vpn.Event, want string) {
	t.Helper()
	got := string(e.Kind)
	if e.Fault != nil {
		got += " " + string(e.Fault.Code) + ": " + e.Fault.Words
	}
	if beginning, cut := strings.CutSuffix(want, "*"); got != want && (!cut || !strings.HasPrefix(got, beginning)) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// listen accepts connections and serves each with f.
func listen(t *testing.T, network, address string, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go f(conn)
		}
	}()
	return l.Addr().String()
}

func TestTCP(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		open := listen(t, "tcp", address, func(c net.Conn) { c.Close() })
		expect(t, "tcp://"+open, "answered")
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	expect(t, "tcp://"+closed.Addr().String(), "refused reset: connection refused")
}

// TestConnectionThatIsReset: a connection that stood for no more than a moment
// stood. Whether the reset comes before it is noticed is chance, so there are
// many, on a machine without a moment to spare.
func TestConnectionThatIsReset(t *testing.T) {
	address := netip.MustParseAddrPort(listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}))
	var stop atomic.Bool
	defer stop.Store(true)
	for range 2 * runtime.GOMAXPROCS(0) {
		go func() {
			for !stop.Load() {
				runtime.Gosched()
			}
		}()
	}
	for n := range 50 {
		d := &dialer{addr: address.Addr()}
		if err := d.tryConnect(t.Context(), address.Port()); err != nil {
			t.Fatalf("connection %d: %v", n, err)
		}
	}
}

func TestHTTPStatus(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
	}))
	defer server.Close()
	for status, want := range map[int]string{
		200: "answered", 204: "answered", 299: "answered",
		300: "refused status: HTTP status 300", 304: "refused status: HTTP status 304",
		401: "refused status: HTTP status 401", 403: "refused status-403: HTTP status 403",
		404: "refused status: HTTP status 404", 503: "refused status: HTTP status 503",
	} {
		expect(t, fmt.Sprintf("%s/%d", server.URL, status), want)
	}
	only401 := func(status int) bool { return status == 401 }
	expectEvent(t, attempt(t, server.URL+"/401", only401), "answered")
	expectEvent(t, attempt(t, server.URL+"/200", only401), "refused status: HTTP status 200")
}

// TestHTTPHosts has addresses that are not written as usual.
func TestHTTPHosts(t *testing.T) {
	hosts := make(chan string, 10)
	server := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hosts <- r.Host })
	for address, url := range map[string]string{"127.0.0.1:0": "http://[::ffff:127.0.0.1]:%s/", "[::1]:0": "http://[::1]:%s/a?b=c"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		go http.Serve(l, server)
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		url = fmt.Sprintf(url, port)
		e, err := vpn.ParseEndpoint(url)
		if err != nil {
			// The judge's reader does not take it; what it would make of it must work.
			e = vpn.Endpoint{Scheme: vpn.HTTP, Host: "::ffff:127.0.0.1", Addr: netip.MustParseAddr("127.0.0.1"), Path: "/"}
			fmt.Sscan(port, &e.Port)
		}
		d := &dialer{addr: e.Addr, guarded: func(f func()) { f() }}
		if err := d.tryPage(t.Context(), e, func(status int) bool { return status == 200 }); err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if got := <-hosts; !strings.Contains(url, got) {
			t.Errorf("%s: the host is called %s", url, got)
		}
	}
	for host, want := range map[string]string{"fe80::1%eth0": "[fe80::1%eth0]:8080", "a.example": "a.example:8080"} {
		if u, err := urlOf(vpn.Endpoint{Scheme: vpn.HTTP, Host: host, Port: 8080, Path: "/x?y=z"}); err != nil || u.Host != want || u.RequestURI() != "/x?y=z" {
			t.Errorf("%s: got %v, %v", host, u, err)
		}
	}
	if u, err := urlOf(vpn.Endpoint{Scheme: vpn.HTTPS, Host: "fd00::1", Port: 443}); err != nil || u.Host != "[fd00::1]" || u.RequestURI() != "/" {
		t.Errorf("got %v, %v", u, err)
	}
	if err := (&dialer{}).tryPage(t.Context(), vpn.Endpoint{Scheme: vpn.HTTP, Host: "a", Path: "/%zz"}, nil); !faultOf(err).Own {
		t.Errorf("a path that is none: got %v", err)
	}
}

func TestHTTPRedirects(t *testing.T) {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("/n/", func(w http.ResponseWriter, r *http.Request) {
		var n int
		fmt.Sscanf(r.URL.Path, "/n/%d", &n)
		if n > 0 {
			http.Redirect(w, r, fmt.Sprintf("/n/%d", n-1), http.StatusFound)
		}
	})
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("u"), http.StatusFound)
	})
	other := strings.Replace(server.URL, "127.0.0.1", "127.0.0.2", 1)
	tests := []struct {
		path, want string
	}{
		{"/n/0", "answered"},
		{"/n/5", "answered"},
		{"/n/6", "refused bad-answer: more than 5 redirects"},
		{"/to?u=" + other, "refused bad-answer: redirected to another host"},
		{"/to?u=file:///etc/passwd", "refused bad-answer: redirected to another host"},
		{"/to?u=" + server.URL + "/n/1", "answered"},
	}
	for _, test := range tests {
		expect(t, server.URL+test.path, test.want)
	}
	listed := func(status int) bool { return status == http.StatusFound }
	expectEvent(t, attempt(t, server.URL+"/to?u="+other, listed), "answered")
	expectEvent(t, attempt(t, server.URL+"/n/0", listed), "refused status: HTTP status 200")
}

func TestHTTPNeverToPlain(t *testing.T) {
	plain := &http.Request{URL: mustURL(t, "http://a.example/")}
	secure := &http.Request{URL: mustURL(t, "https://a.example/")}
	if err := checkRedirect(plain, []*http.Request{secure}); err != errDowngrade {
		t.Errorf("https to http: got %v", err)
	}
	if err := checkRedirect(secure, []*http.Request{plain}); err != nil {
		t.Errorf("http to https: got %v", err)
	}
	if err := checkRedirect(&http.Request{URL: mustURL(t, "https://A.example/b")}, []*http.Request{secure}); err != nil {
		t.Errorf("the same host in capitals: got %v", err)
	}
}

func TestHTTPIgnoresProxy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	expect(t, server.URL, "answered")
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	expect(t, server.URL, "refused bad-answer: TLS: certificate signed by an unknown authority")

	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	expect(t, strings.Replace(plain.URL, "http:", "https:", 1), "refused bad-answer: TLS: the far end does not speak it")
}

// TestHostile has servers that answer in ways that no real one does.
func TestHostile(t *testing.T) {
	tests := []struct {
		name   string
		scheme string
		serve  func(net.Conn)
		want   string
	}{
		{"accepts and says nothing", "http", func(net.Conn) {}, "refused bad-answer: connected, but no answer within*"},
		{"accepts and says nothing to TLS", "https", func(net.Conn) {}, "refused bad-answer: connected, but no answer within*"},
		{"closes at once", "http", func(c net.Conn) { c.Close() }, "refused bad-answer: connection closed"},
		{"resets", "http", func(c net.Conn) {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}, "refused reset: connection reset"},
		{"garbage", "http", func(c net.Conn) { io.WriteString(c, "SSH-2.0-x|y\r\n\r\n"); c.Close() }, "refused bad-answer: not a valid answer"},
		{"garbage for TLS", "https", func(c net.Conn) { io.WriteString(c, "hello there, world\r\n\r\n") }, "refused bad-answer: TLS*"},
		{"a byte at a time", "http", func(c net.Conn) {
			for _, b := range []byte("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 1000)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(20 * ms)
			}
		}, "refused bad-answer: connected, but no answer within*"},
		{"endless header", "http", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(c, "X-Y: "+strings.Repeat("z", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}, "refused bad-answer: not a valid answer"},
		{"endless body", "http", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			for {
				if _, err := c.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, "answered"},
		{"endless continues", "http", func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
					return
				}
			}
		}, "refused bad-answer*"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
				// What comes before the question is no answer to it.
				_, _ = c.Read(make([]byte, 4096))
				test.serve(c)
			})
			expect(t, test.scheme+"://"+address+"/", test.want)
		})
	}
}

// TestCutShort: an attempt that is not wanted any more says nothing.
func TestCutShort(t *testing.T) {
	address := listen(t, "tcp", "127.0.0.1:0", func(net.Conn) {})
	e, _ := vpn.ParseEndpoint("http://" + address + "/")
	heard := make(chan vpn.Event, 10)
	p := New(Settings{Questions: []Question{{Endpoint: e}}, Now: func() time.Duration { return 0 }, Emit: func(e vpn.Event) { heard <- e }})
	p.Want(t.Context(), []vpn.Look{{Kind: vpn.Connect, Addr: e.Addr}})
	if first := <-heard; first.Kind != vpn.Sent {
		t.Fatalf("got %+v", first)
	}
	p.Want(t.Context(), nil)
	select {
	case next := <-heard:
		t.Errorf("got %+v", next)
	case <-time.After(100 * ms):
	}
}

// TestOutcome has what may end an attempt.
func TestOutcome(t *testing.T) {
	addr, router := netip.MustParseAddr("10.2.0.1"), netip.MustParseAddr("10.3.0.1")
	port := func(from netip.Addr) *vpn.ICMPMessage { return &vpn.ICMPMessage{From: from, Type: 3, Code: 3} }
	call := func(name string, errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError(name, errno)}
	}
	for _, test := range []struct {
		name      string
		err       error
		connected bool
		over      bool
		said      *vpn.ICMPMessage
		want      string
		icmp      bool // it goes with the event
		own       bool
	}{
		{name: "answered", want: "answered"},
		{name: "reset", err: call("connect", syscall.ECONNREFUSED), want: "refused reset: connection refused"},
		{name: "the host's firewall", err: call("connect", syscall.ECONNREFUSED), said: port(addr), want: "refused reset: connection refused", icmp: true},
		{name: "a router's firewall", err: call("connect", syscall.ECONNREFUSED), said: port(router), want: "attempt-over other: unreachable, as an ICMP error says", icmp: true},
		{name: "this host's firewall", err: call("connect", syscall.ECONNREFUSED), said: port(netip.Addr{}), want: "attempt-over other: unreachable, as an ICMP error says", icmp: true},
		{name: "prohibited by the host", err: call("connect", syscall.EHOSTUNREACH), said: &vpn.ICMPMessage{From: addr, Type: 3, Code: 13}, want: "refused other: unreachable, as an ICMP error says", icmp: true},
		{name: "no route", err: call("connect", syscall.EHOSTUNREACH), want: "local-error no-route: no route to host"},
		{name: "prohibited", err: call("connect", syscall.EACCES), want: "local-error no-route: prohibited by a route of this host"},
		{name: "firewall", err: call("write", syscall.EPERM), want: "local-error no-route: blocked by the firewall of this host"},
		{name: "no interface", err: call("setsockopt", syscall.ENODEV), want: "local-error interface: interface gone"},
		{name: "no source", err: call("bind", syscall.EADDRNOTAVAIL), want: "local-error source: source address gone"},
		{name: "may not bind", err: call("setsockopt", syscall.EPERM), want: "local-error permission: no permission for the system call setsockopt", own: true},
		{name: "no descriptors", err: call("socket", syscall.EMFILE), want: "local-error descriptors: no file descriptor is free", own: true},
		{name: "no descriptors for the witness", err: call("fcntl", syscall.EMFILE), over: true, want: "local-error descriptors: no file descriptor is free", own: true},
		{name: "queue", err: call("connect", syscall.ENOBUFS), want: "local-error queue: send queue full", own: true},
		{name: "silent", err: context.DeadlineExceeded, over: true, want: "attempt-over timeout: no answer within 500ms"},
		{name: "silent, and a router said why", err: context.DeadlineExceeded, over: true, said: port(router), want: "attempt-over timeout: no answer within 500ms", icmp: true},
		{name: "silent, seen a moment before the end", err: os.ErrDeadlineExceeded, want: "attempt-over timeout: no answer within 500ms"},
		{name: "given up by the kernel", err: call("connect", syscall.ETIMEDOUT), want: "attempt-over timeout: no answer in time"},
		{name: "silent after it was connected", err: context.DeadlineExceeded, connected: true, over: true, want: "refused bad-answer: connected, but no answer within 500ms"},
		{name: "cut off when it was over", err: io.ErrUnexpectedEOF, connected: true, over: true, want: "refused bad-answer: connected, but no answer within 500ms"},
		{name: "closed", err: io.EOF, connected: true, want: "refused bad-answer: connection closed"},
		{name: "no route to where it redirects", err: call("connect", syscall.EHOSTUNREACH), connected: true, want: "refused bad-answer: connected, but no route to host"},
		{name: "an IKE peer that a router cuts off", err: errSaid, said: port(router), want: "attempt-over other: unreachable, as an ICMP error says", icmp: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := &dialer{addr: addr}
			d.connected.Store(test.connected)
			d.said.Store(test.said)
			e := d.outcome(test.err, test.over, 500*ms)
			expectEvent(t, e, test.want)
			if (e.ICMP != nil) != test.icmp || e.Fault != nil && e.Fault.Own != test.own {
				t.Errorf("got %+v, %+v", e.ICMP, e.Fault)
			}
		})
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
