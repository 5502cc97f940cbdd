package icinga_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

// The outages run over tunnels of their own, from one monitoring machine, with
// short times and wide limits in place of what constants.conf has, and with
// nothing else changed.

// groups of five machines each lie behind a tunnel.
var groups = []string{"a", "b", "c", "d"}

const machinesOfGroup = 5

// outage is one tunnel and what happens to it.
type outage struct {
	name   string // of the tunnel in the dictionary
	kind   string
	number int // in the addresses
	far    *lab.Site
}

// world is a near site, a web site and the far sites.
type world struct {
	*lab.Internet
	near *lab.Site
}

const publicAddr = "203.0.113.80"

func newWorld(t *testing.T, outages []*outage) *world {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	i, err := lab.NewInternet()
	must(err)
	t.Cleanup(func() { i.Close() })
	w := &world{Internet: i}
	w.near, err = i.AddSite(lab.SiteConfig{
		Name: "near", Public: lab.Addrs("192.0.2.1"), Networks: lab.Prefixes("10.1.0.0/24"),
		GatewayAddrs: lab.Addrs("10.1.0.1"), HostAddrs: lab.Addrs("10.1.0.20"), HostPublic: lab.Addrs("192.0.2.20"),
	})
	must(err)
	_, err = i.AddSite(lab.SiteConfig{
		Name: "www", Public: lab.Addrs("203.0.113.81"), Networks: lab.Prefixes(publicAddr + "/32"),
		Machines: []lab.Machine{{Name: "www", Addrs: lab.Addrs(publicAddr), HTTP: []uint16{80}}},
	})
	must(err)
	for _, o := range outages {
		o.far, err = i.AddSite(lab.SiteConfig{
			Name: o.name, Public: lab.Addrs(o.peer()),
			Networks:     lab.Prefixes(fmt.Sprintf("10.%d.0.0/16", o.number)),
			GatewayAddrs: lab.Addrs(o.addr(0, 254)),
			Machines:     o.machines(),
		})
		must(err)
		_, err = i.WireGuard(w.near, o.far)
		must(err)
	}
	return w
}

func (o *outage) addr(group, host int) string {
	return fmt.Sprintf("10.%d.%d.%d", o.number, group, host)
}
func (o *outage) peer() string    { return fmt.Sprintf("198.51.100.%d", o.number) }
func (o *outage) service() string { return "monitoring-near!VPN " + o.name }

// hasGates: DR's groups lie behind gateways of their own.
func (o *outage) hasGates() bool { return o.kind == "dr" }

// machines are all behind the tunnel, gates first in their group.
func (o *outage) machines() (list []lab.Machine) {
	for g, group := range groups {
		if o.hasGates() {
			list = append(list, lab.Machine{Name: group, Group: group, Addrs: lab.Addrs(o.addr(g, 1))})
		}
		for n := range machinesOfGroup {
			list = append(list, lab.Machine{
				Name: fmt.Sprint(group, n), Group: group, Addrs: lab.Addrs(o.addr(g, 10+n)), TCP: []uint16{5432},
			})
		}
	}
	return list
}

// entry is the tunnel in the dictionary.
func (o *outage) entry() string {
	var b strings.Builder
	fmt.Fprintf(&b, "    %q = {\n      kind = %q\n      site = \"near\"\n      title = %q\n", o.name, o.kind, "VPN "+o.name)
	fmt.Fprintf(&b, "      near = { gateway = \"10.1.0.1\" }\n      peer = { peer = %q }\n", o.peer())
	// The laboratory is slow when the machine is busy, and that is no outage.
	limits := `vpn_warning = "1500,80%", vpn_critical = "1500,90%"`
	switch o.kind {
	case "licensing":
		fmt.Fprintf(&b, "      public = { web = \"http://%s/\" }\n", publicAddr)
	case "office":
		fmt.Fprintf(&b, "      far = { a = %q, b = %q }\n      vars = { vpn_office_hours = \"always\", %s }\n    }\n", o.addr(0, 10), o.addr(0, 11), limits)
		return b.String()
	}
	fmt.Fprintf(&b, "      vars = { %s }\n      groups = {\n", limits)
	for g, group := range groups {
		fmt.Fprintf(&b, "        %s = {\n", group)
		if o.hasGates() {
			fmt.Fprintf(&b, "          gate = %q\n", o.addr(g, 1))
		}
		fmt.Fprint(&b, "          machines = {\n")
		for n := range machinesOfGroup {
			ports := ""
			if n == 0 {
				ports = ", ports = { postgresql = 5432 }"
			}
			fmt.Fprintf(&b, "            %s%d = { address = %q%s }\n", group, n, o.addr(g, 10+n), ports)
		}
		fmt.Fprint(&b, "          }\n        }\n")
	}
	fmt.Fprint(&b, "      }\n    }\n")
	return b.String()
}

// constants takes the place of constants.conf.
func constants(outages []*outage) string {
	var entries strings.Builder
	for _, o := range outages {
		entries.WriteString(o.entry())
	}
	return `const Vpn = {
  sites = { near = { address = "10.1.0.20" } }
  tunnels = {
` + entries.String() + `  }
  times = {
    tunnel = { check = 6s, retry = 5s, attempts = 2, lasts = 10s }
    gateway = { check = 5s, retry = 3s, attempts = 3 }
    machine = { check = 15s, retry = 6s, attempts = 3 }
    settled = ` + fmt.Sprint(settled.Seconds()) + `
  }
  mail = "nobody"
  pager = ""
  notes_url = "https://docs.example.org/vpn#"
}
`
}

const (
	settled   = 50 * time.Second // longer than the machines take to come back
	staggered = 40 * time.Second
	limit     = 4 * time.Minute // for what takes a minute on an idle machine
)

// newInstance is a daemon with the files of this folder and these tunnels.
func newInstance(t *testing.T, w *world, port int, outages []*outage, without ...string) *icinga2 {
	t.Helper()
	n := newIcinga2(t, fmt.Sprint("icinga", port), w.near.Node, port, nil)
	lines := n.bare(pluginDir(t)) + n.alone()
	write(t, n.path("etc/constants.conf"), constants(outages))
	lines += fmt.Sprintf("include %q\n", n.path("etc/constants.conf"))
	n.configure(t, lines+n.include(t, shipped(t, append(without, "constants.conf")...)...))
	n.start(t, []string{"PATH=/usr/bin:/bin"})
	return n
}
