package lab_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"checkvpn/icinga"
	"checkvpn/pkg/lab"
)

// patience is how long to wait for what must come.
const patience = 20 * time.Second

func TestNothingIsLeft(t *testing.T) {
	upAndDown := func() {
		w, err := icinga.SevenTunnels()
		must(t, err)
		mustAnswer(t, w.VPN(lab.Office, "").Near.Node, "10.3.0.20")
		must(t, w.Close())
		must(t, w.Close()) // again: no error
		for _, kind := range lab.Kinds() {
			p, err := lab.NewPair(kind)
			must(t, err)
			if found, _ := filepath.Glob("/run/*charon*"); found != nil {
				t.Errorf("files of the tunnel are in sight: %s", found)
			}
			must(t, p.Close())
		}
	}
	upAndDown() // what the runtime keeps for ever exists from now on
	goroutines, files := runtime.NumGoroutine(), len(links(t, "/proc/self/fd/*"))
	upAndDown()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		g, f, ns, programs := runtime.NumGoroutine(), links(t, "/proc/self/fd/*"), strangeNamespaces(t), children(os.Getpid())
		if g <= goroutines && len(f) <= files && len(ns)+len(programs) == 0 {
			return
		}
		if time.Now().After(end) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before; %d files, %d before: %q; namespaces %q, programs %q\n%s",
				g, goroutines, len(f), files, f, ns, programs, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// links are what the links of a pattern lead to.
func links(t *testing.T, pattern string) (all []string) {
	found, err := filepath.Glob(pattern)
	must(t, err)
	for _, link := range found {
		if to, err := os.Readlink(link); err == nil {
			all = append(all, to)
		}
	}
	return all
}

// strangeNamespaces are those of threads that are not where the process is.
func strangeNamespaces(t *testing.T) (strange []string) {
	for _, kind := range []string{"net", "mnt"} {
		own := links(t, "/proc/self/ns/"+kind)[0]
		strange = append(strange, slices.DeleteFunc(links(t, "/proc/self/task/*/ns/"+kind), func(ns string) bool { return ns == own })...)
	}
	return strange
}

// children are the programs that a process has started and that still are there, by
// their ids.
func children(process int) (all []string) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", process))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		all = append(all, strings.Fields(string(text))...)
	}
	return all
}

func TestProgramsEndWithTheProcess(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = taskEnv("stay")
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	said, _ := bufio.NewReader(out).ReadString('\n')
	programs := children(cmd.Process.Pid)
	must(t, cmd.Process.Kill())
	cmd.Wait()
	if len(programs) != 4 {
		t.Fatalf("%q before the end, want two charons and two openvpns: %s", programs, said)
	}
	// One that has ended, and that nobody has waited for, has no file any more.
	ended := func(id string) bool { _, err := os.Readlink("/proc/" + id + "/exe"); return err != nil }
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if programs = slices.DeleteFunc(programs, ended); len(programs) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("left: %q", programs)
		}
	}
}
