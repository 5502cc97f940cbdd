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

// TestNagios runs exactly the files of the folder nagios in the real daemon.
func TestNagios(t *testing.T) {
	t.Parallel()
	withOthers(t)
	t.Run("verifies", nagiosVerifies)
	w := seven(t)
	env := calm(t, environment(t, w))
	shipped := newNagios(t, aMinute, without(elsewhere), quickly, withServices)
	compared := newNagios(t, aMinute, without(elsewhere+`|settled\..*|.*_dr\..*|(?:dr|licensing)-production`), quickly, flat)
	for _, n := range []nagiosCore{shipped, compared} {
		n.start(t, w.VPN(lab.DR, "production").Near.Node, env)
	}
	t.Run("seven", func(t *testing.T) { nagiosSeven(t, w, env) })
	t.Run("outages", func(t *testing.T) { nagiosOutages(t, w, shipped, compared) })
}

func nagiosVerifies(t *testing.T) {
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
	broken := newNagios(t, time.Minute, func(_, text string) string { return strings.Replace(text, "parents    settled.", "parents    set.", 1) })
	if err := exec.Command(nagios4, "-v", broken.path("nagios.cfg")).Run(); err == nil {
		t.Error("a parent that does not exist is fine")
	}
}

// nagiosSeven has the daemon check the seven tunnels: those of production
// itself, the others by NRPE where they begin.
func nagiosSeven(t *testing.T, w *lab.World, env []string) {
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
	// Each once: on a busy machine they need not all be well at the same time.
	seen := map[string]bool{}
	eventually(t, "all is well", patience, func() bool {
		all := n.status()
		for name, s := range all {
			well := s["current_state"] == "0" && s["has_been_checked"] == "1"
			if well || strings.HasPrefix(name, "settled.") { // those are well after 90 seconds
				seen[name] = true
			}
		}
		return len(all) > 0 && len(seen) == len(all)
	})
	checkObjects(t, n.objects())
}

// checkObjects holds what the templates made of hosts and services against what
// the field asks for.
func checkObjects(t *testing.T, objects map[string]map[string]string) {
	t.Helper()
	description := regexp.MustCompile(`^(\w|\s|\-|/|\[|\]|:|\.)*$`)
	parent := regexp.MustCompile(`^(dr|licensing)-(production|staging|integration)$|_dr\.|^settled\.`)
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

// aMinute is how long a minute of the configuration lasts where there is an
// outage.
const aMinute = 3 * time.Second

// quickly shortens what the configuration says in seconds, or more slowly than
// a test can wait: a settled gateway, the patience with a machine, and its five
// minutes.
func quickly(file, text string) string {
	text = strings.ReplaceAll(text, "'>=' 90", "'>=' 7")
	text = strings.ReplaceAll(text, "-i 200ms -t 3", "-i 200ms -t 2")
	if file == "templates.cfg" {
		text = strings.ReplaceAll(text, "check_interval         5", "check_interval         1")
	}
	return text
}

// without leaves out hosts and services that are named so.
func without(names string) edit {
	block := regexp.MustCompile(`(?m)^define (?:host|service) \{\n(?:    .*\n)*\}\n`)
	name := regexp.MustCompile(`(?m)^    host_name +(` + names + `)$`)
	return func(_, text string) string {
		return block.ReplaceAllStringFunc(text, func(b string) string {
			if name.MatchString(b) {
				return ""
			}
			return b
		})
	}
}

// elsewhere is what NRPE asks at other machines.
const elsewhere = `\S*(?:staging|integration|office)`

// flat takes the parents away from the machines, for comparison.
func flat(file, text string) string {
	return regexp.MustCompile(`(?m)^ *parents .*\n`).ReplaceAllString(text, "")
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

// machines are those behind the two tunnels of production; behind are they, the
// gateways of groups, and the hosts that wait for gateways to settle.
const (
	machines = 12 + 9
	behind   = machines + 4 + 5
)

// nagiosOutages has the daemon see three outages at production, beside one that
// has the machines without parents.
func nagiosOutages(t *testing.T, w *lab.World, shipped, compared nagiosCore) {
	eventually(t, "all is up", patience, func() bool { return shipped.well() && compared.well() })
	shipped.tries(t, "tunnels", func() error { return cutTunnels(t, w, shipped) })
	if got := len(compared.notifications("vpn-team")); got < machines {
		t.Errorf("without parents only %d notifications", got)
	}
	compared.stop(t)
	shipped.tries(t, "group", func() error { return stopGroup(t, w, shipped) })
	if pages := shipped.notifications("vpn-pager"); len(pages) > 0 {
		t.Errorf("the pager rang: %v", pages)
	}
}

// tries plays a scene again where it went wrong: on a busy machine packets are
// late, and that is told too. A wrong configuration goes wrong each time.
func (n nagiosCore) tries(t *testing.T, name string, scene func() error) {
	t.Helper()
	var err error
	for range 3 {
		if err = scene(); err == nil {
			return
		}
		t.Logf("%s: %v", name, err)
		eventually(t, "all is up", patience, n.well)
	}
	t.Errorf("%s: %v", name, err)
}

// cutTunnels cuts the two tunnels of production and mends them: one at once, and
// one so that its machines come back one after another.
func cutTunnels(t *testing.T, w *lab.World, n nagiosCore) error {
	dr, licensing := w.VPN(lab.DR, "production"), w.VPN(lab.Licensing, "production")
	before := len(n.notifications("vpn-team"))
	for _, v := range []*lab.VPN{dr, licensing} {
		w.Internet.SetBoth(v.Near, v.Far, lab.Conditions{CutTunnels: true})
	}
	cut := time.Now()
	eventually(t, "the outage is told", patience, func() bool { return len(n.notifications("vpn-team")) >= before+2 })
	t.Logf("from cut to a hard problem: %.1f s, where a minute lasts %v", time.Since(cut).Seconds(), aMinute)
	eventually(t, "all behind is unreachable", patience, func() bool { return len(n.hard(unreachable)) == behind })
	isDown := n.hosts(down)
	mended := time.Now()
	if err := mend(w, dr, licensing); err != nil {
		return err
	}
	eventually(t, "all is up again", patience, n.well)
	t.Logf("from mended to all up: %.1f s", time.Since(mended).Seconds())
	if !slices.Equal(isDown, []string{"dr-production", "licensing-production"}) {
		return fmt.Errorf("down: %v", isDown)
	}
	// A check that begins in the outage and ends after it may see some machines
	// answer and others not. Where it was CRITICAL, that is told.
	return n.told(before, map[string]string{
		"VPN production: live to disaster recovery": `^CRITICAL (WARNING )?OK $`,
		"VPN production: live to Licensing":         `^WARNING OK $`,
	})
}

// stopGroup has one of DR's gateways and its machines dead, while the tunnel
// carries traffic.
func stopGroup(t *testing.T, w *lab.World, n nagiosCore) error {
	dr := w.VPN(lab.DR, "production")
	before := len(n.notifications("vpn-team"))
	if err := dr.Far.StopGroup("backend_dr"); err != nil {
		return err
	}
	eventually(t, "the group is unreachable", patience, func() bool { return len(n.hard(unreachable)) >= 1+5 })
	isDown := n.hosts(down)
	if err := dr.Far.StartGroup("backend_dr"); err != nil {
		return err
	}
	eventually(t, "all is up again", patience, n.well)
	if !slices.Equal(isDown, []string{"backend_dr.dr-production"}) {
		return fmt.Errorf("down: %v", isDown)
	}
	return n.told(before, map[string]string{"VPN production: live to disaster recovery": "^WARNING OK $"})
}

// mend brings one tunnel back at once, and another so that the machines behind
// it come back one after another.
func mend(w *lab.World, atOnce, slowly *lab.VPN) error {
	late := slowly.Far.Machines[1:]
	for _, m := range late {
		if err := slowly.Far.StopMachine(m.Name); err != nil {
			return err
		}
	}
	for _, v := range []*lab.VPN{atOnce, slowly} {
		w.Internet.SetBoth(v.Near, v.Far, lab.Conditions{})
	}
	for _, m := range late {
		time.Sleep(200 * time.Millisecond)
		if err := slowly.Far.StartMachine(m.Name); err != nil {
			return err
		}
	}
	return nil
}

// told holds what was notified after so many, of services at production's
// monitoring machine, against patterns of states; nothing else may have been.
func (n nagiosCore) told(before int, want map[string]string) error {
	got := map[string]string{}
	for _, what := range n.notifications("vpn-team")[before:] {
		name, state, _ := strings.Cut(strings.TrimPrefix(what, "monitoring-production;"), ";")
		got[name] += state + " "
	}
	for name, states := range got {
		if pattern, ok := want[name]; !ok || !regexp.MustCompile(pattern).MatchString(states) {
			return fmt.Errorf("%s notified %s", name, states)
		}
	}
	if len(got) < len(want) {
		return fmt.Errorf("notified: %v", got)
	}
	return nil
}

// well tells whether every host is up and every service OK.
func (n nagiosCore) well() bool {
	all := n.status()
	for _, s := range all {
		if s["current_state"] != "0" || s["has_been_checked"] != "1" {
			return false
		}
	}
	return len(all) > 0
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
