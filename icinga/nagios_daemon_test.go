package icinga_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

const nagios4 = "/usr/sbin/nagios4"

// nagiosCore is a folder with all that Nagios Core needs: the files of this
// project in etc, what is made of a description of tunnels, and as little as
// possible around them.
type nagiosCore struct {
	dir string
	cmd *exec.Cmd
}

// edit changes the text of a file of the configuration, by its name. DIR is the
// folder.
type edit func(file, text string) string

// newNagios writes the configuration of the tunnels that the text describes.
func newNagios(t *testing.T, ini string, edits ...edit) nagiosCore {
	t.Helper()
	n := nagiosCore{dir: folder(t)}
	for _, sub := range []string{"etc", "plugins", "results"} {
		if err := os.Mkdir(n.path(sub), 0o755); err != nil {
			t.Fatal(err)
		}
		own(t, n.path(sub))
	}
	n.make(t, ini, edits...)
	ours := strings.ReplaceAll(read(t, "nagios/nagios.cfg.append"), "cfg_dir=/etc/nagios4/check-vpn", "cfg_dir="+n.path("etc"))
	// An outage a minute is flapping, and would be muted.
	write(t, n.path("nagios.cfg"), strings.ReplaceAll(surroundings, "DIR", n.dir)+ours+"enable_flap_detection=0\n")
	write(t, n.path("resource.cfg"), "$USER1$="+n.path("plugins")+"\n")
	n.link(t, files(t, plugins+"/*"))
	n.link(t, files(t, "/usr/lib/nagios/plugins/*"))
	n.cmd = exec.Command(nagios4, n.path("nagios.cfg"))
	return n
}

// make writes the objects.
func (n nagiosCore) make(t *testing.T, ini string, edits ...edit) {
	t.Helper()
	texts := map[string]string{"vpn-tunnels.cfg": generated(t, "nagios", ini)}
	for _, file := range files(t, "nagios/*.cfg") {
		if name := filepath.Base(file); name != "vpn-tunnels.cfg" {
			texts[name] = read(t, file)
		}
	}
	for name, text := range texts {
		for _, e := range edits {
			text = strings.ReplaceAll(e(name, text), "DIR", n.dir)
		}
		write(t, n.path("etc", name), text)
	}
}

// generated is what the generator prints of a description.
func generated(t *testing.T, form, ini string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "check_vpn.ini")
	if err := os.WriteFile(file, []byte(ini), 0o644); err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd := exec.Command(filepath.Join(plugins, "generate"), "-f", file, form)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	return string(out)
}

// withoutSections leaves sections out of a description, or all but them.
func withoutSections(text string, match func(name string) bool) string {
	var kept strings.Builder
	keep := true
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "["); ok {
			keep = !match(strings.TrimSuffix(name, "]"))
		}
		if keep {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// withValue sets a key wherever it stands, or only where it has a value.
func withValue(text, key, value string) string {
	return regexp.MustCompile(`(?m)^`+key+` = .*$`).ReplaceAllString(text, key+" = "+value)
}

// surroundings is what a site has beside the files of this project. Debian's
// values, but for the paths and for those that count in seconds and would be
// long for a short minute.
const surroundings = `log_file=DIR/nagios.log
resource_file=DIR/resource.cfg
object_cache_file=DIR/objects.cache
precached_object_file=DIR/objects.precache
status_file=DIR/status.dat
status_update_interval=1
check_external_commands=0
command_file=DIR/nagios.cmd
query_socket=DIR/nagios.qh
lock_file=DIR/nagios.pid
temp_file=DIR/nagios.tmp
temp_path=DIR
log_archive_path=DIR
check_result_path=DIR/results
state_retention_file=DIR/retention.dat
check_for_updates=0
host_inter_check_delay_method=0.2
service_inter_check_delay_method=0.2
cached_host_check_horizon=0
cached_service_check_horizon=0
illegal_macro_output_chars=` + "`~$&|'\"<>\n"

func (n nagiosCore) path(of ...string) string {
	return filepath.Join(append([]string{n.dir}, of...)...)
}

func (n nagiosCore) link(t *testing.T, files []string) {
	t.Helper()
	for _, file := range files {
		if err := os.Symlink(file, n.path("plugins", filepath.Base(file))); err != nil {
			t.Fatal(err)
		}
	}
}

// files are those that match, and there must be some.
func files(t *testing.T, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(pattern)
	if err != nil || len(list) == 0 {
		t.Fatalf("no file %s: %v", pattern, err)
	}
	return list
}

// patience is how long a busy machine may take for what takes seconds.
const patience = 3 * time.Minute

// calm changes the environment's file of tunnels: a busy machine is no degraded
// tunnel, and shall not be made busier.
func calm(t *testing.T, env []string) []string {
	t.Helper()
	for _, variable := range env {
		if dir, ok := strings.CutPrefix(variable, "MP_CONFIG_PATH="); ok {
			file := filepath.Join(dir, "check_vpn.ini")
			text := regexp.MustCompile(`(?m)^\[[^ \]]*\]$`).ReplaceAllStringFunc(read(t, file), func(section string) string {
				if section == "[monitoring]" {
					return section
				}
				return section + "\nwarning = 1900,99%\ncritical = 2000,100%\ntimeout = 20"
			})
			write(t, file, strings.ReplaceAll(text, "https://www.", "http://www.")) // no handshakes in between
		}
	}
	return env
}

// start runs the daemon at a node until the test ends.
func (n nagiosCore) start(t *testing.T, node *lab.Node, env []string) {
	t.Helper()
	who, err := monitor()
	if err != nil {
		t.Fatal(err)
	}
	n.cmd.Env = env
	daemon(t, node, who, n.cmd)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(strings.Join(n.log(), "\n"))
		}
	})
}

// log is the daemon's own log, without its times.
func (n nagiosCore) log() (lines []string) {
	text, _ := os.ReadFile(n.path("nagios.log"))
	for line := range strings.Lines(string(text)) {
		_, said, _ := strings.Cut(strings.TrimSpace(line), "] ")
		lines = append(lines, said)
	}
	return lines
}

// message is a notification of the log.
type message struct {
	at                   time.Time
	name, state, command string // name is host or host;service
	output               string
}

// notifications are those to a contact.
func (n nagiosCore) notifications(contact string) (list []message) {
	text, _ := os.ReadFile(n.path("nagios.log"))
	line := regexp.MustCompile(`(?m)^\[(\d+)\] (HOST|SERVICE) NOTIFICATION: ` + regexp.QuoteMeta(contact) + `;(.*)$`)
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		seconds, _ := strconv.ParseInt(m[1], 10, 64)
		fields := strings.Split(m[3], ";")
		if m[2] == "SERVICE" {
			fields = append([]string{fields[0] + ";" + fields[1]}, fields[2:]...)
		}
		list = append(list, message{time.Unix(seconds, 0), fields[0], fields[1], fields[2], fields[3]})
	}
	return list
}

// status is what the daemon holds of its hosts and services: a block of values
// each, by host or by host and service.
func (n nagiosCore) status() map[string]map[string]string {
	return blocks(n.path("status.dat"), "=", "hoststatus", "servicestatus")
}

// objects are the hosts and services with all that templates gave them.
func (n nagiosCore) objects() map[string]map[string]string {
	return blocks(n.path("objects.cache"), "\t", "define host", "define service")
}

// blocks reads the files that Nagios writes.
func blocks(file, separator string, kinds ...string) map[string]map[string]string {
	text, _ := os.ReadFile(file)
	all := map[string]map[string]string{}
	var block map[string]string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if kind, ok := strings.CutSuffix(line, " {"); ok {
			block = nil
			if slices.Contains(kinds, kind) {
				block = map[string]string{}
			}
			continue
		}
		if line == "}" && block != nil {
			name := block["host_name"]
			if service := block["service_description"]; service != "" {
				name += ";" + service
			}
			all[name], block = block, nil
		}
		if key, value, ok := strings.Cut(line, separator); ok && block != nil {
			block[key] = value
		}
	}
	return all
}

// States of a host, as status.dat has them.
const (
	up          = "0"
	down        = "1"
	unreachable = "2"
)

// hosts counts the hosts in a state.
func (n nagiosCore) hosts(state string) (names []string) {
	for name, s := range n.status() {
		if !strings.Contains(name, ";") && s["current_state"] == state && s["has_been_checked"] == "1" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
