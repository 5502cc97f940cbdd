package package_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inside marks, in the environment, the copy of this test in its namespaces.
const inside = "CHECK_VPN_PACKAGE_TEST_INSIDE"

// root is where the overlay is.
const root = "/mnt"

// again runs this test anew in namespaces that end with it, and with them
// every process that it left.
func again() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Println("no namespaces, which take root:", err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// overlay lays an empty file system in memory over this machine's.
func overlay() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	const memory = "/run"
	if err := unix.Mount("tmpfs", memory, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, dir := range []string{memory + "/upper", memory + "/work"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	options := "lowerdir=/,upperdir=" + memory + "/upper,workdir=" + memory + "/work"
	if err := unix.Mount("overlay", root, "overlay", 0, options); err != nil {
		return err
	}
	for _, m := range []struct{ from, to, kind string }{{"proc", "/proc", "proc"}, {"tmpfs", "/run", "tmpfs"}, {"tmpfs", "/tmp", "tmpfs"}} {
		if err := unix.Mount(m.from, root+m.to, m.kind, 0, ""); err != nil {
			return err
		}
	}
	if err := unix.Mount("/dev", root+"/dev", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return up("lo")
}

// up brings an interface up.
func up(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// machine runs commands in the overlay.
type machine struct{ t *testing.T }

// command is one of a user; "root" and "nagios" are those that matter.
func (m machine) command(user, name string, args ...string) *exec.Cmd {
	m.t.Helper()
	cmd := exec.Command("/usr/sbin/runuser", append([]string{"-u", user, "--", name}, args...)...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	return cmd
}

// run runs one to its end, and gives what it said and its exit code.
func (m machine) run(user, name string, args ...string) (string, int) {
	m.t.Helper()
	cmd := m.command(user, name, args...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatalf("%s: %v", name, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// must is a command that has to succeed.
func (m machine) must(name string, args ...string) string {
	m.t.Helper()
	out, code := m.run("root", name, args...)
	if code != 0 {
		m.t.Fatalf("%s %s: exit code %d\n%s", name, strings.Join(args, " "), code, out)
	}
	return out
}

func (m machine) write(path, text string) {
	m.t.Helper()
	if err := os.WriteFile(root+path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) read(path string) string {
	m.t.Helper()
	text, err := os.ReadFile(root + path)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}
