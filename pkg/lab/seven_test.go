package lab_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

func TestSevenTunnels(t *testing.T) {
	start := time.Now()
	w, err := lab.SevenTunnels()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	t.Logf("raised in %v", time.Since(start))

	if len(w.VPNs) != 7 || w.VPN(lab.DR, "nowhere") != nil {
		t.Errorf("%d tunnels", len(w.VPNs))
	}
	for _, v := range w.VPNs {
		host := v.Near.Node
		mustAnswer(t, host, v.NearGateway.String())
		mustAnswer(t, host, v.Peer.String())
		for _, m := range v.Far.Machines {
			for _, a := range m.Addrs {
				mustAnswer(t, host, a.String())
			}
			for _, port := range append(m.TCP, m.HTTPS...) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				conn, err := v.Near.Dial(ctx, "tcp", netip.AddrPortFrom(m.Addrs[0], port).String())
				cancel()
				if err != nil {
					t.Errorf("%s: %v", m.Name, err)
					continue
				}
				conn.Close()
			}
		}
	}

	t.Run("names", func(t *testing.T) {
		v := w.VPN(lab.DR, "staging")
		for _, name := range []string{"www.gov.uk", "mongo-4.backend.staging.publishing.service.gov.uk"} {
			if r := run(t, v.Near.Node, task("resolve", name, "5s")); r.Code != 0 {
				t.Errorf("%s: %s", name, r.Stdout)
			}
		}
	})
	t.Run("licences", func(t *testing.T) {
		v := w.VPN(lab.Licensing, "production")
		if err := v.Tunnel.Down(); err != nil {
			t.Fatal(err)
		}
		mustBeSilent(t, v.Near.Node, "10.5.0.1")
		// The same addresses in another environment, and another tunnel of the
		// same site, do not care.
		mustAnswer(t, w.VPN(lab.Licensing, "staging").Near.Node, "10.5.0.1")
		mustAnswer(t, v.Near.Node, "10.3.9.1")

		ca := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(ca, w.Internet.CA(), 0o644); err != nil {
			t.Fatal(err)
		}
		get := task("get", "https://www.gov.uk/apply-for-a-licence")
		get.Env = append(get.Env, "SSL_CERT_FILE="+ca)
		if r := run(t, v.Near.Node, get); r.Code != 0 || r.Stdout != "200 OK\n" {
			t.Errorf("applying for a licence: %+v", r)
		}
	})
}
