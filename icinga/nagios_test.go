package icinga_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

// aMinute is how long a minute of the configuration lasts in these tests.
const aMinute = 3 * time.Second

// quickly shortens what the configuration says in seconds, or more slowly than
// a test can wait: a settled gateway, the patience with a machine, and its five
// minutes.
func quickly(file, text string) string {
	text = strings.ReplaceAll(text, "'>=' 90", "'>=' 5")
	text = strings.ReplaceAll(text, "-i 200ms -t 3", "-i 200ms -t 1")
	if file == "templates.cfg" {
		text = strings.ReplaceAll(text, "check_interval         5", "check_interval         1")
	}
	return text
}

// production leaves out what other machines ask by NRPE.
func production(file, text string) string {
	return regexp.MustCompile(`(?m)^define (host|service) \{\n(    .*\n)*?.*(staging|integration|monitoring-office)\n(    .*\n)*\}\n`).ReplaceAllString(text, "")
}

// flat takes the parents away from the machines, for comparison.
func flat(file, text string) string {
	if file == "machines.cfg" {
		return regexp.MustCompile(`(?m)^ *parents .*$`).ReplaceAllString(text, "")
	}
	return text
}

// withServices puts a service on two of the machines, as a site would.
func withServices(file, text string) string {
	if file != "services.cfg" {
		return text
	}
	for _, host := range []string{"mongo-4.dr-production", "licensing-mongo-1.licensing-production"} {
		text += fmt.Sprintf("define service {\n    use                  vpn-service\n    host_name            %s\n"+
			"    service_description  Something\n    check_command        vpn_ping\n}\n", host)
	}
	return text
}

func TestNagiosVerifies(t *testing.T) {
	t.Parallel()
	bare := newNagios(t, time.Minute)
	debian := newNagios(t, time.Minute)
	for _, name := range []string{"commands", "contacts", "templates", "timeperiods"} {
		write(t, debian.path("nagios.cfg"), read(t, debian.path("nagios.cfg"))+"cfg_file=/etc/nagios4/objects/"+name+".cfg\n")
	}
	for name, n := range map[string]nagiosCore{"alone": bare, "beside Debian's samples": debian} {
		out, err := exec.Command(nagios4, "-v", n.path("nagios.cfg")).CombinedOutput()
		text := string(out)
		if err != nil || !strings.Contains(text, "Total Warnings: 0") || !strings.Contains(text, "Total Errors:   0") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	broken := newNagios(t, time.Minute, func(file, text string) string { return strings.Replace(text, "parents    settled.", "parents    set.", 1) })
	if err := exec.Command(nagios4, "-v", broken.path("nagios.cfg")).Run(); err == nil {
		t.Error("a parent that does not exist is fine")
	}
}

// TestNagiosSeven has the real daemon check the seven tunnels: those of
// production itself, the others by NRPE where they begin.
func TestNagiosSeven(t *testing.T) {
	t.Parallel()
	w := seven(t)
	env := calm(t, environment(t, w))
	here := w.VPN(lab.DR, "production").Near.Node
	for address, v := range map[string]*lab.VPN{
		"10.1.0.20":     w.VPN(lab.DR, "integration"),
		"10.2.0.20":     w.VPN(lab.DR, "staging"),
		"192.168.19.20": w.VPN(lab.Office, ""),
	} {
		startNRPE(t, v.Near.Node, "check_vpn.cfg", nrpePort, env)
		manage(t, here, v.Near.Node, address)
	}
	n := newNagios(t, 10*time.Second)
	n.start(t, here, env)
	const gates = 5 // are up 90 seconds after the start
	eventually(t, "all is up", patience, func() bool { return n.well(gates) })
	checkObjects(t, n.objects())
}

// TestNagiosOutage cuts the two tunnels of production and mends them: one at once, and one so that its machines come
// back one after another.
func TestNagiosOutage(t *testing.T) {
	t.Parallel()
	w := seven(t)
	env := calm(t, environment(t, w))
	dr, licensing := w.VPN(lab.DR, "production"), w.VPN(lab.Licensing, "production")
	shipped := newNagios(t, aMinute, production, quickly, withServices)
	compared := newNagios(t, aMinute, production, quickly, flat)
	shipped.start(t, dr.Near.Node, env)
	compared.start(t, dr.Near.Node, env)
	eventually(t, "all is up", patience, func() bool { return shipped.well(0) && compared.well(0) })

	for _, v := range []*lab.VPN{dr, licensing} {
		w.Internet.SetBoth(v.Near, v.Far, lab.Conditions{CutTunnels: true})
	}
	cut := time.Now()
	eventually(t, "the outage is told", patience, func() bool { return len(shipped.notifications("vpn-team")) >= 2 })
	t.Logf("from cut to a hard problem: %.1f s, where a minute lasts %v", time.Since(cut).Seconds(), aMinute)
	eventually(t, "all machines are known to be unreachable", patience, func() bool { return len(shipped.hard(unreachable)) == behind })
	eventually(t, "without parents they notify", patience, func() bool { return len(compared.notifications("vpn-team")) > machines })
	if got := shipped.hosts(down); !slices.Equal(got, []string{"dr-production", "licensing-production"}) {
		t.Errorf("down: %v", got)
	}

	for _, m := range licensing.Far.Machines[1:] {
		licensing.Far.StopMachine(m.Name)
	}
	for _, v := range []*lab.VPN{dr, licensing} {
		w.Internet.SetBoth(v.Near, v.Far, lab.Conditions{})
	}
	mended := time.Now()
	for _, m := range licensing.Far.Machines[1:] {
		time.Sleep(200 * time.Millisecond)
		licensing.Far.StartMachine(m.Name)
	}
	eventually(t, "all is up again", patience, func() bool { return shipped.well(0) })
	t.Logf("from mended to all up: %.1f s", time.Since(mended).Seconds())
	checkNotifications(t, shipped)
}

// machines are those behind the two tunnels of production; behind are they, the
// virtual datacentres and the gates.
const (
	machines = 12 + 9
	behind   = machines + 4 + 5
)

// checkNotifications wants each outage told once, and its end.
func checkNotifications(t *testing.T, n nagiosCore) {
	t.Helper()
	for service, want := range map[string]string{
		// A check that begins in the outage and ends after it may see some
		// machines answer and others not. Where it was CRITICAL, that is told.
		"VPN production: live to disaster recovery":        `^CRITICAL (WARNING )?OK $`,
		"VPN production: live to Licensing": `^WARNING OK $`,
	} {
		got := ""
		for _, what := range n.notifications("vpn-team") {
			if state, ok := strings.CutPrefix(what, "monitoring-production;"+service+";"); ok {
				got += state + " "
			}
		}
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s notified %q, want %s", service, got, want)
		}
	}
	for _, what := range n.notifications("vpn-team") {
		if !strings.HasPrefix(what, "monitoring-production;") {
			t.Errorf("notified: %s", what)
		}
	}
	if pages := n.notifications("vpn-pager"); len(pages) > 0 {
		t.Errorf("the pager rang: %v", pages)
	}
}

// well tells whether every host is up and every service OK, but for so many.
func (n nagiosCore) well(but int) bool {
	all := n.status()
	for _, s := range all {
		if s["current_state"] != "0" || s["has_been_checked"] != "1" {
			but--
		}
	}
	return len(all) > 0 && but >= 0
}

// hard are the hosts in a hard state.
func (n nagiosCore) hard(state string) (names []string) {
	all := n.status()
	for _, name := range n.hosts(state) {
		if all[name]["state_type"] == "1" {
			names = append(names, name)
		}
	}
	return names
}

// checkObjects holds what the templates made of hosts and services against what
// the field asks for.
func checkObjects(t *testing.T, objects map[string]map[string]string) {
	t.Helper()
	description := regexp.MustCompile(`^(\w|\s|\-|/|\[|\]|:|\.)*$`)
	parent := regexp.MustCompile(`^(dr|licensing)-|_dr\.|^settled\.`)
	tunnels := 0
	for name, o := range objects {
		host, service, isService := strings.Cut(name, ";")
		switch {
		case !isService && strings.Contains(o["notification_options"], "u"):
			t.Errorf("%s notifies when it is unreachable", name)
		case !isService && parent.MatchString(host) && o["notification_options"] != "n":
			t.Errorf("%s notifies beside its service", name)
		case isService:
			tunnels++
			if !description.MatchString(service) {
				t.Errorf("%s: a pager's filter would change that", name)
			}
			if o["notes"] == "" || o["notes_url"] == "" {
				t.Errorf("%s: no notes or no notes_url", name)
			}
		}
	}
	if tunnels != 7 {
		t.Errorf("%d tunnels", tunnels)
	}
}

// TestNagiosDeadGroup has one of DR's virtual datacentres dead, while the tunnel
// carries traffic.
func TestNagiosDeadGroup(t *testing.T) {
	t.Parallel()
	w := seven(t)
	env := calm(t, environment(t, w))
	dr := w.VPN(lab.DR, "production")
	n := newNagios(t, aMinute, production, quickly)
	n.start(t, dr.Near.Node, env)
	eventually(t, "all is up", patience, func() bool { return n.well(0) })
	if err := dr.Far.StopGroup("backend_dr"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the group is unreachable", patience, func() bool { return len(n.hard(unreachable)) == 1+5 })
	if got := n.hosts(down); !slices.Equal(got, []string{"backend_dr.dr-production"}) {
		t.Errorf("down: %v", got)
	}
	if err := dr.Far.StartGroup("backend_dr"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all is up again", patience, func() bool { return n.well(0) })
	want := []string{"monitoring-production;VPN production: live to disaster recovery;WARNING", "monitoring-production;VPN production: live to disaster recovery;OK"}
	if got := n.notifications("vpn-team"); !slices.Equal(got, want) {
		t.Errorf("notified: %v", got)
	}
}
