//go:build packages

package package_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestReproducible builds twice, as different people at different times do.
func TestReproducible(t *testing.T) {
	build := func(env ...string) map[string]string {
		clean := exec.Command("rm", "-rf", "../bin/package", "../bin/amd64")
		if err := clean.Run(); err != nil {
			t.Fatal(err)
		}
		cmd := maker("deb", "rpm", "ARCHS=amd64", "VERSION=2.0.0")
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		sums := map[string]string{}
		for _, name := range []string{"check-vpn_2.0.0-1_amd64.deb", "check-vpn-2.0.0-1.x86_64.rpm"} {
			out, err := exec.Command("sha256sum", filepath.Join("../bin", name)).Output()
			if err != nil {
				t.Fatal(err)
			}
			sums[name] = string(out)
		}
		return sums
	}
	first := build("TZ=UTC")
	time.Sleep(1100 * time.Millisecond) // times of files count in seconds
	old := unix.Umask(0o077)
	second := build("TZ=Asia/Tokyo", "LC_ALL=C")
	unix.Umask(old)
	for name, sum := range first {
		if second[name] != sum {
			t.Errorf("%s differs: %s and %s", name, sum, second[name])
		}
	}
}

// TestRPM asks rpm itself, and installs into an empty root.
func TestRPM(t *testing.T) {
	if out, err := maker("rpm", "ARCHS=amd64", "VERSION=3.0.0").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const file = "../bin/check-vpn-3.0.0-1.x86_64.rpm"
	ask := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("rpm", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("rpm %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	if out := ask("-qp", "--requires", file); !strings.Contains(out, "libcap") {
		t.Errorf("requires %s", out)
	}
	if out := ask("-qp", "--scripts", file); !strings.Contains(out, "setcap cap_net_raw+ep") {
		t.Errorf("scripts: %s", out)
	}
	if out := ask("-qpc", file); out != "/etc/check-vpn/check_vpn.ini\n/etc/nrpe.d/check_vpn.cfg\n" {
		t.Errorf("configuration files: %s", out)
	}
	dir := t.TempDir()
	ask("--root", dir, "--dbpath", "/var/lib/rpm", "--nodeps", "--noscripts", "-i", mustAbs(t, file))
	for _, path := range []string{"/usr/lib64/nagios/plugins/check_vpn_dr", "/usr/share/man/man1/check_vpn_office.1.gz", "/usr/share/zsh/site-functions/_check_vpn_licensing"} {
		if _, err := os.Stat(dir + path); err != nil {
			t.Error(err)
		}
	}
	nrpe, err := os.ReadFile(dir + "/etc/nrpe.d/check_vpn.cfg")
	if err != nil || !strings.Contains(string(nrpe), "=/usr/lib64/nagios/plugins/") || strings.Contains(string(nrpe), "/usr/lib/") {
		t.Errorf("NRPE's commands: %v, %s", err, nrpe)
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
