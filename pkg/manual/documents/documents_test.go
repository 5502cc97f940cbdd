// Package documents_test runs every command that the README and the man pages
// show, and holds the output that they show against what comes.
package documents_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"checkvpn/icinga"
	"checkvpn/pkg/lab"
)

const top = "../../../"

func TestMain(m *testing.M) { lab.Main(m.Run) }

// step is a command in a document, and the lines that it shows below.
type step struct {
	command string
	shown   []string
}

// prompt is what a command begins with in an indented block: a dollar, or the
// name of a plugin.
var prompt = regexp.MustCompile(`^( {4,})(?:\$ (.+)|((?:bin/)?check_(?:vpn_[a-z]+|nrpe) .+))$`)

// inline is a command within a sentence.
var inline = regexp.MustCompile("`((?:make|go|icinga2) [^`]+)`")

// steps are the commands of a document. What is shown of the output follows a
// command, with the same indent.
func steps(text string) (list []step) {
	var last *step
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		found := prompt.FindStringSubmatch(line)
		switch {
		case found != nil:
			list = append(list, step{command: found[2] + found[3]})
			last = &list[len(list)-1]
		case !strings.HasPrefix(line, "    "):
			last = nil
			for _, m := range inline.FindAllStringSubmatch(line, -1) {
				list = append(list, step{command: m[1]})
			}
		case last != nil && strings.HasSuffix(last.command, `\`):
			last.command = strings.TrimSuffix(last.command, `\`) + strings.TrimSpace(line)
		case last != nil:
			last.shown = append(last.shown, strings.TrimSpace(line))
		}
	}
	return list
}

// elsewhere are commands that other tests run: where, and the words there.
var elsewhere = map[string][2]string{
	"make test":                              {".ci/run", "make test"},
	"make demo":                              {"pkg/lab/scenario/scenario_test.go", `options{show: true`},
	"make verdicts":                          {"pkg/lab/scenario/scenario_test.go", `chosen("verdicts", "faults")`},
	"make faults":                            {"pkg/lab/scenario/scenario_test.go", `chosen("verdicts", "faults")`},
	"make record":                            {"pkg/lab/scenario/main.go", `"record", "", "folder`},
	"make quick":                             {"Makefile", "quick: ##"},
	"make build":                             {"Makefile", "test: tools build"},
	"make deb rpm":                           {".package/packages_test.go", `maker("deb", "rpm"`},
	"make install":                           {".package/package_test.go", `maker("install"`},
	"make vuln":                              {"Makefile", "vuln: ##"}, // it needs https://vuln.go.dev
	"sudo dpkg -i bin/check-vpn_*_amd64.deb": {".package/package_test.go", `m.dpkg("-i", first)`},
	"sudo setcap cap_net_raw+ep check_vpn_dr":                       {".package/package_test.go", `"setcap", "cap_net_raw+ep", plugins+"check_vpn_dr"`},
	"check_nrpe -H monitoring-1 -c check_vpn_dr_production -t 15:3": {".package/package_test.go", `plugins+"check_nrpe"`},
	"icinga2 daemon -C":                    {"icinga/icinga2_test.go", `"daemon", "-C"`},
	"go test -run TestOutages -v ./icinga": {"icinga/outage_test.go", "func TestOutages("},
}

// instead are commands that take long, and what does the same in little time.
var instead = map[string]string{
	"make odds":         "make odds ODDS=0.001",
	"make false-alarms": "make build >/dev/null && go run ./pkg/lab/bench -false-alarms 5",
	"make bench":        "go run ./pkg/lab/bench -runs 1 -only 100",
}

// world is the seven tunnels, and the plugins to ask about them.
type world struct {
	*lab.World
	t   *testing.T
	dir string // with the plugins, the file of options and what else is named
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(top + name)
	must(t, err)
	return string(text)
}

// shell runs a command at the top of the project, outside the laboratory.
func shell(t *testing.T, command string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
}

func raise(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	must(t, os.Chmod(w.dir, 0o755))
	shell(t, "make build pages BIN="+w.dir+"/bin PAGES="+w.dir+"/write")
	var err error
	w.World, err = icinga.SevenTunnels()
	must(t, err)
	t.Cleanup(func() { w.Close() })
	for name, text := range map[string]string{
		"check_vpn.ini":      readFile(t, "icinga/check_vpn.ini"),
		"bank-holidays.json": `{"england-and-wales":{"division":"england-and-wales","events":[{"title":"New Year","date":"2999-01-01"}]}}`,
		"authority.pem":      string(w.Internet.CA()),
	} {
		must(t, os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600))
	}
	return w
}

// near is the site where a command belongs: that of the tunnel and of the
// environment that it names, or else of production.
func (w *world) near(command string) *lab.Site {
	if strings.Contains(command, "office") {
		return w.VPN(lab.Office, "").Near
	}
	for _, environment := range []string{"integration", "staging"} {
		if strings.Contains(command, environment) {
			return w.VPN(lab.DR, environment).Near
		}
	}
	return w.VPN(lab.DR, "production").Near
}

// run runs a command as a person there does, from the top of the project.
func (w *world) run(command string) lab.Result {
	w.t.Helper()
	command = strings.NewReplacer("/etc/check-vpn/", w.dir+"/", "/tmp/", w.dir+"/").Replace(command)
	command = strings.ReplaceAll(command, "bin/check_vpn", "check_vpn")
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir = top
	cmd.Env = []string{
		"PATH=" + w.dir + "/bin:/usr/lib/nagios/plugins:/usr/sbin:/usr/bin:/sbin:/bin",
		"MP_CONFIG_PATH=" + w.dir, "SSL_CERT_FILE=" + w.dir + "/authority.pem", "LC_ALL=C", "TERM=dumb",
	}
	r, err := w.near(command).Run(cmd)
	must(w.t, err)
	return r
}

var (
	number = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)
	blanks = regexp.MustCompile(` +`)
)

// form is a line without what differs from run to run.
func form(line string) string {
	return strings.TrimSpace(blanks.ReplaceAllString(number.ReplaceAllString(line, "N"), " "))
}

// compare wants each line that is shown among those that came, in order, and
// gives the first that is missing. Dots stand for any lines, and at the end of a
// line for the rest of it.
func compare(shown []string, out string) (missing string) {
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	for _, line := range shown {
		if line == "..." {
			continue
		}
		want, open := strings.CutSuffix(form(line), "...")
		at := slices.IndexFunc(lines, func(got string) bool {
			return form(got) == want || open && strings.HasPrefix(form(got), want)
		})
		if at < 0 {
			return line
		}
		lines = lines[at+1:]
	}
	return ""
}

// until runs a command until its result is right. A machine that has much else
// to do delays packets beyond the limits, and that is not what is tested here.
func (w *world) until(command string, right func(lab.Result) bool) (r lab.Result, is bool) {
	w.t.Helper()
	for range 8 {
		if r = w.run(command); right(r) {
			return r, true
		}
		time.Sleep(2 * time.Second)
	}
	return r, false
}

// TestCommands raises the world once for all documents.
func TestCommands(t *testing.T) {
	w := raise(t)
	for name, test := range map[string]func(*testing.T, *world){
		"README": testREADME, "metrics": testMetrics, "man pages": testManPages, "explain": testExplainSendsNothing,
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			test(t, w)
		})
	}
}

func testREADME(t *testing.T, w *world) {
	list := steps(readFile(t, "README.md"))
	if len(list) < 15 {
		t.Fatalf("only %d commands found", len(list))
	}
	for _, s := range list {
		t.Logf("$ %s", s.command)
		if where, found := elsewhere[s.command]; found {
			if !strings.Contains(readFile(t, where[0]), where[1]) {
				t.Errorf("%s does not run %s", where[0], where[1])
			}
			continue
		}
		if strings.HasPrefix(s.command, "make ") || strings.HasPrefix(s.command, "go ") {
			shell(t, cmp.Or(instead[s.command], s.command))
			continue
		}
		missing := ""
		r, right := w.until(s.command, func(r lab.Result) bool {
			missing = compare(s.shown, r.Stdout+r.Stderr)
			return missing == ""
		})
		if !right {
			t.Errorf("%s\nshows     %s\nbut says  %s%s", s.command, missing, r.Stdout, r.Stderr)
		}
	}
}

// testManPages runs the examples of the pages, where the tunnels are well. The
// other commands that the pages show are run elsewhere.
func testManPages(t *testing.T, w *world) {
	for _, program := range []string{"check_vpn_office", "check_vpn_dr", "check_vpn_licensing"} {
		out, err := exec.Command(filepath.Join(w.dir, "write", program), "man").Output()
		must(t, err)
		page := strings.NewReplacer(`\-`, "-", `\(aq`, "'", `\e`, `\`).Replace(string(out))
		if !strings.Contains(page, "setcap cap_net_raw+ep "+program) {
			t.Errorf("%s: no setcap", program)
		}
		examples := regexp.MustCompile(`(?s)\.RS\n(.*?)\n\.RE`).FindAllStringSubmatch(page, -1)
		if len(examples) < 3 {
			t.Errorf("%s: only %d examples", program, len(examples))
		}
		for _, e := range examples {
			want, state := 0, "up"
			if strings.Contains(e[1], "--explain") {
				want, state = 3, "nothing was sent"
			}
			r, right := w.until(e[1], func(r lab.Result) bool {
				return r.Code == want && strings.Contains(r.Stdout, state) && r.Stderr == ""
			})
			if !right {
				t.Errorf("%s: exit code %d, want %d\n%s%s", e[1], r.Code, want, r.Stdout, r.Stderr)
			}
		}
	}
}

// sent counts what this machine has asked of others: echo requests, datagrams
// and connections, but not what IPv6 says by itself to its neighbours.
const sent = `sent() { grep -E '^(Icmp|Udp|Tcp):' /proc/net/snmp; grep -E 'Icmp6OutEchos|Udp6OutDatagrams' /proc/net/snmp6; }; `

func testExplainSendsNothing(t *testing.T, w *world) {
	for _, command := range []string{
		"check_vpn_office --extra-opts=office",
		"check_vpn_dr -H mongo-4.backend.publishing.service.gov.uk -H 10.3.11.6 --peer ike://203.0.113.13 --near tcp://10.3.0.1:22 --mtu 1400 --via eth0",
		"check_vpn_dr -H fd00:3:11::6",
	} {
		for explain, want := range map[string]string{"--explain": "", "": "sent\n"} {
			r := w.run(sent + `before=$(sent); ` + command + ` ` + explain + ` >/dev/null; test "$before" = "$(sent)" || echo sent`)
			if r.Stdout != want || r.Stderr != "" {
				t.Errorf("%s %s: got %q, want %q; %s", command, explain, r.Stdout, want, r.Stderr)
			}
		}
	}
}
