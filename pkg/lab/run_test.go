package lab_test

import (
	"bufio"
	"fmt"
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

// asNobody is this binary as an ordinary user for whom /dev/net/tun has these
// permissions, whatever they are on this machine.
func asNobody(t *testing.T, permissions, task string, args ...string) *exec.Cmd {
	t.Helper()
	if identity, _ := os.ReadFile("/proc/self/uid_map"); os.Getuid() != 0 || strings.Fields(string(identity))[2] == "1" {
		lab.Skip(t, "only root can become somebody else, and not in a user namespace")
	}
	const become = `mknod $0 c 10 200 && chmod $1 $0 && mount --bind $0 /dev/net/tun && shift &&
		exec setpriv --reuid 65534 --regid 65534 --clear-groups /proc/self/fd/3 "$@"`
	device := filepath.Join(t.TempDir(), "tun")
	cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-c", become, device, permissions}, args...)...)
	cmd.Env = taskEnv(task)
	// This user may not be allowed where the file is.
	binary, err := os.Open("/proc/self/exe")
	must(t, err)
	t.Cleanup(func() { binary.Close() })
	cmd.ExtraFiles = []*os.File{binary}
	return cmd
}

func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	const tests = "^(TestKinds|TestProgram|TestSevenTunnels|TestNothingIsLeft)$"
	said, err := asNobody(t, "666", "", "-test.run="+tests, "-test.v").CombinedOutput()
	if !strings.Contains(string(said), "=== RUN") {
		lab.Skip(t, "%v: %s", err, said)
	}
	if err != nil || !strings.Contains(string(said), "--- PASS: TestKinds") {
		t.Errorf("%v:\n%s", err, said)
	}
}

func TestOrdinaryUserAndSignals(t *testing.T) {
	cmd := asNobody(t, "666", "signal")
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = cmd.Stdout
	must(t, cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		lab.Skip(t, "%s%v", line, err)
	}
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 9 {
		t.Errorf("exit code %d after a signal, want what main returns, 9", code)
	}
}

func TestAdvice(t *testing.T) {
	cmd := asNobody(t, "600", "signal")
	said, _ := cmd.CombinedOutput()
	if !strings.Contains(string(said), "the lab cannot") {
		lab.Skip(t, "%s", said)
	}
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(said), "chmod 666 /dev/net/tun") || strings.Count(string(said), "\n") != 1 {
		t.Errorf("exit code %d: %s", code, said)
	}
}
