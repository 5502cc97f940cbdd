package icinga_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

// Who is told, in the names of Nagios.
const (
	mailed = "vpn-mail root@localhost"
	paged  = "vpn-pager root@localhost"
)

// TestNagios runs the files of the folder nagios in the real daemon, with what is
// made of check_vpn.ini.
func TestNagios(t *testing.T) {
	t.Parallel()
	t.Run("verifies", nagiosVerifies)
	w := seven(t)
	env := environment(t, w)
	file := strings.TrimPrefix(env[1], "MP_CONFIG_PATH=") + "/check_vpn.ini"
	// The laboratory has no way from the datacentre to the office.
	write(t, file, withoutSections(read(t, file), func(name string) bool { return strings.HasSuffix(name, "office-carrenza") }))
	calm(t, env)
	ini := read(t, file)
	t.Run("seven", func(t *testing.T) { nagiosSeven(t, w, env, ini) })
	t.Run("outages", func(t *testing.T) { nagiosOutages(t, w, env, ini) })
}

func nagiosVerifies(t *testing.T) {
	ini := read(t, "check_vpn.ini")
	if got := generated(t, "nagios", ini); got != read(t, "nagios/vpn-tunnels.cfg") {
		t.Error("nagios/vpn-tunnels.cfg is not what is printed: make samples")
	}
	bare, debian := newNagios(t, ini), newNagios(t, ini)
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
	broken := newNagios(t, ini, func(_, text string) string {
		return regexp.MustCompile(`(parents +)settled\.`).ReplaceAllString(text, "${1}set.")
	})
	if err := exec.Command(nagios4, "-v", broken.path("nagios.cfg")).Run(); err == nil {
		t.Error("a parent that does not exist is fine")
	}
	icinga1 := strings.Split(read(t, "nagios/icinga1.cfg.append"), "\n")
	for line := range strings.Lines(read(t, "nagios/nagios.cfg.append")) {
		key, value, set := strings.Cut(strings.TrimSpace(line), "=")
		known := !strings.HasPrefix(key, "host_down")
		if key = strings.TrimSpace(key); set && !strings.HasPrefix(key, "#") && key != "cfg_dir" && slices.Contains(icinga1, key+"="+value) != known {
			t.Errorf("icinga1.cfg.append and %s", key)
		}
	}
}

// nagiosSeven has the daemon check the tunnels: those of production itself, the
// others by NRPE where they begin, and replication from a standby.
func nagiosSeven(t *testing.T, w *lab.World, env []string, ini string) {
	here := w.VPN(lab.DR, "production").Near.Node
	standby := w.VPN(lab.DR, "production").Far.Gateway
	for address, v := range map[string]*lab.Node{
		"10.1.0.20":     w.VPN(lab.DR, "integration").Near.Node,
		"10.2.0.20":     w.VPN(lab.DR, "staging").Near.Node,
		"192.168.19.20": w.VPN(lab.Office, "").Near.Node,
		"10.3.11.13":    standby,
	} {
		startNRPE(t, v, "check_vpn.cfg", nrpePort, env)
		from := here
		if v == standby {
			from = standby
		}
		manage(t, from, v, address)
	}
	for key, value := range map[string]string{"check": "10s", "retry": "5s", "host-check": "15s", "host-retry": "5s", "settled": "10s"} {
		ini = withValue(ini, key, value)
	}
	n := newNagios(t, ini)
	n.start(t, here, env)
	// Each once: on a busy machine they need not all be well at the same time.
	seen := map[string]bool{}
	eventually(t, "all is well", patience, func() bool {
		all := n.status()
		for name, s := range all {
			if s["current_state"] == "0" && s["has_been_checked"] == "1" {
				seen[name] = true
			}
		}
		return len(all) > 0 && len(seen) == len(all)
	})
	checkObjects(t, n.objects())
	for address, want := range map[string]int{"fd00:3:11::6": 0, "fd00:3:11::7": 2} { // the second is nobody's
		got, err := here.Run(exec.Command("/usr/lib/nagios/plugins/check_host", "-H", address, "-n", "5", "-i", "200ms", "-t", "3"))
		if err != nil || got.Code != want {
			t.Errorf("vpn_ping %s: %v, %+v", address, err, got)
		}
	}
	n.cmd.Process.Signal(syscall.SIGTERM)
}

// checkObjects holds what the templates made of hosts and services against what
// the field asks for.
func checkObjects(t *testing.T, objects map[string]map[string]string) {
	t.Helper()
	description := regexp.MustCompile(`^(\w|\s|\-|/|\[|\]|:|\.)*$`)
	quiet := regexp.MustCompile(`^(dr|licensing)-(production|staging|integration)$|^settled[.:]`)
	counts := map[string]int{}
	for name, o := range objects {
		host, service, isService := strings.Cut(name, ";")
		command, _, _ := strings.Cut(o["check_command"], "!")
		told := o["notifications_enabled"] == "1"
		last := host
		if isService {
			last = service
			counts[command]++
		}
		switch {
		case quiet.MatchString(last) == told:
			t.Errorf("%s tells: %v", name, told)
		case !isService && strings.Contains(o["notification_options"], "u"):
			t.Errorf("%s notifies when it is unreachable", name)
		case !description.MatchString(last):
			t.Errorf("%s: a pager's filter would change that", name)
		case isService && told && (o["notes"] == "" || o["notes_url"] == ""):
			t.Errorf("%s: no notes or no notes_url", name)
		case o["notification_interval"] != "0.000000":
			t.Errorf("%s tells every %s", name, o["notification_interval"])
		}
	}
	want := map[string]int{
		"vpn": 2, "vpn_nrpe": 5 + 1, // that of the standby
		"vpn_mirror": 3, "vpn_mirror_host": 1, "vpn_resync": 3, "vpn_settled": 3, "vpn_tcp": 11,
	}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("services %v, want %v", counts, want)
	}
}

// stopped is a host that is stopped on purpose, for the whole test.
const stopped = "bouncer-4.dr-production"

// quickly shortens what a test cannot wait for. A mail is put into a file.
func quickly(_, text string) string {
	return strings.NewReplacer("0.084", "0.034", "0.25\n", "0.034\n", "/usr/bin/mail", "DIR/mail").Replace(text)
}

// ofProduction describes the tunnels that are asked at production, with short times.
func ofProduction(ini string) string {
	ini = withoutSections(ini, func(name string) bool {
		return name != "monitoring" && !strings.HasSuffix(name, "-production")
	})
	for key, value := range map[string]string{
		"check": "3s", "retry": "2s", "lasts": "2s", "host-check": "9s", "host-retry": "6s", "settled": "10s",
		"hours":  "always Europe/London",
		"resync": "postgresql 40s, mysql 3d\ndowntime = bouncer-4 always",
	} {
		ini = withValue(ini, key, value)
	}
	return ini
}

// nagiosOutages has the daemon see outages at production.
func nagiosOutages(t *testing.T, w *lab.World, env []string, ini string) {
	dr := w.VPN(lab.DR, "production")
	if err := dr.Far.StopMachine("bouncer-4"); err != nil {
		t.Fatal(err)
	}
	ini = ofProduction(ini)
	n := newNagios(t, ini, quickly)
	write(t, n.path("mail"), "#!/bin/sh\nprintf '%s\\n' \"$2 -> $3\" >>"+n.path("mails")+"\n")
	if err := os.Chmod(n.path("mail"), 0o755); err != nil {
		t.Fatal(err)
	}
	n.start(t, dr.Near.Node, env)
	eventually(t, "all is up", patience, n.well)
	n.tries(t, "tunnels", func() error { return cutTunnels(t, w, n, ini) })
	n.tries(t, "hosts", func() error { return stopHosts(t, dr, n) })
	n.tries(t, "near gateway", func() error { return stopNear(t, dr, n) })
	for _, m := range append(n.notifications(mailed), n.notifications(paged)...) {
		if strings.HasSuffix(m.name, stopped) {
			t.Errorf("a host that is stopped on purpose is told: %+v", m)
		}
	}
}

// tries plays a scene again where it went wrong: on a busy machine packets are
// late, and that is told too. A wrong configuration goes wrong each time.
func (n nagiosCore) tries(t *testing.T, name string, scene func() error) {
	t.Helper()
	began := time.Now()
	var err error
	for range 3 {
		if err = scene(); err == nil {
			t.Logf("%s: %.0f s", name, time.Since(began).Seconds())
			return
		}
		t.Logf("%s: %v", name, err)
		eventually(t, "all is up", patience, n.well)
	}
	t.Errorf("%s: %v", name, err)
}

const (
	serviceDR        = "monitoring-production;VPN production: live to disaster recovery"
	pageDR           = "monitoring-production;page: VPN production: live to disaster recovery"
	serviceLicensing = "monitoring-production;VPN production: live to Licensing"
	resyncDR         = "monitoring-production;replication over dr-production"
	nearGateway      = "live-gateway.monitoring-production"
	pageNear         = "monitoring-production;page: gateway live-gateway.monitoring-production"
)

// cutTunnels cuts the two tunnels of production in office hours, which end while
// they are down, and mends them: one at once, and one so that its hosts come back
// one after another.
func cutTunnels(t *testing.T, w *lab.World, n nagiosCore, ini string) error {
	dr, licensing := w.VPN(lab.DR, "production"), w.VPN(lab.Licensing, "production")
	hours, end := hoursUntil(30*time.Second, london(t))
	n.setHours(t, ini, hours)
	mail, page := len(n.notifications(mailed)), len(n.notifications(paged))
	for _, v := range []*lab.VPN{dr, licensing} {
		w.Internet.SetBoth(v.Near, v.Far, lab.Conditions{CutTunnels: true})
	}
	cut := time.Now()
	eventually(t, "the outage is told", patience, func() bool { return len(n.notifications(mailed)) >= mail+2 })
	t.Logf("from cut to a mail: %.1f s", time.Since(cut).Seconds())
	var wrong error
	if time.Now().After(end) {
		wrong = errors.New("hours were over before it was told")
	}
	eventually(t, "all behind is down", patience, func() bool {
		all := n.status()
		isUp := func(name string) bool { return all[name]["current_state"] == up }
		return !slices.ContainsFunc(n.behind(), isUp)
	})
	isDown := n.hosts(down)
	eventually(t, "it is paged, and a full copy is near", patience, func() bool { return len(n.notifications(paged)) >= page+2 })
	time.Sleep(5 * time.Second) // for a second page
	for _, m := range n.notifications(paged)[page:] {
		switch {
		case m.name == pageDR && m.at.Before(end): // in the office, mail is enough
			wrong = fmt.Errorf("paged at %v, and hours end at %v", m.at, end)
		case m.name == resyncDR && !regexp.MustCompile(`^CRITICAL: replication over dr-production needs a full resync: postgresql at \d\d:\d\d on \w{3} \d\d \w{3}$`).MatchString(m.output):
			wrong = fmt.Errorf("the clock says %s", m.output)
		}
	}
	mended := time.Now()
	if err := mend(w, dr, licensing); err != nil {
		return err
	}
	eventually(t, "all is up again", patience, n.well)
	t.Logf("from mended to all up: %.1f s", time.Since(mended).Seconds())
	if !slices.Equal(isDown, []string{"dr-production", "licensing-production"}) && !slices.Equal(isDown, []string{stopped, "dr-production", "licensing-production"}) {
		return fmt.Errorf("down: %v", isDown)
	}
	subject := regexp.MustCompile(`(?m)^CRITICAL: production DR VPN down.* -> root@localhost$`)
	if mails := read(t, n.path("mails")); !subject.MatchString(mails) {
		return fmt.Errorf("no page is line 1 alone: %s", mails)
	}
	// A check that begins in the outage and ends after it may see some hosts
	// answer and others not. Where it was CRITICAL, that is told.
	return errors.Join(wrong,
		n.told(mailed, mail, map[string]string{
			serviceDR:        `^CRITICAL (WARNING )?OK $`,
			serviceLicensing: `^WARNING OK $`,
			resyncDR:         `^CRITICAL OK $`,
		}),
		n.told(paged, page, map[string]string{pageDR: `^CRITICAL OK $`, resyncDR: `^CRITICAL OK $`}))
}

// setHours has the running daemon read other hours.
func (n nagiosCore) setHours(t *testing.T, ini, hours string) {
	t.Helper()
	n.make(t, withValue(ini, "hours", hours+" Europe/London"), quickly)
	before := len(n.log())
	if err := n.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the daemon has read its files again", patience, func() bool {
		lines := n.log()
		return slices.Contains(lines[min(before, len(lines)):], "LOG VERSION: 2.0") && len(n.status()) > 0
	})
}

// london has the clock that nagios.cfg.append sets.
func london(t *testing.T) *time.Location {
	t.Helper()
	location, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// behind are the hosts that lie behind the two tunnels.
func (n nagiosCore) behind() (names []string) {
	for name := range n.status() {
		if !strings.Contains(name, ";") && regexp.MustCompile(`\.(dr|licensing)-production$`).MatchString(name) {
			names = append(names, name)
		}
	}
	return names
}

// stopHosts has a host dead, and elsewhere a gate with all behind it, while the
// tunnel carries traffic.
func stopHosts(t *testing.T, dr *lab.VPN, n nagiosCore) error {
	mail, page := len(n.notifications(mailed)), len(n.notifications(paged))
	if err := errors.Join(dr.Far.StopMachine("api-mongo-4"), dr.Far.StopGroup("backend_dr")); err != nil {
		return err
	}
	eventually(t, "the group is unreachable, and it is told", patience, func() bool {
		return len(n.hosts(unreachable)) >= 1+7 && len(n.notifications(mailed)) >= mail+2
	})
	isDown := n.hosts(down)
	if err := errors.Join(dr.Far.StartMachine("api-mongo-4"), dr.Far.StartGroup("backend_dr")); err != nil {
		return err
	}
	eventually(t, "all is up again", patience, n.well)
	if want := []string{"api-mongo-4.dr-production", stopped, "vpn_gateway_backend_dr.dr-production"}; !slices.Equal(isDown, want) {
		return fmt.Errorf("down: %v", isDown)
	}
	return errors.Join(n.told(paged, page, nil), n.told(mailed, mail, map[string]string{
		"api-mongo-4.dr-production":            `^DOWN UP $`,
		"vpn_gateway_backend_dr.dr-production": `^DOWN UP $`,
	}))
}

// stopNear has the near gateway dead that both tunnels share, out of hours.
func stopNear(t *testing.T, dr *lab.VPN, n nagiosCore) error {
	mail, page := len(n.notifications(mailed)), len(n.notifications(paged))
	if err := dr.Near.StopInside(); err != nil {
		return err
	}
	eventually(t, "it is told, and the tunnels are known down", patience, func() bool {
		all := n.status()
		isPage := func(m message) bool { return m.name == pageNear }
		return slices.ContainsFunc(n.notifications(paged)[page:], isPage) &&
			all[serviceDR]["current_state"] != "0" && all[serviceLicensing]["current_state"] != "0"
	})
	time.Sleep(10 * time.Second) // for them to complain
	if err := dr.Near.StartInside(); err != nil {
		return err
	}
	eventually(t, "all is up again", patience, n.well)
	return errors.Join(
		n.told(mailed, mail, map[string]string{nearGateway: `^DOWN UP $`}, resyncDR),
		n.told(paged, page, map[string]string{pageNear: `^CRITICAL OK $`}, resyncDR))
}

// mend brings one tunnel back at once, and another so that the hosts behind it
// come back one after another.
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

// told holds what a contact was told after so many, against patterns of states;
// nothing else may have been told, but for what does not matter.
func (n nagiosCore) told(contact string, before int, want map[string]string, whatever ...string) error {
	got := map[string]string{}
	for _, m := range n.notifications(contact)[before:] {
		if !slices.Contains(whatever, m.name) {
			got[m.name] += m.state + " "
		}
	}
	for name, states := range got {
		if pattern, ok := want[name]; !ok || !regexp.MustCompile(pattern).MatchString(states) {
			return fmt.Errorf("%s told %s", name, states)
		}
	}
	if len(got) < len(want) {
		return fmt.Errorf("%s was told: %v", contact, got)
	}
	return nil
}

// well tells whether every host is up, but for the one that is stopped on purpose,
// and every service OK.
func (n nagiosCore) well() bool {
	all := n.status()
	for name, s := range all {
		if name != stopped && (s["current_state"] != "0" || s["has_been_checked"] != "1") {
			return false
		}
	}
	return len(all) > 0
}

// TestResync runs the command of the clock, as Nagios fills it in.
func TestResync(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`(?m)command_name +vpn_resync\n +command_line +(.*)$`).FindStringSubmatch(read(t, "nagios/vpn-commands.cfg"))
	if line == nil {
		t.Fatal("no command vpn_resync")
	}
	const late = "replication over dr needs a full resync: postgresql at 14:10 on Fri 27 Nov"
	for _, c := range []struct {
		host, service, own, lastOK string
		code                       int
		want                       string
	}{
		{"0", "0", "0", "1795713000", 0, "OK: the VPN dr is up"},
		{"0", "0", "2", "1795713000", 0, "OK: the VPN dr is up"},
		{"1", "2", "0", "1795713000", 2, "CRITICAL: " + late},
		{"2", "2", "2", "1795713000", 2, "CRITICAL: " + late},
		{"1", "3", "0", "1795713000", 0, "OK: " + late},       // nobody could ask: as it was
		{"1", "3", "2", "1795713000", 2, "CRITICAL: " + late}, // the same
		{"1", "2", "2", "0", 2, "CRITICAL: " + late},          // since Nagios was started
	} {
		filled := strings.NewReplacer("$USER1$", "/usr/lib/nagios/plugins", "$ARG1$", c.host, "$ARG2$", c.service, "$ARG3$", "dr", "$ARG4$", "postgresql",
			"$ARG5$", "75600", "$SERVICESTATEID$", c.own, "$LASTSERVICEOK$", c.lastOK, "$PROCESSSTARTTIME$", "1795713000", "$$", "$").Replace(line[1])
		cmd := exec.Command("/bin/sh", "-c", filled)
		cmd.Env = []string{"TZ=UTC", "LC_ALL=C"}
		out, _ := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); got != c.want || cmd.ProcessState.ExitCode() != c.code {
			t.Errorf("%+v: %d, %s", c, cmd.ProcessState.ExitCode(), got)
		}
	}
}
