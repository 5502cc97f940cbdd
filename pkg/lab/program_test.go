package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
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
		wait, _ := time.ParseDuration(os.Args[2])
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		addresses, err := (&net.Resolver{PreferGo: true}).LookupHost(ctx, os.Args[1])
		if err != nil {
			fmt.Println(err)
			return 2
		}
		fmt.Println(strings.Join(addresses, " "))
	case "interfaces":
		interfaces, _ := net.Interfaces()
		for _, i := range interfaces {
			fmt.Println(i.Name)
		}
	case "get":
		client := http.Client{Timeout: 5 * time.Second}
		response, err := client.Get(os.Args[1])
		if err != nil {
			fmt.Println(err)
			return 2
		}
		response.Body.Close()
		fmt.Println(response.Status)
	case "stay":
		fmt.Println(stay())
		return 2
	case "sleep":
		time.Sleep(time.Hour)
	}
	fmt.Fprintln(os.Stderr, "done")
	return 0
}

func task(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	// With the race detector, a program sleeps for a second before it ends.
	cmd.Env = append(os.Environ(), inSite+"="+name, "GORACE=atexit_sleep_ms=0")
	return cmd
}

func run(t *testing.T, n *lab.Node, cmd *exec.Cmd) lab.Result {
	t.Helper()
	r, err := n.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestProgram(t *testing.T) {
	p := newPair(t)
	r := run(t, p.near.Node, task("interfaces"))
	if r.Stdout != "lo\neth0\n" || r.Stderr != "done\n" || r.Code != 0 || r.Took <= 0 {
		t.Errorf("at the host: %+v", r)
	}
	if r := run(t, p.near.Gateway, task("interfaces")); !strings.Contains(r.Stdout, p.tunnel.Interface+"\n") {
		t.Errorf("at the gateway: %+v", r)
	}
	if _, err := p.near.Run(exec.Command("/no/such/program")); err == nil {
		t.Error("no error for a program that does not exist")
	}
}

func TestProgramEndsWithItsSite(t *testing.T) {
	p := newPair(t)
	cmd := task("sleep")
	if err := p.near.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	outlives := time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
	cmd.Wait()
	if !outlives.Stop() {
		t.Error("the program outlives its site")
	}
}

func TestResolver(t *testing.T) {
	p := newPair(t)
	before, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Fatal(err)
	}
	records := map[string][]netip.Addr{"web.example": lab.Addrs(web, web6)}
	dns, err := p.near.ServeDNS(lab.Addrs(nearGateway)[0], records)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.near.SetResolver(lab.Addrs(nearGateway)...); err != nil {
		t.Fatal(err)
	}
	resolve := func(name string, wait time.Duration) lab.Result {
		t.Helper()
		return run(t, p.near.Node, task("resolve", name, wait.String()))
	}

	if r := resolve("web.example", 5*time.Second); r.Stdout != web+" "+web6+"\n" {
		t.Errorf("web.example: %+v", r)
	}
	if r := resolve("other.example", 5*time.Second); r.Code != 2 || !strings.Contains(r.Stdout, "no such host") {
		t.Errorf("a name that does not exist: %+v", r)
	}
	dns.Set(lab.DNSAnswers, 150*time.Millisecond)
	if r := resolve("web.example", 5*time.Second); r.Code != 0 || r.Took < 150*time.Millisecond {
		t.Errorf("a slow server: %+v", r)
	}
	for _, mode := range []lab.DNSMode{lab.DNSSilent, lab.DNSRefuses, lab.DNSGarbage} {
		dns.Set(mode, 0)
		if r := resolve("web.example", quiet); r.Code != 2 {
			t.Errorf("mode %d: %+v", mode, r)
		}
	}
	dns.Set(lab.DNSAnswers, 0)
	if err := p.near.SetResolver(); err != nil {
		t.Fatal(err)
	}
	if r := resolve("web.example", quiet); r.Code != 2 {
		t.Errorf("without a server: %+v", r)
	}
	if after, _ := os.ReadFile("/etc/resolv.conf"); string(after) != string(before) {
		t.Error("the resolv.conf outside the lab has changed")
	}
}

func TestSysctl(t *testing.T) {
	p := newPair(t)
	if err := p.near.Sysctl("net/ipv4/ping_group_range", "1 0"); err != nil {
		t.Fatal(err)
	}
	err := p.near.Do(func() error {
		_, err := newPinger(lab.Addrs(one)[0], time.Second)
		return err
	})
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("a socket for pings: %v, want a refusal", err)
	}
	mustAnswer(t, p.near.Gateway, one) // another namespace, another setting
}

func TestDoThatDoesNotReturn(t *testing.T) {
	p := newPair(t)
	done := make(chan error)
	go func() { done <- p.near.Do(func() error { runtime.Goexit(); return nil }) }()
	if err := <-done; err == nil {
		t.Error("no error for a function that left its goroutine")
	}
}
