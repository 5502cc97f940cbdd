package icinga_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

// icinga2 is an instance of Icinga 2 with folders of its own, at a node.
type icinga2 struct {
	name   string // of the node in the cluster
	dir    string
	node   *lab.Node
	port   int // of the API
	client *http.Client
}

// icinga2Program is where Debian has it: not the script of that name, which
// wants to be root.
func icinga2Program(t *testing.T) string {
	t.Helper()
	list, err := filepath.Glob("/usr/lib/*/icinga2/sbin/icinga2")
	if err != nil || len(list) != 1 {
		t.Fatalf("no Icinga 2 for %s: %v", runtime.GOARCH, err)
	}
	return list[0]
}

// newIcinga2 lays out the folders of an instance, and its certificate by the
// authority of another, or by one of its own.
func newIcinga2(t *testing.T, name string, node *lab.Node, port int, authority *icinga2) *icinga2 {
	t.Helper()
	n := &icinga2{name: name, dir: folder(t), node: node, port: port}
	for _, sub := range []string{"etc", "etc/zones.d", "lib", "lib/certs", "lib/ca", "lib/api", "lib/api/zones", "lib/api/packages", "lib/api/log",
		"log", "log/crash", "cache", "spool", "spool/perfdata", "spool/tmp", "run"} {
		if err := os.Mkdir(n.path(sub), 0o755); err != nil {
			t.Fatal(err)
		}
		own(t, n.path(sub))
	}
	if authority == nil {
		authority = n
		n.mustRun(t, "pki", "new-ca")
	}
	key, csr, crt := n.path("lib/certs", name+".key"), n.path("lib/certs", name+".csr"), n.path("lib/certs", name+".crt")
	n.mustRun(t, "pki", "new-cert", "--cn", name, "--key", key, "--csr", csr)
	authority.mustRun(t, "pki", "sign-csr", "--csr", csr, "--cert", crt)
	write(t, n.path("lib/certs/ca.crt"), read(t, authority.path("lib/ca/ca.crt")))

	n.client = &http.Client{Transport: &http.Transport{
		DialContext:     node.Dial,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // what it speaks is tested, not its certificate
	}}
	return n
}

func (n *icinga2) path(of ...string) string {
	return filepath.Join(append([]string{n.dir}, of...)...)
}

// command is Icinga 2 with this instance's folders.
func (n *icinga2) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	who, err := monitor()
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"ConfigDir": "etc", "ZonesDir": "etc/zones.d", "DataDir": "lib", "LogDir": "log", "CacheDir": "cache", "SpoolDir": "spool",
		"InitRunDir": "run", "PidPath": "run/icinga2.pid",
	} {
		args = append(args, "-D", "Configuration."+key+"="+n.path(value))
	}
	args = append(args, "-D", "Configuration.RunAsUser=nagios", "-D", "Configuration.RunAsGroup=nagios")
	cmd := exec.Command(icinga2Program(t), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	return cmd
}

func (n *icinga2) mustRun(t *testing.T, args ...string) {
	t.Helper()
	if out, err := n.command(t, args...).CombinedOutput(); err != nil {
		t.Fatalf("icinga2 %s: %v\n%s", args[0], err, out)
	}
}

// bare is what an instance has before the files of this folder: as little as
// possible.
func (n *icinga2) bare(pluginDir string) string {
	return fmt.Sprintf(`include <itl>
include <plugins>
const PluginDir = "%s"
const NodeName = "%s"
const ZoneName = NodeName
`, pluginDir, n.name)
}

// api is the configuration of the API, for this test and for the cluster.
func (n *icinga2) api() string {
	return fmt.Sprintf(`
object FileLogger "main" { severity = "information", path = LogDir + "/icinga2.log" }
object CheckerComponent "checker" { }
object NotificationComponent "notification" { }
object ApiListener "api" { bind_host = "0.0.0.0", bind_port = %d, accept_commands = true, accept_config = true }
object ApiUser "test" { password = "test", permissions = [ "*" ] }
`, n.port)
}

// alone is what an instance needs for its API where there is no zones.conf.
func (n *icinga2) alone() string {
	return n.api() + `
object Endpoint NodeName { }
object Zone ZoneName { endpoints = [ NodeName ] }
`
}

// configure writes icinga2.conf.
func (n *icinga2) configure(t *testing.T, text string) { write(t, n.path("etc/icinga2.conf"), text) }

// validate runs icinga2 daemon -C, behind the outages: it is work, and they wait.
func (n *icinga2) validate(t *testing.T) (said string, err error) {
	cmd := n.command(t, "daemon", "-C", "-c", n.path("etc/icinga2.conf"))
	cmd.Path, cmd.Args = "/usr/bin/nice", append([]string{"nice", "-n", "19"}, cmd.Args...)
	cmd.Env = append(os.Environ(), "TZ=Europe/London")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// start runs the daemon until the test ends, and waits for its API. Stop ends
// it before.
func (n *icinga2) start(t *testing.T, env []string) *exec.Cmd {
	t.Helper()
	cmd := n.command(t, "daemon", "--no-stack-rlimit", "-c", n.path("etc/icinga2.conf"))
	cmd.Env = env
	daemon(t, n.node, cmd.SysProcAttr.Credential, cmd)
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(n.path("log/icinga2.log"))
			t.Logf("%s: %s", n.name, text[max(0, len(text)-6000):])
		}
	})
	eventually(t, "the API of "+n.name, limit, func() bool { return n.get("status/IcingaApplication", nil) == nil })
	return cmd
}

// ask sends a request to the API and reads its answer.
func (n *icinga2) ask(method, path string, body, answer any) error {
	request, err := n.request(context.Background(), method, path, body)
	if err != nil {
		return err
	}
	response, err := n.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, response.Status, text)
	}
	if err == nil && answer != nil {
		err = json.Unmarshal(text, answer)
	}
	return err
}

func (n *icinga2) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("https://127.0.0.1:%d/v1/%s", n.port, path), bytes.NewReader(text))
	if err == nil {
		request.SetBasicAuth("test", "test")
		request.Header.Set("Accept", "application/json")
	}
	return request, err
}

func (n *icinga2) get(path string, answer any) error {
	return n.ask(http.MethodGet, path, struct{}{}, answer)
}

// must is ask for what cannot fail.
func (n *icinga2) must(t *testing.T, method, path string, body, answer any) {
	t.Helper()
	if err := n.ask(method, path, body, answer); err != nil {
		t.Fatal(err)
	}
}

// checked is a host or service, as the API has it.
type checked struct {
	Name      string
	State     float64  // of a host, 0 is up
	Type      float64  `json:"state_type"` // 1 is hard
	Reachable bool     `json:"last_reachable"`
	LastCheck float64  `json:"last_check"`
	Result    struct { // empty before the first check
		Output   string
		Perfdata []any   `json:"performance_data"`
		Began    float64 `json:"execution_start"` // Unix time in seconds
		Source   string  `json:"check_source"`
	} `json:"last_check_result"`
	Vars    map[string]any
	Display string `json:"display_name"`
}

func (c checked) hard(state float64) bool { return c.Type == 1 && c.State == state && c.LastCheck > 0 }

// objects are all hosts ("hosts") or services ("services"), by name; a service's
// is host!service.
func (n *icinga2) objects(t *testing.T, kind string) map[string]checked {
	t.Helper()
	var answer struct {
		Results []struct {
			Name  string
			Attrs checked
		}
	}
	if err := n.get("objects/"+kind, &answer); err != nil {
		t.Fatal(err)
	}
	all := map[string]checked{}
	for _, r := range answer.Results {
		r.Attrs.Name = r.Name
		all[r.Name] = r.Attrs
	}
	return all
}

// object is one of them.
func (n *icinga2) object(t *testing.T, kind, name string) checked {
	t.Helper()
	var answer struct{ Results []struct{ Attrs checked } }
	if err := n.get("objects/"+kind+"/"+url.PathEscape(name), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Results[0].Attrs
}

// checkNow has something checked, and waits for the result of a check that
// began after the call.
func (n *icinga2) checkNow(t *testing.T, kind, name string) checked {
	t.Helper()
	called := float64(time.Now().UnixNano()) / 1e9
	for last := n.object(t, kind, name).LastCheck; ; {
		n.must(t, http.MethodPost, "actions/reschedule-check", map[string]any{
			"type":                        map[string]string{"hosts": "Host", "services": "Service"}[kind],
			strings.TrimSuffix(kind, "s"): name, "force": true,
		}, nil)
		eventually(t, "a check of "+name, limit, func() bool { return n.object(t, kind, name).LastCheck > last })
		// Icinga takes over a result while its API reads it out, so that the time
		// may be new and the rest old. The time comes last: now all is new.
		now := n.object(t, kind, name)
		if now.Result.Began >= called {
			return now
		}
		last = now.LastCheck // of a check that was under way
	}
}

// notification is one that Icinga sent.
type notification struct {
	Host, Service string
	Type          string `json:"notification_type"` // PROBLEM or RECOVERY
	Users         []string
	Result        struct {
		State  float64
		Output string
	} `json:"check_result"`
}

func (n notification) String() string {
	kind := n.Type
	if strings.HasPrefix(n.Users[0], "vpn-pager ") {
		kind = "PAGE " + kind
	}
	return fmt.Sprintf("%s %s %v", kind, strings.TrimSuffix(n.Host+"!"+n.Service, "!"), n.Result.State)
}

// told collects what an instance notifies of, from now on.
type told struct {
	mu   sync.Mutex
	list []notification
	err  error
}

func (n *icinga2) listen(t *testing.T) *told {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	request, err := n.request(ctx, http.MethodPost, "events", map[string]any{"queue": "test", "types": []string{"Notification"}})
	if err != nil {
		t.Fatal(err)
	}
	response, err := n.client.Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("events of %s: %v, %v", n.name, response, err)
	}
	heard := new(told)
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var one notification
			if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
				heard.fail(fmt.Errorf("%w: %s", err, lines.Bytes()))
				return
			}
			if len(one.Users) > 0 { // else it was held back
				heard.add(one)
			}
		}
		if ctx.Err() == nil {
			heard.fail(errors.Join(errors.New("the stream of events ended"), lines.Err()))
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		response.Body.Close()
	})
	return heard
}

func (h *told) add(n notification) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, n)
}

func (h *told) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
}

// of are the notifications, in order, of hosts and services whose host matches.
func (h *told) of(t *testing.T, match func(notification) bool) (list []string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		t.Fatal(h.err)
	}
	for _, n := range h.list {
		if match(n) {
			list = append(list, n.String())
		}
	}
	return list
}

// log prints what was said of a tunnel.
func (h *told) log(t *testing.T, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.list {
		if strings.Contains(n.String(), name) {
			t.Logf("%s: %s", n, firstLine(n.Result.Output))
		}
	}
}
