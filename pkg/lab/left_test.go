package lab_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

// patience is how long to wait for what must come.
const patience = 20 * time.Second

func TestNothingIsLeft(t *testing.T) {
	upAndDown := func() {
		w, err := lab.SevenTunnels()
		must(t, err)
		mustAnswer(t, w.VPN(lab.Office, "").Near.Node, "10.3.0.20")
		must(t, w.Close())
		must(t, w.Close()) // again: no error
	}
	upAndDown() // what the runtime keeps for ever exists from now on
	goroutines, files := runtime.NumGoroutine(), len(links(t, "/proc/self/fd/*"))
	upAndDown()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		g, f, ns := runtime.NumGoroutine(), links(t, "/proc/self/fd/*"), strangeNamespaces(t)
		if g <= goroutines && len(f) <= files && len(ns) == 0 {
			return
		}
		if time.Now().After(end) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before; %d files, %d before: %q; namespaces %q\n%s",
				g, goroutines, len(f), files, f, ns, stacks[:runtime.Stack(stacks, true)])
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

// network is a node's network namespace, by its name in /proc.
func network(n *lab.Node) (name string) {
	n.Do(func() (err error) {
		name, err = os.Readlink("/proc/thread-self/ns/net")
		return err
	})
	return name
}

// programsIn lists the programs in network namespaces, each as its process and
// its name. When a namespace is gone, a new one may get its name.
func programsIn(namespaces ...string) (programs []string) {
	links, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, link := range links {
		dir := strings.TrimSuffix(link, "/ns/net")
		if ns, err := os.Readlink(link); err == nil && slices.Contains(namespaces, ns) {
			name, _ := os.ReadFile(dir + "/comm")
			programs = append(programs, dir+" "+strings.TrimSpace(string(name)))
		}
	}
	return programs
}

// TestNothingIsLeftOfATunnel closes each kind.
func TestNothingIsLeftOfATunnel(t *testing.T) {
	overEach(t, func(t *testing.T, p *pair) {
		for _, pattern := range []string{"/run/*charon*", "/etc/swanctl/private/*"} {
			if found, _ := filepath.Glob(pattern); found != nil {
				t.Errorf("files of the tunnel are in sight: %s", found)
			}
		}
		gateways := []string{network(p.Near.Gateway), network(p.Far.Gateway)}
		if p.kind.Name != "wireguard" && len(programsIn(gateways...)) != 2 {
			t.Fatal("the programs are not found while the tunnel stands")
		}
		must(t, p.Tunnel.Close())
		must(t, p.Tunnel.Close())
		if programs := programsIn(gateways...); len(programs) > 0 {
			t.Errorf("left: %q", programs)
		}
		if hasInterface(p.Near.Gateway, p.Tunnel.Interface) || hasInterface(p.Far.Gateway, p.Tunnel.Interface) {
			t.Errorf("%s is left", p.Tunnel.Interface)
		}
	})
}

// stay makes a tunnel of each kind, says where its programs are, and waits to be
// killed.
func stay() error {
	for _, kind := range lab.Kinds() {
		p, err := lab.NewPair(kind)
		if err != nil {
			return err
		}
		fmt.Println(network(p.Near.Gateway))
		fmt.Println(network(p.Far.Gateway))
	}
	fmt.Println("ready")
	select {}
}

func TestProgramsEndWithTheProcess(t *testing.T) {
	t.Parallel()
	cmd := task("stay")
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var namespaces []string
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		namespaces = append(namespaces, lines.Text())
	}
	programs := programsIn(namespaces...)
	must(t, cmd.Process.Kill())
	cmd.Wait()
	if len(programs) != 4 {
		t.Fatalf("%q before the end, want two charons and two openvpns: %q", programs, namespaces)
	}
	left := func() []string {
		return slices.DeleteFunc(programsIn(namespaces...), func(p string) bool { return !slices.Contains(programs, p) })
	}
	for end := time.Now().Add(patience); len(left()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("left: %q", left())
		}
	}
}
