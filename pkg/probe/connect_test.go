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
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const ms = time.Millisecond

// ask runs one probe with short waits.
func ask(t *testing.T, url string) Result {
	t.Helper()
	e, err := ParseEndpoint(url)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	p := NewProber(Settings{
		Packets: 5, MaxPackets: 20, Interval: 5 * ms, Wait: 300 * ms, Attempt: 500 * ms,
	}).New(e, Path{})
	p.Run(ctx)
	return p.Result()
}

func expect(t *testing.T, r Result, want Outcome, reason string) {
	t.Helper()
	var got string
	if err := r.Reason(); err != nil {
		got = err.Error()
	}
	if r.Outcome() != want || !strings.Contains(got, reason) || reason == "" && got != "" {
		t.Errorf("got outcome %d, reason %q, want %d, %q", r.Outcome(), got, want, reason)
	}
	if !r.FirstLookOver {
		t.Error("the first look is not over")
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
		r := ask(t, "tcp://"+open)
		expect(t, r, Answered, "")
		if len(r.Attempts) != 1 || r.Attempts[0].Took <= 0 {
			t.Errorf("want one attempt with its time, got %+v", r.Attempts)
		}
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	r := ask(t, "tcp://"+closed.Addr().String())
	expect(t, r, Refused, "connection refused")
	if len(r.Attempts) != 2 {
		t.Errorf("a refusal is asked %d times, want a second look", len(r.Attempts))
	}
}

// TestOneGoodAddress has a name of which only one address answers.
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

func TestOneGoodAddress(t *testing.T) {
	open := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) { c.Close() })
	_, port, _ := net.SplitHostPort(open)
	e, err := ParseEndpoint("tcp://a.example:" + port)
	if err != nil {
		t.Fatal(err)
	}
	resolver := names{"ip4": gives("127.0.0.9", "127.0.0.8", "127.0.0.1", "127.0.0.7"), "ip6": denies}
	p := NewProber(Settings{Attempt: time.Second, Resolver: resolver}).New(e, Path{})
	p.Run(t.Context())
	r := p.Result()
	expect(t, r, Answered, "")
	if r.Addr.String() != "127.0.0.1" || !r.complete() {
		t.Errorf("got %+v", r)
	}
}

func TestHTTPStatus(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
	}))
	defer server.Close()
	for status, want := range map[int]Outcome{
		200: Answered, 204: Answered, 299: Answered, 300: Refused, 304: Refused, 401: Refused, 403: Refused, 404: Refused, 500: Refused, 503: Refused,
	} {
		reason := ""
		if want == Refused {
			reason = fmt.Sprintf("HTTP status %d", status)
		}
		expect(t, ask(t, fmt.Sprintf("%s/%d", server.URL, status)), want, reason)
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
		path   string
		want   Outcome
		reason string
	}{
		{"/n/0", Answered, ""},
		{"/n/5", Answered, ""},
		{"/n/6", Refused, "more than 5 redirects"},
		{"/to?u=" + other, Refused, "redirected to another host"},
		{"/to?u=file:///etc/passwd", Refused, "redirected to another host"},
		{"/to?u=" + server.URL + "/n/1", Answered, ""},
	}
	for _, test := range tests {
		expect(t, ask(t, server.URL+test.path), test.want, test.reason)
	}
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
	expect(t, ask(t, server.URL), Answered, "")
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	expect(t, ask(t, server.URL), Refused, "TLS: certificate signed by an unknown authority")

	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	expect(t, ask(t, strings.Replace(plain.URL, "http:", "https:", 1)), Refused, "TLS: the far end does not speak it")
}

// TestHostile has servers that answer in ways that no real one does.
func TestHostile(t *testing.T) {
	tests := []struct {
		name   string
		scheme string
		serve  func(net.Conn)
		want   Outcome
		reason string
	}{
		{"accepts and says nothing", "http", func(net.Conn) {}, Refused, "connected, but no answer within"},
		{"accepts and says nothing to TLS", "https", func(net.Conn) {}, Refused, "connected, but no answer within"},
		{"closes at once", "http", func(c net.Conn) { c.Close() }, Refused, ""},
		{"resets", "http", func(c net.Conn) {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}, Refused, "connection"},
		{"garbage", "http", func(c net.Conn) { io.WriteString(c, "SSH-2.0-x|y\r\n\r\n"); c.Close() }, Refused, "not a valid answer"},
		{"garbage for TLS", "https", func(c net.Conn) { io.WriteString(c, "hello there, world\r\n\r\n") }, Refused, "TLS"},
		{"a byte at a time", "http", func(c net.Conn) {
			for _, b := range []byte("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 1000)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(20 * ms)
			}
		}, Refused, "connected, but no answer within"},
		{"endless header", "http", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(c, "X-Y: "+strings.Repeat("z", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}, Refused, "not a valid answer"},
		{"endless body", "http", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			for {
				if _, err := c.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, Answered, ""},
		{"endless continues", "http", func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
					return
				}
			}
		}, Refused, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
				// What comes before the question is no answer to it.
				_, _ = c.Read(make([]byte, 4096))
				test.serve(c)
			})
			r := ask(t, test.scheme+"://"+address+"/")
			if test.reason == "" && test.want == Refused {
				if r.Outcome() != Refused {
					t.Errorf("got outcome %d, %v", r.Outcome(), r.Reason())
				}
				return
			}
			expect(t, r, test.want, test.reason)
		})
	}
}

func TestCutShortStaysPending(t *testing.T) {
	address := listen(t, "tcp", "127.0.0.1:0", func(net.Conn) {})
	e, _ := ParseEndpoint("http://" + address + "/")
	ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
	defer cancel()
	p := NewProber(Settings{Attempt: 10 * time.Second}).New(e, Path{})
	p.Run(ctx)
	if r := p.Result(); r.Outcome() != Pending || r.FirstLookOver {
		t.Errorf("got %+v", r)
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
