package lab_test

import (
	"testing"

	"checkvpn/pkg/lab"
)

// pair is a small lab: a near site with a host, a far one with machines, and a
// tunnel between them.
type pair struct {
	*lab.Internet
	near, far *lab.Site
	tunnel    *lab.Tunnel
	kind      string // of tunnel
}

// Addresses of the pair.
const (
	nearGateway  = "10.1.0.1"
	nearGateway6 = "fd00:1::1"
	one          = "10.2.0.1"
	one6         = "fd00:2::1"
	two          = "10.2.0.2"
	web          = "10.2.0.80"
	web6         = "fd00:2::80"
	peer         = "198.51.100.1"
	peer6        = "2001:db8:2::1"
)

// newPair makes one for a test. Such tests mostly wait, so they run side by side.
func newPair(t *testing.T) *pair {
	t.Helper()
	return newPairOver(t, lab.Kinds()[0])
}

func newPairOver(t *testing.T, kind lab.Kind) *pair {
	t.Helper()
	t.Parallel()
	i, err := lab.NewInternet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	p := &pair{Internet: i, kind: kind.Name}
	p.near, err = i.AddSite(lab.SiteConfig{
		Name:         "near",
		Public:       lab.Addrs("192.0.2.1", "2001:db8:1::1"),
		Networks:     lab.Prefixes("10.1.0.0/24", "fd00:1::/64"),
		GatewayAddrs: lab.Addrs(nearGateway, nearGateway6),
		HostAddrs:    lab.Addrs("10.1.0.20", "fd00:1::20"),
		HostPublic:   lab.Addrs("192.0.2.20", "2001:db8:1::20"),
	})
	if err != nil {
		t.Fatal(err)
	}
	p.far, err = i.AddSite(lab.SiteConfig{
		Name:         "far",
		Public:       lab.Addrs(peer, peer6),
		Networks:     lab.Prefixes("10.2.0.0/24", "fd00:2::/64"),
		GatewayAddrs: lab.Addrs("10.2.0.254", "fd00:2::254"),
		Machines: []lab.Machine{
			{Name: "one", Group: "numbers", Addrs: lab.Addrs(one, one6), TCP: []uint16{5432}},
			{Name: "two", Group: "numbers", Addrs: lab.Addrs(two)},
			{Name: "web", Addrs: lab.Addrs(web, web6), Names: []string{"web.example"}, HTTP: []uint16{80}, HTTPS: []uint16{443}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.tunnel, err = kind.Raise(i, p.near, p.far)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
