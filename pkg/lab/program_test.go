package lab_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

// inSite, in the environment, makes the test binary be the program that
// TestProgram starts: it says what it sees from where it runs.
const inSite = "LAB_TEST_PROGRAM"

// TestMain reaches it before Run.
func program(task string) int {
	switch task {
	case "run-exit", "run-signal":
		return inRun(task)
	case "resolve":
		fmt.Println((&net.Resolver{PreferGo: true}).LookupHost(context.Background(), os.Args[1]))
	case "interfaces":
		interfaces, _ := net.Interfaces()
		for _, i := range interfaces {
			fmt.Println(i.Name)
		}
	case "stay":
		fmt.Println(stay())
		return 2
	}
	return 0
}

func task(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	// With the race detector, a program sleeps for a second before it ends.
	cmd.Env = append(os.Environ(), inSite+"="+name, "GORACE=atexit_sleep_ms=0")
	return cmd
}

// says wants these words from a program at a node.
func says(t *testing.T, n *lab.Node, words string, cmd *exec.Cmd) {
	t.Helper()
	if r, err := n.Run(cmd); err != nil || !strings.Contains(r.Stdout, words) {
		t.Errorf("got %+v, %v, want %s", r, err, words)
	}
}

func TestProgram(t *testing.T) {
	p := newPair(t)
	says(t, p.Near.Node, "lo\neth0\n", task("interfaces"))
	says(t, p.Near.Gateway, p.Tunnel.Interface+"\n", task("interfaces"))
	if _, err := p.Near.Run(exec.Command("/no/such/program")); err == nil {
		t.Error("no error for a program that does not exist")
	}
	if p.Near.Do(func() error { runtime.Goexit(); return nil }) == nil {
		t.Error("no error for a function that left its goroutine")
	}

	before, err := os.ReadFile("/etc/resolv.conf")
	must(t, err)
	says(t, p.Near.Node, "["+lab.PairWWW+"] <nil>", task("resolve", "www.example"))
	says(t, p.Near.Node, "no such host", task("resolve", "nowhere.example"))
	p.DNS.Set(p.Zone, 100*time.Millisecond)
	says(t, p.Near.Node, "["+one+"] <nil>", task("resolve", "a1.example"))
	p.DNS.Set(lab.RefusedNames, 0)
	says(t, p.Near.Node, "server misbehaving", task("resolve", "a1.example"))
	must(t, p.Near.SetResolver())
	says(t, p.Near.Node, "refused", task("resolve", "a1.example"))
	if after, _ := os.ReadFile("/etc/resolv.conf"); string(after) != string(before) {
		t.Error("the resolv.conf outside the lab has changed")
	}

	// What still runs ends with the site.
	cmd := exec.Command("sleep", "1000")
	must(t, p.Near.Start(cmd))
	must(t, p.Close())
	outlives := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	cmd.Wait()
	if !outlives.Stop() {
		t.Error("the program outlives its site")
	}
}
