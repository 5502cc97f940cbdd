package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// plugins is the folder of the plugins, built once.
var plugins string

func TestMain(m *testing.M) {
	code, err := withPlugins(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withPlugins(run func() int) (code int, err error) {
	if plugins, err = os.MkdirTemp("", "check-vpn-plugins-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(plugins)
	build := exec.Command("go", "build", "-o", plugins+"/", "../../check_vpn_office", "../../check_vpn_dr", "../../check_vpn_licensing")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return run(), nil
}

// TestSamples holds the samples against what is printed: make samples writes them.
func TestSamples(t *testing.T) {
	for form, sample := range map[string]string{
		"icinga": "vpn-tunnels.conf", "zones": "zones.conf", "nagios": "nagios/vpn-tunnels.cfg", "nrpe": "nrpe/check_vpn.cfg", "nrpe-short": "nrpe/check_vpn_short.cfg",
	} {
		var out, errs bytes.Buffer
		if code := run([]string{"-f", "../check_vpn.ini", "-p", plugins, form}, &out, &errs); code != 0 || errs.Len() > 0 {
			t.Errorf("%s: exit code %d\n%s", form, code, errs.String())
		}
		is, err := os.ReadFile(filepath.Join("..", sample))
		if err != nil || string(is) != out.String() {
			t.Errorf("%s is not what is printed: make samples (%v)", sample, err)
		}
	}
}

// company is a file that has everything.
const company = `[monitoring]
notify = net@example.org
pager = oncall@example.org
hours = Mon-Fri 09:00-17:00 Europe/Berlin
holidays = 2026-12-25
check = 2m

[host watch]
address = 10.1.0.20
asked = here

[host branch]
address = fd00:7::20
asked = nrpe

[paris]
near = router=10.1.0.1
peer = gw=203.0.113.5
far = core/core=10.7.0.1
far = db1/core=10.7.0.5
far = web/dmz=tcp://10.7.0.6:443
replication = db1.postgresql=tcp://10.7.0.5:5432

[monitoring paris]
plugin = dr
title = VPN to Paris
runs-on = watch
owner = Net team
pages = yes
resync = postgresql 21h
downtime = web Sat 19:00-03:00

[rome]
near = router=10.1.0.1
far = fd00:8::5

[monitoring rome]
plugin = licensing
runs-on = watch
notify = rome@example.org, net@example.org

[oslo]
far = 10.9.0.5

[monitoring oslo]
plugin = office
runs-on = branch
hours = never
hosts = no

[paris-standby]
far = primary=10.1.3.5

[monitoring paris-standby]
plugin = dr
runs-on = db1.paris
`

// try prints for Icinga what a text describes.
func try(t *testing.T, text string) (out string, mistakes []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "vpn.ini")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := run([]string{"-f", file, "-p", plugins, "icinga"}, &stdout, &stderr)
	if (code == 0) != (stderr.Len() == 0) || (code == 0) != (stdout.Len() > 0) {
		t.Errorf("exit code %d, %d bytes, and %s", code, stdout.Len(), stderr.String())
	}
	for line := range strings.Lines(stderr.String()) {
		text, found := strings.CutPrefix(strings.TrimSpace(line), file+": ")
		if !found {
			t.Errorf("the file is not named: %s", line)
		}
		mistakes = append(mistakes, text)
	}
	return stdout.String(), mistakes
}

// TestMistakes: each is told with its section and key, and nothing is printed.
func TestMistakes(t *testing.T) {
	if _, mistakes := try(t, company); mistakes != nil {
		t.Fatal(mistakes)
	}
	for _, test := range []struct{ old, new, want string }{
		{"pages = yes", "page = yes", "[monitoring paris]: unknown key page, did you mean pages"},
		{"pages = yes", "pages = yess", "[monitoring paris]: bad value yess for pages: want yes or no"},
		{"pages = yes", "pages", "[monitoring paris]: bad value (empty) for pages: want yes or no"},
		{"check = 2m", "chek = 2m", "[monitoring]: unknown key chek, did you mean check"},
		{"check = 2m", "check = 2", "[monitoring]: bad value 2 for check: want a whole number and a unit, for example 90s, 1m, 21h or 3d"},
		{"check = 2m", "check = 2m\ncheck = 3m", "[monitoring]: check stands twice"},
		{"plugin = dr", "plugin = dt", "[monitoring paris]: bad value dt for plugin: want one of office, dr, licensing"},
		{"plugin = dr\ntitle", "title", "[monitoring paris]: no key plugin: want office, dr or licensing"},
		{"runs-on = watch\nowner", "runs-on = wach\nowner", "[monitoring paris]: runs-on wach is neither a section [host wach] nor a host behind a tunnel, did you mean watch"},
		{"runs-on = watch\nowner", "run-on = watch\nowner", "[monitoring paris]: unknown key run-on, did you mean runs-on"},
		{"runs-on = watch\nowner", "owner", "[monitoring paris]: no key runs-on: the host from which the tunnel is asked"},
		{"runs-on = db1.paris", "runs-on = db2.paris", "[monitoring paris-standby]: runs-on db2.paris is neither a section [host db2.paris] nor a host behind a tunnel, did you mean db1.paris"},
		{"[monitoring rome]", "[monitoring rom]", "[monitoring rom]: there is no section [rom] with the options of its plugin, did you mean [monitoring rome]"},
		{"[monitoring rome]", "[monitorin rome]", "[monitorin rome]: want letters, digits, dots, dashes and underscores"},
		{"[monitoring rome]", "[monitoring paris]", "[monitoring paris] stands twice"},
		{"[rome]", "[roma]", "[monitoring rome]: there is no section [rome] with the options of its plugin, did you mean [monitoring roma]"},
		{"[rome]", "[paris]", "[paris] stands twice"},
		{"[rome]", "[rome", "a section is written [name]"},
		{"[host watch]", "[hst watch]", "[hst watch]: want letters, digits, dots, dashes and underscores"},
		{"[monitoring]\n", "[monitorin]\n", "[monitorin] is no section of a plugin, did you mean [monitoring]"},
		{"asked = here", "asked = her", "[host watch]: bad value her for asked: want one of here, endpoint, nrpe"},
		{"asked = here", "askd = here", "[host watch]: unknown key askd, did you mean asked"},
		{"address = 10.1.0.20", "adress = 10.1.0.20", "[host watch]: unknown key adress, did you mean address"},
		{"address = 10.1.0.20", "", "[host watch]: no key address"},
		{"far = db1/core=10.7.0.5", "fra = db1/core=10.7.0.5", "[paris]: bad value paris@"},
		{"far = db1/core=10.7.0.5", "far = db1/core=10.7.0.555", "[paris]: bad value db1/core=10.7.0.555 for -H, --far"},
		{"far = db1/core", "far = db1/cor", "[paris]: the group cor of db1 has no gate, did you mean core"},
		{"far = 10.9.0.5", "", "[oslo]: no target: name what is behind the tunnel"},
		{"tcp://10.7.0.5:5432", "tcp://10.7.0.55:5432", "[paris]: replication db1.postgresql is named after the host db1, and has another address"},
		{"[rome]\nnear = router=10.1.0.1", "[rome]\nnear = router=10.1.0.11", "[rome]: near router is 10.1.0.11, and in [paris] it is 10.1.0.1"},
		{"resync = postgresql 21h", "resync = postgresql 21", "[monitoring paris]: bad value postgresql 21 for resync: want WHAT and a duration, for example postgresql 21h"},
		{"downtime = web Sat", "downtime = weeb Sat", "[monitoring paris]: downtime of weeb: there is no such host behind it"},
		{"Sat 19:00-03:00", "Sta 19:00-03:00", "[monitoring paris]: bad value web Sta 19:00-03:00 for downtime: [Sta] is not a day or days"},
		{"Europe/Berlin", "Europe/Berln", "[monitoring]: bad value Mon-Fri 09:00-17:00 Europe/Berln for hours: Europe/Berln is not a time zone"},
		{"Mon-Fri 09:00", "Mon-Fry 09:00", "[monitoring]: bad value Mon-Fry 09:00-17:00 Europe/Berlin for hours: [Mon-Fry] is not a day or days"},
		{"2026-12-25", "2026-12-52", "[monitoring]: bad value 2026-12-52 for holidays: 2026-12-52 is not a date"},
		{"notify = rome@example.org", "notify = rome.example.org", "[monitoring rome]: bad value rome.example.org, net@example.org for notify: want addresses of mail"},
		{"pager = oncall@example.org\n", "", "[monitoring paris]: pages = yes, and there is no pager"},
		{"title = VPN to Paris", "title = VPN to 'Paris'", "[monitoring paris]: bad value VPN to 'Paris' for title: want letters"},
		{"[monitoring]\n", "x = 1\n[monitoring]\n", "line 1: x stands before the first section"},
		{"[monitoring oslo]", "[host oslo]", "[oslo] has no section [monitoring oslo]: nobody would watch it"},
	} {
		text := strings.Replace(company, test.old, test.new, 1)
		if text == company {
			t.Fatalf("nothing to change: %s", test.old)
		}
		_, mistakes := try(t, text)
		if !strings.Contains(strings.Join(mistakes, "\n"), test.want) {
			t.Errorf("%s -> %s: %q", test.old, test.new, mistakes)
		}
	}
}

// TestLetters leaves out a letter in the key and one in the value of each line. The
// mistake is told, or all is watched as before: the same tunnels, parents and
// hosts, and somebody is told.
func TestLetters(t *testing.T) {
	want := shape(t, company)
	lines := strings.Split(company, "\n")
	for n, line := range lines {
		for _, at := range []int{len(line) / 6, len(line) * 3 / 4} {
			if line == "" {
				continue
			}
			wrong := slices.Clone(lines)
			wrong[n] = line[:at] + line[at+1:]
			if got := shape(t, strings.Join(wrong, "\n")); got != "" && got != want {
				t.Errorf("%s: %s, want %s", wrong[n], got, want)
			}
		}
	}
}

// shape is what must not vanish: empty if a mistake is told.
func shape(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "vpn.ini")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := readSite(file, plugins)
	if err != nil {
		return ""
	}
	shape := fmt.Sprintf("%d gateways", len(s.gateways))
	for _, tunnel := range s.tunnels {
		gated, planned := 0, 0
		for _, h := range tunnel.hosts {
			if h.gate != nil {
				gated++
			}
			planned += len(h.downtime)
		}
		shape += fmt.Sprintf("; %s: shared gateway %t, %d hosts, %d behind gates, %d planned, told %d, pages %t, %d clocks",
			tunnel.plugin, tunnel.gateway != nil, len(tunnel.hosts), gated, planned, len(tunnel.notify), tunnel.pages, len(tunnel.resync))
	}
	return shape
}
