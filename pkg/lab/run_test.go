package lab_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"checkvpn/pkg/lab"
)

// asTask, in the environment, makes the test binary be one of these programs.
const asTask = "LAB_TEST_PROGRAM"

var tasks = map[string]func() int{
	"signal": func() int { // waits for one
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Println("ready")
		<-signals
		return 9
	},
	"stay": func() int { // makes a tunnel of each kind, and waits to be killed
		for _, kind := range lab.Kinds() {
			if _, err := lab.NewPair(kind); err != nil {
				fmt.Println(err)
				return 1
			}
		}
		fmt.Println("ready")
		select {}
	},
}

// taskEnv is the environment of a task. With the race detector, a program sleeps for
// a second before it ends.
func taskEnv(task string) []string {
	return append(os.Environ(), asTask+"="+task, "GORACE=atexit_sleep_ms=0")
}

// skip is a failure where everything must be there.
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// asNobody starts this binary as an ordinary user for whom /dev/net/tun has these
// permissions, whatever they are on this machine, and gives what it says.
func asNobody(t *testing.T, permissions, task string, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	if identity, _ := os.ReadFile("/proc/self/uid_map"); os.Getuid() != 0 || strings.Fields(string(identity))[2] == "1" {
		skip(t, "only root can become somebody else, and not in a user namespace")
	}
	const become = `mknod $0 c 10 200 && chmod $1 $0 && mount --bind $0 /dev/net/tun && shift &&
		exec setpriv --reuid 65534 --regid 65534 --clear-groups /proc/self/fd/3 "$@"`
	device := filepath.Join(t.TempDir(), "tun")
	cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-c", become, device, permissions}, args...)...)
	cmd.Env = taskEnv(task)
	// This user may not be allowed where the file is.
	binary, err := os.Open("/proc/self/exe")
	must(t, err)
	defer binary.Close()
	cmd.ExtraFiles = []*os.File{binary}
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = cmd.Stdout
	must(t, cmd.Start())
	return cmd, bufio.NewReader(out)
}

func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	const tests = "^(TestKinds|TestProgram|TestSevenTunnels|TestNothingIsLeft)$"
	cmd, out := asNobody(t, "666", "", "-test.run="+tests, "-test.v")
	said, err := io.ReadAll(out)
	must(t, err)
	text := string(said)
	if !strings.Contains(text, "=== RUN") {
		skip(t, "%s", text)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(text, "--- PASS: TestKinds") {
		t.Errorf("%v:\n%s", err, text)
	}
}

func TestOrdinaryUserAndSignals(t *testing.T) {
	cmd, out := asNobody(t, "666", "signal")
	if line, err := out.ReadString('\n'); err != nil || line != "ready\n" {
		skip(t, "%s%v", line, err)
	}
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 9 {
		t.Errorf("exit code %d after a signal, want what main returns, 9", code)
	}
}

func TestAdvice(t *testing.T) {
	cmd, out := asNobody(t, "600", "signal")
	said, err := io.ReadAll(out)
	must(t, err)
	if !strings.Contains(string(said), "the lab cannot") {
		skip(t, "%s", said)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(said), "chmod 666 /dev/net/tun") || strings.Count(string(said), "\n") != 1 {
		t.Errorf("exit code %d: %s", code, said)
	}
}
