package lab_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

func TestNothingIsLeft(t *testing.T) {
	upAndDown := func() {
		w, err := lab.SevenTunnels()
		if err != nil {
			t.Fatal(err)
		}
		office := w.VPN(lab.Office, "")
		mustAnswer(t, office.Near.Node, "10.3.0.20")
		if err := office.Near.StopInside(); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Errorf("closed again: %v", err)
		}
	}
	upAndDown() // what the runtime keeps for ever exists from now on

	goroutines, files := runtime.NumGoroutine(), len(openFiles(t))
	upAndDown()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		g, f, ns := runtime.NumGoroutine(), openFiles(t), strangeNamespaces(t)
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

func openFiles(t *testing.T) (files []string) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name, _ := os.Readlink("/proc/self/fd/" + e.Name())
		files = append(files, name)
	}
	return files
}

// strangeNamespaces are those of threads that are not where the process is.
func strangeNamespaces(t *testing.T) (strange []string) {
	for _, kind := range []string{"net", "mnt"} {
		own, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			t.Fatal(err)
		}
		links, _ := filepath.Glob("/proc/self/task/*/ns/" + kind)
		for _, link := range links {
			if ns, err := os.Readlink(link); err == nil && ns != own {
				strange = append(strange, ns)
			}
		}
	}
	return strange
}
