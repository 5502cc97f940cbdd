// Package package_test installs the Debian package for real, uses it as people
// and daemons do, upgrades it and removes it.
//
// It does so in an overlay of this machine's file system, in namespaces of its
// own: nothing of it is left, and no port of this machine is taken. There the
// sysctl ping_group_range allows nobody unprivileged echo requests, so that
// only the capability that the package sets can let user nagios send them.
package package_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv(inside) == "" {
		os.Exit(again())
	}
	if err := overlay(); err != nil {
		fmt.Println("no overlay of this machine:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// build makes the package of a version, for this machine, and puts it into the
// overlay.
func (m machine) build(version string) string {
	m.t.Helper()
	out, err := maker("deb", "ARCHS=amd64", "VERSION="+version).CombinedOutput()
	if err != nil {
		m.t.Fatalf("make deb: %v\n%s", err, out)
	}
	name := "/check-vpn_" + version + "-1_amd64.deb"
	data, err := os.ReadFile("../bin" + name)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(root+name, data, 0o644); err != nil {
		m.t.Fatal(err)
	}
	return name
}

func maker(args ...string) *exec.Cmd {
	cmd := exec.Command("make", args...)
	cmd.Dir = ".."
	return cmd
}

// dpkg installs the documents too, which images of containers leave out.
func (m machine) dpkg(args ...string) {
	m.t.Helper()
	m.must("dpkg", append([]string{"--path-include=/usr/share/man/*", "--path-include=/usr/share/doc/*"}, args...)...)
}

const plugins = "/usr/lib/nagios/plugins/"

func TestLife(t *testing.T) {
	m := machine{t}
	before := m.must("find", "/usr", "/etc", "/var/lib", "-xdev", "-name", "*check?vpn*")
	sysctls := m.must("sh", "-c", "cat /proc/sys/net/ipv4/ping_group_range; ls /etc/sysctl.d /usr/lib/sysctl.d 2>/dev/null")

	first, second := m.build("1.0.0"), m.build("1.0.1")
	m.dpkg("-i", first)
	if now := m.must("sh", "-c", "cat /proc/sys/net/ipv4/ping_group_range; ls /etc/sysctl.d /usr/lib/sysctl.d 2>/dev/null"); now != sysctls {
		t.Errorf("sysctls were touched: %s", now)
	}
	m.installed()
	m.configured()
	m.throughNRPE()
	m.upgraded(second)
	m.removed(before)
}

// installed looks at what a person finds after dpkg -i.
func (m machine) installed() {
	t := m.t
	t.Helper()
	for _, name := range []string{"check_vpn_office", "check_vpn_dr", "check_vpn_licensing"} {
		if out := m.must("getcap", plugins+name); !strings.Contains(out, "cap_net_raw=ep") {
			t.Errorf("%s has %q", name, out)
		}
		if out, code := m.run("nagios", plugins+name, "-H", "127.0.0.1", "-H", "::1"); code != 0 || !strings.HasPrefix(out, "OK: ") {
			t.Errorf("%s as nagios: %d, %s", name, code, out)
		}
		if out, code := m.run("nagios", plugins+name, "-V"); code != 3 || out != name+" 1.0.0\n" {
			t.Errorf("%s -V: %d, %q", name, code, out)
		}
		if info, err := os.Stat(root + plugins + name); err != nil || info.Mode() != 0o755 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		for _, path := range []string{"/usr/share/man/man1/" + name + ".1.gz", "/usr/share/bash-completion/completions/" + name, "/usr/share/zsh/vendor-completions/_" + name} {
			if info, err := os.Stat(root + path); err != nil || info.Size() < 500 {
				t.Errorf("%s: %v", path, err)
			}
		}
		if out := m.must("mandoc", "-T", "ascii", "/usr/share/man/man1/"+name+".1.gz"); !strings.Contains(out, strings.ToUpper(name)+"(1)") {
			t.Errorf("man %s: %s", name, out)
		}
	}
	for form, want := range map[string]string{"icinga": "const VpnTunnels = [", "nagios": "define service {", "nrpe": "=" + plugins + "check_vpn_dr "} {
		if out, code := m.run("nagios", "/usr/bin/check-vpn-generate", form); code != 0 || !strings.Contains(out, want) {
			t.Errorf("check-vpn-generate %s: %d, %.300s", form, code, out)
		}
	}
	if out, code := m.run("nagios", plugins+"check_vpn_dr", "--explain", "-H", "127.0.0.1"); code != 3 || !strings.Contains(out, "IPv4: raw sockets: this process has the capability") {
		t.Errorf("--explain: %d, %s", code, out)
	}
	m.must("setcap", "-r", plugins+"check_vpn_dr")
	if out, code := m.run("nagios", plugins+"check_vpn_dr", "--explain", "-H", "127.0.0.1"); code != 3 || !strings.Contains(out, "- setcap cap_net_raw+ep "+plugins+"check_vpn_dr\n") || !strings.Contains(out, "(it is 1 0 now") {
		t.Errorf("--explain without the capability: %d, %s", code, out)
	}
	// The remedy is the one that helps.
	m.must("setcap", "cap_net_raw+ep", plugins+"check_vpn_dr")
	if out, code := m.run("nagios", plugins+"check_vpn_dr", "-H", "127.0.0.1"); code != 0 {
		t.Errorf("after the remedy: %d, %s", code, out)
	}
	examples := m.must("find", "/usr/share/doc/check-vpn", "-type", "f")
	if !strings.Contains(examples, "/examples/icinga/check_vpn.ini") || !strings.Contains(examples, "README.md") ||
		!strings.Contains(examples, "/examples/icinga/director-basket.json") || !strings.Contains(examples, "/examples/icinga/vpn-commands.conf") || strings.Contains(examples, ".go\n") {
		t.Errorf("documents: %s", examples)
	}
}

// configured checks by the section that the package ships.
func (m machine) configured() {
	t := m.t
	t.Helper()
	out, code := m.run("nagios", plugins+"check_vpn_dr", "--extra-opts=dr-production", "-o", "json")
	var report struct {
		State, Cause, Environment string
		Targets                   []struct{ Role string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("not JSON: %v, %s", err, out)
	}
	// No machine of the section exists here: an outage, and never UNKNOWN.
	if code != 2 || report.State != "CRITICAL" || report.Cause != "near-down" || report.Environment != "production" || len(report.Targets) < 10 {
		t.Errorf("exit code %d, %s", code, out)
	}
}

// throughNRPE has the daemon, as user nagios, run the command that the package
// ships.
func (m machine) throughNRPE() {
	t := m.t
	t.Helper()
	m.must("mkdir", "-p", "/run/nagios")
	m.must("chown", "nagios", "/run/nagios")
	daemon := m.command("root", "/usr/sbin/nrpe", "-c", "/etc/nagios/nrpe.cfg", "-f")
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait()
	}()
	ask := func() (string, int) {
		return m.run("nagios", plugins+"check_nrpe", "-H", "127.0.0.1", "-c", "check_vpn_licensing_production", "-t", "15:3")
	}
	out, code := ask()
	for range 300 {
		if !strings.Contains(out, "connect to address") && !strings.Contains(out, "Connection refused") {
			break
		}
		time.Sleep(100 * time.Millisecond)
		out, code = ask()
	}
	if code != 2 || !strings.HasPrefix(out, "CRITICAL: production licensing VPN down: our own gateway is unreachable") {
		t.Errorf("through NRPE: %d, %s", code, out)
	}
	m.write("/etc/check-vpn/check_vpn.ini", mine)
	if out, code := ask(); code != 0 || !strings.HasPrefix(out, "OK: mine licensing VPN up") {
		t.Errorf("through NRPE, with a file of our own: %d, %s", code, out)
	}
}

const mine = "[licensing-production]\nenvironment = mine\nfar = 127.0.0.1\n"

// upgraded wants the changed file kept, and the capability set anew.
func (m machine) upgraded(second string) {
	t := m.t
	t.Helper()
	m.dpkg("--force-confdef", "--force-confold", "-i", second)
	if got := m.read("/etc/check-vpn/check_vpn.ini"); got != mine {
		t.Errorf("the upgrade changed the file: %s", got)
	}
	if out, code := m.run("nagios", plugins+"check_vpn_licensing", "--extra-opts=licensing-production"); code != 0 || !strings.HasPrefix(out, "OK: mine ") {
		t.Errorf("after the upgrade: %d, %s", code, out)
	}
	if out, _ := m.run("nagios", plugins+"check_vpn_licensing", "-V"); out != "check_vpn_licensing 1.0.1\n" {
		t.Errorf("after the upgrade: %s", out)
	}
}

// removed wants the changed file kept by a removal, and nothing by a purge.
func (m machine) removed(before string) {
	t := m.t
	t.Helper()
	find := []string{"/usr", "/etc", "/var/lib", "-xdev", "-name", "*check?vpn*"}
	m.must("dpkg", "-r", "check-vpn")
	if got := m.read("/etc/check-vpn/check_vpn.ini"); got != mine {
		t.Errorf("the removal changed the file: %s", got)
	}
	if out := m.must("find", append([]string{"/usr"}, find[3:]...)...); strings.Contains(out, "check_vpn_") {
		t.Errorf("the removal left %s", out)
	}
	if out := m.must("dpkg", "-P", "check-vpn"); strings.Contains(out, "warning") {
		t.Errorf("the purge warns: %s", out)
	}
	if after := m.must("find", find...); after != before {
		t.Errorf("the purge left %s, and before there was %s", after, before)
	}
}

// TestInstall installs into a folder.
func TestInstall(t *testing.T) {
	dir := t.TempDir()
	if out, err := maker("install", "DESTDIR="+dir, "PREFIX=/opt/vpn").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command("find", dir, "-type", "f", "-printf", "%m %P\n").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`755 opt/vpn/lib/nagios/plugins/check_vpn_dr`, `644 opt/vpn/share/man/man1/check_vpn_office.1`,
		`644 opt/vpn/share/bash-completion/completions/check_vpn_licensing`, `644 opt/vpn/share/zsh/site-functions/_check_vpn_dr`,
		`644 opt/vpn/share/doc/check-vpn/examples/icinga/check_vpn.ini`, `644 opt/vpn/share/doc/check-vpn/examples/icinga/director-basket.json`, `644 opt/vpn/share/doc/check-vpn/README.md`,
	} {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(want) + `$`).Match(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, " opt/vpn/") {
			t.Errorf("outside PREFIX: %s", line)
		}
	}
}
