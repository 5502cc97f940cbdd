package icinga_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"checkvpn/icinga"
	"checkvpn/pkg/lab"
)

// seven raises the seven tunnels for one test.
func seven(t *testing.T) *lab.World {
	t.Helper()
	w, err := icinga.SevenTunnels()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// monitor is who the daemons run as.
var monitor = sync.OnceValues(func() (*syscall.Credential, error) {
	u, err := user.Lookup("nagios")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
})

// folder is a temporary one that belongs to the daemons' user and that all may
// read; t.TempDir's parent lets in its owner alone.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "check-vpn-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	own(t, dir)
	return dir
}

func own(t *testing.T, path string) {
	t.Helper()
	who, err := monitor()
	if err == nil {
		err = os.Chown(path, int(who.Uid), int(who.Gid))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a file that belongs to the daemons' user.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	own(t, path)
}

// read is the text of a file.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// environment is what plugins under a daemon need of the laboratory: where the
// file of tunnels is, and who vouches for its web sites.
func environment(t *testing.T, w *lab.World) []string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t)
	write(t, filepath.Join(dir, "authority.pem"), string(w.Internet.CA()))
	write(t, filepath.Join(dir, "check_vpn.ini"), read(t, filepath.Join(here, "check_vpn.ini")))
	return []string{"PATH=/usr/bin:/bin", "MP_CONFIG_PATH=" + dir, "SSL_CERT_FILE=" + filepath.Join(dir, "authority.pem")}
}

// daemon starts a program at a node, and ends it with the test. What it printed
// is told when the test fails.
func daemon(t *testing.T, node *lab.Node, who *syscall.Credential, cmd *exec.Cmd) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := node.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		kill.Stop()
		out.Close()
		if t.Failed() {
			text := read(t, out.Name())
			t.Logf("%s: %s", cmd.Path, text[max(0, len(text)-2000):])
		}
	})
}

// hoursUntil are hours of every day that end at a full minute, which is given, not
// sooner than that. They begin at midnight: shortly before it, its passing is awaited.
func hoursUntil(soon time.Duration, in *time.Location) (hours string, end time.Time) {
	next := func() time.Time { return time.Now().In(in).Add(soon).Truncate(time.Minute).Add(time.Minute) }
	for end = next(); end.Hour() == 0 && end.Day() != time.Now().In(in).Day(); end = next() {
		time.Sleep(time.Second)
	}
	return "Sun-Sat 00:00-" + end.Format("15:04"), end
}

// eventually waits until something is so. The limit is generous: the machine
// may be busy.
func eventually(t *testing.T, what string, limit time.Duration, so func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !so() {
		if time.Since(began) > limit {
			t.Fatalf("not so in %v: %s", limit, what)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return time.Since(began)
}
