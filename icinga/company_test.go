package icinga_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

// company is five VPNs that are not those of GOV.UK: by IPv6, of one host, without
// a peer, with hours of its own, and one that NRPE asks.
const company = `[monitoring]
notify = net@example.org
pager = oncall@example.org
pages = yes
hours = never
check = 4s
retry = 2s
lasts = 4s
host-check = 15s
host-retry = 6s
settled = 15s

[host watch]
address = 10.1.0.20
asked = here

[host branch]
address = 10.1.0.99
asked = nrpe

[lyon]
far = host6=fd00:6::10

[monitoring lyon]
plugin = dr
runs-on = watch
title = VPN to Lyon

[one]
far = tcp://10.6.0.10:5432
warning = 1500,80%
critical = 1500,90%

[monitoring one]
plugin = licensing
runs-on = watch

[hq]
peer = gw=198.51.100.6
far = 10.6.0.10
office-hours = Sat 10:00-12:00
timezone = Europe/Paris

[monitoring hq]
plugin = office
runs-on = watch
hosts = no
pages = no

[dr]
far = gate/a=10.6.0.254
far = db/a=10.6.0.10
replication = db.postgresql=tcp://10.6.0.10:5432

[monitoring dr]
plugin = dr
runs-on = watch
pages = no
resync = postgresql 2d

[oslo]
far = 10.9.0.1

[monitoring oslo]
plugin = dr
runs-on = branch
`

// TestCompany follows the README from nothing, for another company: the file is
// edited, and both ways into Icinga are taken beside Debian's own configuration.
// Then a tunnel is cut, and mail is read as it was sent.
func TestCompany(t *testing.T) {
	t.Parallel()
	i, err := lab.NewInternet()
	must(t, err)
	t.Cleanup(func() { i.Close() })
	near, err := i.AddSite(lab.SiteConfig{
		Name: "near", Public: lab.Addrs("192.0.2.1"), Networks: lab.Prefixes("10.1.0.0/24", "fd00:1::/64"),
		GatewayAddrs: lab.Addrs("10.1.0.1", "fd00:1::1"), HostAddrs: lab.Addrs("10.1.0.20", "fd00:1::20"), HostPublic: lab.Addrs("192.0.2.20"),
	})
	must(t, err)
	far, err := i.AddSite(lab.SiteConfig{
		Name: "far", Public: lab.Addrs("198.51.100.6"), Networks: lab.Prefixes("10.6.0.0/24", "fd00:6::/64"),
		GatewayAddrs: lab.Addrs("10.6.0.254", "fd00:6::fe"),
		Machines:     []lab.Machine{{Name: "db", Addrs: lab.Addrs("10.6.0.10", "fd00:6::10"), TCP: []uint16{5432}}},
	})
	must(t, err)
	_, err = lab.WireGuard.Raise(i, near, far)
	must(t, err)

	n := newIcinga2(t, "readme", near.Node, 5665, nil)
	write(t, n.path("check_vpn.ini"), company)
	for _, dir := range []string{"etc/conf.d", "etc/conf.d/vpn", "etc/scripts", "bin"} {
		must(t, os.Mkdir(n.path(dir), 0o755))
		own(t, n.path(dir))
	}
	stock, _ := filepath.Glob("/etc/icinga2/conf.d/*.conf")
	if len(stock) < 5 {
		t.Fatalf("the distribution has only %q", stock)
	}
	for _, file := range stock {
		write(t, n.path("etc/conf.d", filepath.Base(file)), read(t, file))
	}
	for _, file := range files(t, "/etc/icinga2/scripts/*") {
		write(t, n.path("etc/scripts", filepath.Base(file)), read(t, file))
		must(t, os.Chmod(n.path("etc/scripts", filepath.Base(file)), 0o755))
	}
	// Mail is kept: the arguments, and the text below them.
	write(t, n.path("bin/mail"), fmt.Sprintf("#!/bin/sh\nfile=$(mktemp %s/mail.XXXXXX)\n{ printf '%%s\\n' \"$@\"; cat; } >$file.part && mv $file.part $file.sent\n", n.dir))
	must(t, os.Chmod(n.path("bin/mail"), 0o755))

	vpn := map[string]string{"vpn-tunnels.conf": generate(t, n.path("check_vpn.ini")), "services.conf": shownService(t)}
	for _, file := range shipped(t, "vpn-tunnels.conf") {
		vpn[file] = strings.ReplaceAll(read(t, file), "/usr/bin/mail", n.path("bin/mail"))
	}
	vpn["services.conf"] = strings.ReplaceAll(vpn["services.conf"], "dr-production", "dr")
	for file, text := range vpn {
		write(t, n.path("etc/conf.d/vpn", file), text+"\n")
	}
	n.configure(t, n.bare(pluginDir(t))+n.alone()+fmt.Sprintf("include_recursive %q\n", n.path("etc/conf.d")))
	if said, err := n.validate(t); err != nil || strings.Contains(said, "warning/") && !onlyStock(said) {
		t.Fatalf("%v\n%s", err, said)
	}
	n.start(t, []string{"PATH=" + n.path("bin") + ":/usr/bin:/bin", "MP_CONFIG_PATH=" + n.dir, "TZ=Europe/London"})
	for _, name := range []string{"watch!VPN lyon", "watch!VPN one", "watch!VPN hq", "watch!VPN dr", "readme!vpn-dr", "db.dr!postgresql replication to db.dr", "host6.lyon!ping6"} {
		eventually(t, name+" is OK", limit, func() bool { return n.object(t, "services", name).hard(0) })
	}
	for _, name := range []string{"host6.lyon", "10.6.0.10.one", "gate.dr"} {
		eventually(t, name+" is up", limit, func() bool { return n.object(t, "hosts", name).hard(0) })
	}
	for _, name := range []string{"watch!ping4", "readme!ping4", "readme!load"} {
		n.object(t, "services", name) // a stock check that is gone ends the test
	}
	for _, parent := range []string{"lyon", "one", "dr"} {
		eventually(t, parent+" has settled", limit, func() bool { return n.object(t, "services", parent+"!settled").hard(0) })
	}

	before := len(sent(t, n, ""))
	i.SetBoth(near, far, lab.Conditions{CutTunnels: true})
	mailed := func() []string { return sent(t, n, "VPN to Lyon|lyon") }
	paged := func() []string { return sent(t, n, "oncall@example.org") }
	eventually(t, "mail and a page", limit, func() bool { return len(mailed()) > 0 && len(paged()) > 0 })
	time.Sleep(20 * time.Second)
	if got := mailed(); len(got) != 1 || !strings.Contains(got[0], "CRITICAL: DR VPN down: host host6 does not answer") {
		t.Errorf("%d mails of lyon, before all %d: %q", len(got), before, got)
	}
	// The page of lyon is line 1 alone: licensing without a public way pages too.
	page := regexp.MustCompile(`^-s\nCRITICAL: [^\n|]*\noncall@example\.org\n$`)
	for _, got := range paged() {
		if !page.MatchString(got) {
			t.Errorf("paged %q", got)
		}
	}
	if got := paged(); len(got) != 2 {
		t.Errorf("%d pages: %q", len(got), got)
	}
}

// onlyStock tells whether all warnings are of the distribution's own rules.
func onlyStock(said string) bool {
	for line := range strings.Lines(said) {
		if strings.Contains(line, "warning/") && strings.Contains(line, "/vpn/") {
			return false
		}
	}
	return true
}

// sent is the mail that matches, as arguments and text.
func sent(t *testing.T, n *icinga2, pattern string) (list []string) {
	t.Helper()
	all, err := filepath.Glob(n.path("mail.*.sent"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		if text := read(t, file); regexp.MustCompile(pattern).MatchString(text) {
			list = append(list, text)
		}
	}
	return list
}

// shownService is the one check of the README.
func shownService(t *testing.T) string {
	t.Helper()
	text := read(t, "../README.md")
	shown := regexp.MustCompile(`(?s)\n    (object Service .*?\n    \})\n`).FindStringSubmatch(text)
	if shown == nil || !strings.Contains(text, "/etc/icinga2/conf.d/vpn") {
		t.Fatal("the README shows no service, or no folder for it")
	}
	return shown[1]
}
