//go:build next

package icinga_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var next = flag.String("next", "", "the root of a newer Debian, with Icinga 2 in it")

// TestNext has the Icinga 2 of a newer Debian load this folder's files below the
// configuration that it brings.
func TestNext(t *testing.T) {
	out, err := inNext("root", "icinga2", "--version").CombinedOutput()
	if err != nil || !regexp.MustCompile(`version: r2\.(1[4-9]|[2-9]\d)`).Match(out) {
		t.Fatalf("no newer Icinga 2 in %q: %v, %s", *next, err, out)
	}
	t.Logf("%.80s", out)
	dir := filepath.Join(*next, "etc/icinga2/conf.d/vpn")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ours := files(t, "vpn-*.conf")
	for _, file := range ours {
		copyTo(t, file, dir)
	}
	for _, plugin := range files(t, plugins+"/*") {
		copyTo(t, plugin, filepath.Join(*next, "usr/lib/nagios/plugins"))
	}
	out, err = inNext("root", "env", "TZ=Europe/London", "icinga2", "daemon", "-C").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "] information/") {
			t.Error(line)
		}
	}
	// Each file is read: with a word in it that means nothing it is refused.
	for _, file := range ours {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte(read(t, file)+"nothing_of_that_name()\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := inNext("root", "env", "TZ=Europe/London", "icinga2", "daemon", "-C").CombinedOutput()
		if err == nil || !strings.Contains(string(out), file) {
			t.Errorf("%s is not read: %v\n%s", file, err, out)
		}
		copyTo(t, file, dir)
		t.Log("loads", file)
	}
}

// TestNextEcho: without the package libcap2-bin, which is only recommended,
// Debian's check_icmp has no capability there, and says UNKNOWN, by which every
// host that is checked with it is down.
func TestNextEcho(t *testing.T) {
	if err := inNext("root", "dpkg", "-s", "libcap2-bin").Run(); err == nil {
		t.Fatal("libcap2-bin is installed")
	}
	cmd := inNext("nagios", "/usr/lib/nagios/plugins/check_icmp", "-H", "127.0.0.1")
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(string(out), "Operation not permitted") {
		t.Errorf("code %d, %s", code, out)
	}
}

// inNext is a program in the newer Debian, in namespaces of its own.
func inNext(user string, command ...string) *exec.Cmd {
	const script = `mount -t proc proc "$0/proc" && root=$0 user=$1 && shift && exec chroot --userspec="$user:" "$root" "$@"`
	return exec.Command("unshare", append([]string{"--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c", script, *next, user}, command...)...)
}

// copyTo copies a file into a folder, for all to read and run.
func copyTo(t *testing.T, file, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(read(t, file)), 0o755); err != nil {
		t.Fatal(err)
	}
}
