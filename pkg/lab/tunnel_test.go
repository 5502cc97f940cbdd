package lab_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

func TestTunnel(t *testing.T) {
	p := newPair(t)
	for _, to := range []string{one, one6, two, web, nearGateway, nearGateway6, peer, peer6} {
		mustAnswer(t, p.near.Node, to)
	}
	mustAnswer(t, p.near.Gateway, one) // from its inner address, or the far end drops it
	mustAnswer(t, p.far.Gateway, "10.1.0.20")
	mustBeSilent(t, p.near.Node, "10.2.0.99")

	t.Run("interface gone", func(t *testing.T) {
		if err := p.tunnel.Down(); err != nil {
			t.Fatal(err)
		}
		if hasInterface(t, p.near.Gateway, p.tunnel.Interface) {
			t.Errorf("%s is still there", p.tunnel.Interface)
		}
		mustBeSilent(t, p.near.Node, one)
		mustAnswer(t, p.near.Node, peer)
		if err := p.tunnel.Up(); err != nil {
			t.Fatal(err)
		}
		if !hasInterface(t, p.near.Gateway, p.tunnel.Interface) {
			t.Errorf("%s is not there", p.tunnel.Interface)
		}
		mustAnswer(t, p.near.Node, one)
	})
	t.Run("MTU", func(t *testing.T) {
		if err := p.tunnel.SetMTU(1380); err != nil {
			t.Fatal(err)
		}
		if a := echo(t, p.near.Node, one, 1380, 5*time.Second); !a.echo {
			t.Errorf("1380 bytes: %v", a)
		}
		if a := mustBeICMP(t, p.near.Node, one, 1381, 3, 4); a.info != 1380 {
			t.Errorf("the gateway says that %d bytes pass", a.info)
		}
	})
}

func hasInterface(t *testing.T, n *lab.Node, name string) (has bool) {
	n.Do(func() error {
		_, err := net.InterfaceByName(name)
		has = err == nil
		return nil
	})
	return has
}

func TestTunnelIsEncrypted(t *testing.T) {
	// Inner addresses mean nothing on the internet: without the tunnel nothing
	// passes, whatever the conditions.
	p := newPair(t)
	if err := p.tunnel.Close(); err != nil {
		t.Fatal(err)
	}
	mustBeSilent(t, p.near.Node, one)
	mustBeSilent(t, p.near.Node, one6)
}

func TestNoTunnelInBoundedTime(t *testing.T) {
	p := newPair(t)
	p.tunnel.Close()
	p.Set(p.far, p.near, lab.Conditions{CutTunnels: true})
	if _, err := p.WireGuard(p.near, p.far); err == nil || !strings.Contains(err.Error(), "handshake") {
		t.Errorf("nothing comes back, yet: %v", err)
	}
}

func TestTCP(t *testing.T) {
	p := newPair(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, to := range lab.Addrs(one, one6) {
		conn, err := p.near.Dial(ctx, "tcp", netip.AddrPortFrom(to, 5432).String())
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		_, err = p.near.Dial(ctx, "tcp", netip.AddrPortFrom(to, 5433).String())
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("port 5433: %v, want a refusal", err)
		}
	}
}

func TestHTTPS(t *testing.T) {
	p := newPair(t)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(p.CA()) {
		t.Fatal("no certificate in CA")
	}
	transport := &http.Transport{DialContext: p.near.Dial, TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: 5 * time.Second}
	for _, url := range []string{"http://" + web, "https://" + web + "/any", "https://[" + web6 + "]"} {
		response, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != 200 || string(body) != "web\n" {
			t.Errorf("%s: %s %q", url, response.Status, body)
		}
	}

	transport.CloseIdleConnections()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: "web.example"}
	if response, err := client.Get("https://" + web); err != nil {
		t.Errorf("the certificate has no name: %v", err)
	} else {
		response.Body.Close()
	}
}

// TestManyAtOnce sends a thousand requests before it reads an answer.
func TestManyAtOnce(t *testing.T) {
	p := newPair(t)
	const sockets, each = 50, 20
	pingers := make([]*pinger, sockets)
	err := p.near.Do(func() (err error) {
		for n := range pingers {
			if pingers[n], err = newPinger(netip.MustParseAddr(one), 5*time.Second); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range sockets * each {
		if err := pingers[n%sockets].send(uint16(n), 64); err != nil {
			t.Fatal(err)
		}
	}
	var g sync.WaitGroup
	for _, p := range pingers {
		g.Go(func() {
			defer p.close()
			for n := range each {
				if a := p.receive(); !a.echo {
					t.Errorf("after %d of %d answers: %v", n, each, a)
					return
				}
			}
		})
	}
	g.Wait()
}
