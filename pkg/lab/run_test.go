package lab_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"checkvpn/pkg/lab"

	"golang.org/x/sys/unix"
)

// inRun makes the test binary a program that calls Run at once.
func inRun(task string) int {
	code, err := lab.Run(func() int {
		switch task {
		case "run-exit":
			return 7
		case "run-signal":
			signals := make(chan os.Signal, 1)
			signal.Notify(signals, syscall.SIGTERM)
			fmt.Println("ready")
			<-signals
			return 9
		}
		return 0
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return code
}

// skip is a failure where everything must be there.
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// startAsNobody starts a program as an ordinary user for whom /dev/net/tun has
// these permissions, whatever they are on this machine.
func startAsNobody(t *testing.T, tun os.FileMode, cmd *exec.Cmd) {
	t.Helper()
	if os.Getuid() != 0 {
		skip(t, "only root can become somebody else")
	}
	if identity, _ := os.ReadFile("/proc/self/uid_map"); len(strings.Fields(string(identity))) != 3 || strings.Fields(string(identity))[2] == "1" {
		skip(t, "this is a user namespace already")
	}
	device := filepath.Join(t.TempDir(), "tun")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	err := lab.OnThread(func() error {
		for _, err := range []error{
			unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS),
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mknod(device, unix.S_IFCHR, int(unix.Mkdev(10, 200))),
			os.Chmod(device, tun),
			unix.Mount(device, "/dev/net/tun", "", unix.MS_BIND, ""),
		} {
			if err != nil {
				return err
			}
		}
		return cmd.Start()
	})
	if err != nil {
		skip(t, "cannot become an ordinary user with a TUN device here: %v", err)
	}
}

// output waits for a program's end.
func output(t *testing.T, start func(*exec.Cmd), cmd *exec.Cmd) (text string, code int) {
	t.Helper()
	var b strings.Builder
	cmd.Stdout, cmd.Stderr = &b, &b
	start(cmd)
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return b.String(), cmd.ProcessState.ExitCode()
}

func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	asNobody := func(cmd *exec.Cmd) { startAsNobody(t, 0o666, cmd) }
	const tests = "^(TestKinds|TestProgram|TestSevenTunnels|TestNothingIsLeft)$"
	text, code := output(t, asNobody, exec.Command("/proc/self/exe", "-test.run="+tests, "-test.v"))
	if strings.Contains(text, "cannot make network namespaces") && !strings.Contains(text, "=== RUN") {
		skip(t, "%s", text)
	}
	if code != 0 || !strings.Contains(text, "--- PASS: TestKinds") {
		t.Errorf("exit code %d:\n%s", code, text)
	}
	if text, code := output(t, asNobody, task("run-exit")); code != 7 {
		t.Errorf("exit code %d, want that of main, 7: %s", code, text)
	}
}

func TestOrdinaryUserAndSignals(t *testing.T) {
	start := func() (*exec.Cmd, *bufio.Reader) {
		cmd := task("run-signal")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		startAsNobody(t, 0o666, cmd)
		reader := bufio.NewReader(stdout)
		if line, err := reader.ReadString('\n'); err != nil || line != "ready\n" {
			skip(t, "%s%v", line, err)
		}
		return cmd, reader
	}

	cmd, _ := start()
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 9 {
		t.Errorf("exit code %d after a signal, want what main returns, 9", code)
	}

	// The copy holds the other end of the pipe as long as it lives.
	cmd, reader := start()
	cmd.Process.Kill()
	ended := make(chan error)
	go func() { _, err := reader.ReadByte(); ended <- err }()
	select {
	case err := <-ended:
		if err != io.EOF {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the copy outlives the program that started it")
	}
	cmd.Wait()
}

func TestAdvice(t *testing.T) {
	text, code := output(t, func(cmd *exec.Cmd) { startAsNobody(t, 0o600, cmd) }, task("run-exit"))
	if code != 1 || !strings.Contains(text, "chmod 666 /dev/net/tun") || strings.Count(text, "\n") != 1 {
		t.Errorf("exit code %d: %s", code, text)
	}
}
