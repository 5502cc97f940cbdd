package manual

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shell is an interactive one, with a person before it.
type shell struct {
	t      *testing.T
	person *os.File
	mu     sync.Mutex
	seen   bytes.Buffer
}

// start starts a shell on a terminal of its own.
func start(t *testing.T, dir string, command ...string) *shell {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(screen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 200, Row: 50}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "TERM=xterm", "HOME=" + dir, "ZDOTDIR=" + dir, "MP_CONFIG_PATH=" + dir + ":" + dir + "/none", "PS1=READY> "}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = screen, screen, screen
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	screen.Close()
	s := &shell{t: t, person: person}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := person.Read(buffer)
			s.mu.Lock()
			s.seen.Write(buffer[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		person.Close()
	})
	return s
}

// typeIn types, and waits until the shell shows what it should.
func (s *shell) typeIn(text, until string) {
	s.t.Helper()
	s.mu.Lock()
	from := s.seen.Len()
	s.mu.Unlock()
	if _, err := s.person.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
	for range 3000 {
		s.mu.Lock()
		seen := s.seen.String()[from:]
		s.mu.Unlock()
		if strings.Contains(seen, until) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("typed %q, and %q never came: %q", text, until, s.seen.String()[from:])
}

// TestCompletion types in real shells, as a person does. The program is a
// function that repeats what it is given.
func TestCompletion(t *testing.T) {
	built := documents(t)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("check_vpn.ini", "# [no-section]\n[office]\n far = 127.0.0.1\n [ dr-production ]\n[dr-staging]\n")
	write("other.ini", "")
	for shell, name := range map[string]string{"bash": "completion", "zsh": "_check_vpn_office"} {
		out, err := exec.Command(filepath.Join(built, "check_vpn_office"), shell).Output()
		if err != nil {
			t.Fatal(err)
		}
		write(name, string(out))
	}
	cases := []struct{ typed, want string }{
		{"--extra-opts=of\t", "--extra-opts=office"},
		{"--extra-opts=dr-p\t", "--extra-opts=dr-production"},
		{"--extr\tdr-s\t", "--extra-opts=dr-staging"},
		{"--extra-opts=office@oth\t", "--extra-opts=office@other.ini"},
		{"--office-h\talways", "--office-hours"},
		{"-o j\t", "-o json"},
		{"--perfdata=t\t", "--perfdata=totals"},
		{"--bank-holidays oth\t", "--bank-holidays other.ini"},
		{"-I l\t", "-I lo"},
	}
	shells := map[string]func(*testing.T) *shell{
		"bash": func(t *testing.T) *shell {
			s := start(t, dir, "bash", "--norc", "--noprofile", "-i")
			s.typeIn("source ./completion; check_vpn_office() { echo \"GOT<$*>\"; }; echo set''up\n", "setup")
			return s
		},
		"zsh": func(t *testing.T) *shell {
			s := start(t, dir, "zsh", "-f", "-i")
			s.typeIn("fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; check_vpn_office() { echo \"GOT<$*>\"; }; echo set''up\n", "setup")
			return s
		},
	}
	for name, begin := range shells {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			for _, c := range cases {
				s.typeIn("\x15", "") // an empty line
				s.typeIn("check_vpn_office "+c.typed+"\n", "GOT<"+c.want)
			}
		})
	}
}
