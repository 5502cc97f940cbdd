package icinga_test

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

// The outages run over tunnels of their own, from one monitoring machine. They are
// described as check_vpn.ini describes its own, with short times and wide limits,
// and made by the generator; all else are the files of this folder.

// groups of five machines each lie behind a tunnel.
var groups = []string{"a", "b", "c", "d"}

const machinesOfGroup = 5

// outage is one tunnel and what happens to it.
type outage struct {
	name   string // of the tunnel in the dictionary
	kind   string
	number int    // in the addresses
	extra  string // keys of its monitoring
	apart  bool   // it does not share the near gateway
	always bool   // somebody is at work, so that it can wait
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
	i, err := lab.NewInternet()
	must(t, err)
	t.Cleanup(func() { i.Close() })
	w := &world{Internet: i}
	w.near, err = i.AddSite(lab.SiteConfig{
		Name: "near", Public: lab.Addrs("192.0.2.1"), Networks: lab.Prefixes("10.1.0.0/24"),
		GatewayAddrs: lab.Addrs("10.1.0.1"), HostAddrs: lab.Addrs("10.1.0.20"), HostPublic: lab.Addrs("192.0.2.20"),
	})
	must(t, err)
	_, err = i.AddSite(lab.SiteConfig{
		Name: "www", Public: lab.Addrs("203.0.113.81"), Networks: lab.Prefixes(publicAddr + "/32"),
		Machines: []lab.Machine{{Name: "www", Addrs: lab.Addrs(publicAddr), HTTP: []uint16{80}}},
	})
	must(t, err)
	for _, o := range outages {
		o.far, err = i.AddSite(lab.SiteConfig{
			Name: o.name, Public: lab.Addrs(o.peer()),
			Networks:     lab.Prefixes(fmt.Sprintf("10.%d.0.0/16", o.number)),
			GatewayAddrs: lab.Addrs(o.addr(0, 254)),
			Machines:     o.machines(),
		})
		must(t, err)
		_, err = lab.WireGuard.Raise(i, w.near, o.far)
		must(t, err)
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

// sections describe the tunnel.
func (o *outage) sections() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[%s]", o.name)
	// The laboratory is slow when the machine is busy, and that is no outage.
	line("warning = 1500,80%%\ncritical = 1500,90%%")
	line("peer = peer=%s", o.peer())
	if !o.apart {
		line("near = gateway=10.1.0.1")
	}
	switch o.kind {
	case "licensing":
		line("public = web=http://%s/", publicAddr)
	case "office":
		hours := "never"
		if o.always {
			hours = "always"
		}
		line("office-hours = %s\nfar = a=%s\nfar = b=%s", hours, o.addr(0, 10), o.addr(0, 11))
	}
	for g, group := range groups {
		if o.kind == "office" {
			break
		}
		if o.hasGates() {
			line("far = %s/%s=%s", group, group, o.addr(g, 1))
		}
		for n := range machinesOfGroup {
			line("far = %s%d/%s=%s", group, n, group, o.addr(g, 10+n))
		}
		if o.kind == "dr" {
			line("replication = %s0.postgresql=tcp://%s:5432", group, o.addr(g, 10))
		}
	}
	line("[monitoring %s]\nplugin = %s\nruns-on = monitoring-near", o.name, o.kind)
	if o.kind == "office" {
		line("hosts = no")
	}
	b.WriteString(o.extra)
	return b.String() + "\n"
}

// describe is the file of the outages.
func describe(outages []*outage) string {
	text := fmt.Sprintf(`[monitoring]
notify = nobody@example.org
check = 6s
retry = 5s
attempts = 2
lasts = 10s
host-check = 10s
host-retry = 5s
host-attempts = 3
settled = %.0fs

[host monitoring-near]
address = 10.1.0.20
asked = here

`, settled.Seconds())
	for _, o := range outages {
		text += o.sections()
	}
	return text
}

const (
	settled   = 25 * time.Second // longer than the machines take to come back
	staggered = 10 * time.Second
	quiet     = 10 * time.Second // what was held back is told within 5 s
	limit     = 4 * time.Minute  // for what takes a minute on an idle machine
)

// newInstance is a daemon with the files of this folder and these tunnels.
func newInstance(t *testing.T, w *world, port int, outages []*outage, without ...string) *icinga2 {
	t.Helper()
	n := newIcinga2(t, fmt.Sprint("icinga", port), w.near.Node, port, nil)
	write(t, n.path("check_vpn.ini"), describe(outages))
	write(t, n.path("etc/vpn-tunnels.conf"), generate(t, n.path("check_vpn.ini")))
	lines := n.bare(pluginDir(t)) + n.alone() + fmt.Sprintf("include %q\n", n.path("etc/vpn-tunnels.conf"))
	n.configure(t, lines+n.include(t, shipped(t, append(without, "vpn-tunnels.conf")...)...))
	n.start(t, []string{"PATH=/usr/bin:/bin", "MP_CONFIG_PATH=" + n.dir})
	return n
}

// generate has the generator print a file for Icinga.
func generate(t *testing.T, file string) string {
	t.Helper()
	out, err := exec.Command(filepath.Join(plugins, "generate"), "-f", file, "icinga").Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			t.Fatalf("%s", failed.Stderr)
		}
		t.Fatal(err)
	}
	return string(out)
}
