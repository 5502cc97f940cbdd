package icinga_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

// The outages run over tunnels of their own, from one monitoring machine, with
// short times in place of those in constants.conf and with nothing else changed.

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

func prefixes(list ...string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

func addrs(list ...string) (all []netip.Addr) {
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
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
		Name: "near", Public: addrs("192.0.2.1"), Networks: prefixes("10.1.0.0/24"),
		GatewayAddrs: addrs("10.1.0.1"), HostAddrs: addrs("10.1.0.20"), HostPublic: addrs("192.0.2.20"),
	})
	must(err)
	_, err = i.AddSite(lab.SiteConfig{
		Name: "www", Public: addrs("203.0.113.81"), Networks: prefixes(publicAddr + "/32"),
		Machines: []lab.Machine{{Name: "www", Addrs: addrs(publicAddr), HTTP: []uint16{80}}},
	})
	must(err)
	for _, o := range outages {
		o.far, err = i.AddSite(lab.SiteConfig{
			Name: o.name, Public: addrs(o.peer()),
			Networks:     prefixes(fmt.Sprintf("10.%d.0.0/16", o.number)),
			GatewayAddrs: addrs(o.addr(0, 254)),
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
			list = append(list, lab.Machine{Name: group, Group: group, Addrs: addrs(o.addr(g, 1))})
		}
		for n := range machinesOfGroup {
			list = append(list, lab.Machine{
				Name: fmt.Sprint(group, n), Group: group, Addrs: addrs(o.addr(g, 10+n)), TCP: []uint16{5432},
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

// TestOutages cuts real tunnels under a real Icinga 2 and counts what it tells.
func TestOutages(t *testing.T) {
	t.Parallel()
	oneAtATime(t)
	var outages []*outage
	add := func(name, kind string) *outage {
		o := &outage{name: name, kind: kind, number: 101 + len(outages)}
		outages = append(outages, o)
		return o
	}
	dr, licensing := add("dr-cut", "dr"), add("licensing-cut", "licensing")
	late, flapping, group := add("dr-late", "dr"), add("dr-flapping", "dr"), add("dr-group", "dr")
	office := []*outage{add("office", "office"), add("office-acked", "office"), add("office-sticky", "office")}

	w := newWorld(t, outages)
	n := newInstance(t, w, 5665, outages)
	// The same without the dependencies: so that the count can fail.
	naive := newInstance(t, w, 5666, []*outage{dr}, "dependencies.conf")
	awaitHealth(t, n)
	awaitHealth(t, naive)
	heard, heardNaively := n.listen(t), naive.listen(t)

	// When the naive one has told of all machines, each has had the time to
	// complain.
	complained := make(chan struct{})
	t.Run("outages", func(t *testing.T) {
		scenario := func(o *outage, play func(*scene)) {
			t.Run(o.name, func(t *testing.T) {
				t.Parallel()
				play(&scene{t, w, n, o, heard, complained})
			})
		}
		scenario(dr, (*scene).cut)
		scenario(licensing, (*scene).cut)
		scenario(late, (*scene).cutAndComeBackLate)
		scenario(flapping, (*scene).flap)
		scenario(group, (*scene).loseGroup)
		for _, o := range office {
			scenario(o, (*scene).officeHoursEnd)
		}
		t.Run("without dependencies", func(t *testing.T) {
			t.Parallel()
			defer close(complained)
			count := 0
			eventually(t, "each machine is told of", limit, func() bool {
				count = len(heardNaively.of(t, func(n notification) bool { return n.Type == "PROBLEM" }))
				return count > len(groups)*machinesOfGroup
			})
			t.Logf("without dependencies.conf: %d problems", count)
		})
	})
}

// awaitHealth waits until everything is up and known to be.
func awaitHealth(t *testing.T, n *icinga2) {
	t.Helper()
	var bad []string
	began := time.Now()
	for ; time.Since(began) < limit; time.Sleep(time.Second) {
		if bad = n.bad(t, func(string) bool { return true }); len(bad) == 0 {
			return
		}
	}
	t.Fatalf("%s is not well after %v: %d, %q", n.name, limit, len(bad), bad[:min(len(bad), 10)])
}

// bad are the hosts and services that are not OK, or not yet checked.
func (n *icinga2) bad(t *testing.T, match func(name string) bool) (list []string) {
	t.Helper()
	for _, kind := range []string{"hosts", "services"} {
		for name, c := range n.objects(t, kind) {
			if match(name) && !c.hard(0) {
				list = append(list, name)
			}
		}
	}
	return list
}

// scene is one outage under test.
type scene struct {
	*testing.T
	world      *world
	icinga     *icinga2
	outage     *outage
	heard      *told
	complained <-chan struct{}
}

// mine tells whether a host, or host!service, belongs to the tunnel.
func (s *scene) mine(name string) bool {
	host, _, _ := strings.Cut(name, "!")
	return name == s.outage.service() || host == s.outage.name || strings.HasSuffix(host, "."+s.outage.name)
}

func (s *scene) set(c lab.Conditions) { s.world.SetBoth(s.world.near, s.outage.far, c) }

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// down cuts the tunnel and waits until its service is in a hard state, and until
// all behind it have had the time to complain.
func (s *scene) down(state float64) {
	s.Helper()
	s.set(lab.Conditions{Cut: true})
	s.awaitService(state, "cut")
	s.waitForComplaints()
}

func (s *scene) waitForComplaints() {
	s.Helper()
	select {
	case <-s.complained:
	case <-time.After(2 * limit):
		s.Fatal("the other machines have not complained")
	}
}

// awaitService prints how long it takes.
func (s *scene) awaitService(state float64, since string) {
	s.Helper()
	took := eventually(s.T, fmt.Sprintf("%s hard %v", s.outage.service(), state), limit, func() bool {
		return s.icinga.object(s.T, "services", s.outage.service()).hard(state)
	})
	s.Logf("%.0f s from %s to hard state %v", took.Seconds(), since, state)
}

// unreachable are the names of machines, and of their services, that Icinga
// holds to be down and unreachable.
func (s *scene) unreachable(match func(name string) bool) (hosts, services int) {
	s.Helper()
	for name, c := range s.icinga.objects(s.T, "hosts") {
		if match(name) && c.hard(1) && !c.Reachable {
			hosts++
		}
	}
	for name, c := range s.icinga.objects(s.T, "services") {
		if match(name) && strings.Contains(name, "!postgresql") && c.State != 0 && !c.Reachable {
			services++
		}
	}
	return hosts, services
}

// mustBeUnreachable waits for all machines of so many groups, and a service in
// each: the last checks may be under way.
func (s *scene) mustBeUnreachable(groups int, match func(name string) bool) {
	s.Helper()
	eventually(s.T, fmt.Sprintf("%d groups unreachable", groups), limit, func() bool {
		hosts, services := s.unreachable(match)
		return hosts == groups*machinesOfGroup && services == groups
	})
}

// isMachine tells machines from gates.
func (s *scene) isMachine(name string) bool {
	host, _, _ := strings.Cut(name, "!")
	machine, tunnel, _ := strings.Cut(host, ".")
	return tunnel == s.outage.name && len(machine) > 1
}

// allWell waits until all behind the tunnel are up and believed again, and a
// while longer: nobody may complain after that.
func (s *scene) allWell() {
	s.Helper()
	var bad []string
	began := time.Now()
	for {
		if bad = s.icinga.bad(s.T, s.mine); len(bad) == 0 {
			break
		}
		if time.Since(began) > limit {
			s.Fatalf("not well after %v: %q", limit, bad)
		}
		time.Sleep(time.Second)
	}
	time.Sleep(20 * time.Second) // notifications that were held back come within 5 s
}

// told is all that was told of this tunnel.
func (s *scene) told() []string {
	s.Helper()
	return s.heard.of(s.T, func(n notification) bool { return s.mine(strings.TrimSuffix(n.Host+"!"+n.Service, "!")) })
}

func (s *scene) mustHaveTold(want ...string) {
	s.Helper()
	if got := s.told(); !slices.Equal(got, want) {
		s.Errorf("told %q, want %q", got, want)
	}
}

// awaitTold waits until that much has been told, and compares it.
func (s *scene) awaitTold(want ...string) {
	s.Helper()
	eventually(s.T, fmt.Sprintf("told %q", want), limit, func() bool { return len(s.told()) >= len(want) })
	s.mustHaveTold(want...)
}

// state is what the service says of a dead tunnel: the public way to licences is
// fine, so licensing is no more than WARNING.
func (s *scene) state() float64 {
	if s.outage.kind == "licensing" {
		return 1
	}
	return 2
}

func (s *scene) mustHaveToldOnce() {
	s.Helper()
	s.mustHaveTold(fmt.Sprintf("PROBLEM %s %v", s.outage.service(), s.state()), fmt.Sprintf("RECOVERY %s 0", s.outage.service()))
}

func (s *scene) cut() {
	s.down(s.state())
	s.mustBeUnreachable(len(groups), s.isMachine)
	s.set(lab.Conditions{})
	s.awaitService(0, "restore")
	s.allWell()
	s.mustHaveToldOnce()
}

// cutAndComeBackLate: the machines come back one after another.
func (s *scene) cutAndComeBackLate() {
	for _, group := range groups {
		s.must(s.outage.far.StopGroup(group))
	}
	s.down(s.state())
	s.set(lab.Conditions{})
	machines := s.outage.machines()
	for _, m := range machines {
		time.Sleep(staggered / time.Duration(len(machines)))
		s.must(s.outage.far.StartMachine(m.Name))
	}
	s.awaitService(0, "the last machine's return")
	s.allWell()
	s.mustHaveToldOnce()
}

// flap: the tunnel comes and goes before it stays.
func (s *scene) flap() {
	s.down(s.state())
	for range 3 {
		s.set(lab.Conditions{})
		time.Sleep(8 * time.Second)
		s.set(lab.Conditions{Cut: true})
		time.Sleep(5 * time.Second)
	}
	s.set(lab.Conditions{})
	s.awaitService(0, "the last restore")
	s.allWell()
	s.mustHaveToldOnce()
}

// loseGroup: the gate of a group tells, the tunnel and the machines do not.
func (s *scene) loseGroup() {
	const group = "b"
	s.must(s.outage.far.StopGroup(group))
	s.waitForComplaints()
	s.mustBeUnreachable(1, func(name string) bool { return s.isMachine(name) && strings.HasPrefix(name, group) })
	s.must(s.outage.far.StartGroup(group))
	s.allWell()
	gate := group + "." + s.outage.name
	s.mustHaveTold("PROBLEM "+gate+" 2", "RECOVERY "+gate+" 0")
}

// officeHoursEnd: the office closes during an outage. That is told, once; a
// plain acknowledgement does not stop it, a sticky one does.
func (s *scene) officeHoursEnd() {
	service := s.outage.service()
	want := []string{"PROBLEM " + service + " 1"}
	s.set(lab.Conditions{Cut: true})
	s.awaitService(1, "cut")
	s.awaitTold(want...)
	sticky := s.outage.name == "office-sticky"
	if s.outage.name != "office" {
		s.icinga.must(s.T, http.MethodPost, "actions/acknowledge-problem", map[string]any{
			"type": "Service", "service": service, "author": "day shift", "comment": "seen", "sticky": sticky,
		}, nil)
	}
	closes := s.closeOffice(service)
	if got := s.icinga.checkNow(s.T, "services", service); time.Now().Before(closes) && got.State != 1 {
		s.Errorf("before the office closes: %+v", got.Result)
	}
	time.Sleep(time.Until(closes))
	s.awaitService(2, "the office's closing")
	if sticky {
		time.Sleep(20 * time.Second) // twice what it takes the others
	} else {
		want = append(want, "PROBLEM "+service+" 2")
		s.awaitTold(want...)
	}
	s.set(lab.Conditions{})
	s.awaitService(0, "restore")
	s.awaitTold(append(want, "RECOVERY "+service+" 0")...)
}

// closeOffice has the office close at a full minute, and returns when that is.
// The clock of the checks is real; the time zone is one where it is about noon.
func (s *scene) closeOffice(service string) time.Time {
	now := time.Now().UTC()
	offset := now.Hour() - 12
	closes := now.Add(20*time.Second + time.Minute).Truncate(time.Minute)
	hours := closes.Add(-time.Duration(offset) * time.Hour).Format("15:04")
	s.icinga.must(s.T, http.MethodPost, "objects/services/"+url.PathEscape(service), map[string]any{"attrs": map[string]any{
		"vars.vpn_office_hours": "Mon-Sun 00:00-" + hours, "vars.vpn_timezone": fmt.Sprintf("Etc/GMT%+d", offset),
	}}, nil)
	return closes
}
