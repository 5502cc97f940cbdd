package lab_test

import (
	"flag"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"checkvpn/icinga"
	"checkvpn/pkg/lab"
)

// What the laboratory does to packets, names and servers is shown by the scenarios,
// which are red without it. Here is what they do not see.

func TestMain(m *testing.M) {
	if task := tasks[os.Getenv(asTask)]; task != nil {
		lab.Main(task)
	}
	flag.Set("test.parallel", "8") // they mostly wait; the command line may say otherwise
	lab.Main(m.Run)
}

// Addresses of the pair.
const (
	one    = "10.2.1.1"
	one6   = "fd00:2:1::1"
	other  = "10.2.2.1" // of another group
	nobody = "10.2.0.99"
	peer   = lab.PairPeer
	peer6  = "2001:db8:2::1"
)

// newPair makes one for a test. Such tests mostly wait, so they run side by side.
func newPair(t *testing.T, kind lab.Kind) *lab.Pair {
	t.Helper()
	t.Parallel()
	p, err := lab.NewPair(kind)
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// alive is what fping says of addresses. Its exit code is 0 if all answer, and 1 if
// some do not.
func alive(t *testing.T, n *lab.Node, options string, all ...string) string {
	t.Helper()
	r, err := n.Run(exec.Command("/usr/bin/fping", append(strings.Fields(options), all...)...))
	must(t, err)
	if r.Code > 1 {
		t.Fatalf("fping: exit code %d: %s", r.Code, r.Stderr)
	}
	return r.Stdout
}

func mustAnswer(t *testing.T, n *lab.Node, all ...string) {
	t.Helper()
	if silent := alive(t, n, "-u -r9 -B1 -t2000", all...); silent != "" {
		t.Fatalf("silent: %s", silent)
	}
}

func mustBeSilent(t *testing.T, n *lab.Node, all ...string) {
	t.Helper()
	if answer := alive(t, n, "-a -r0 -t300", all...); answer != "" {
		t.Fatalf("not silent: %s", answer)
	}
}

// passes tells whether an IPv4 packet of so many bytes passes unbroken.
func passes(t *testing.T, n *lab.Node, to string, bytes int) bool {
	t.Helper()
	return alive(t, n, "-a -r2 -B1 -t500 -M -b"+strconv.Itoa(bytes-28), to) != ""
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for _, kind := range lab.Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			p := newPair(t, kind)
			host := p.Near.Node
			mustAnswer(t, host, one, one6, other, peer, peer6, "fd00:1::1")
			mustAnswer(t, p.Near.Gateway, one, one6)
			mustAnswer(t, p.Far.Gateway, lab.PairHost, "fd00:1::20")
			mustBeSilent(t, host, nobody)
			must(t, p.Tunnel.SetMTU(1380))
			if !passes(t, host, one, 1380) || passes(t, host, one, 1381) {
				t.Error("not these sizes pass")
			}
			for range 2 {
				must(t, p.Tunnel.Down())
				must(t, p.Tunnel.Down()) // again: no error
				if p.Near.Gateway.Tool("ip", "link", "show", p.Tunnel.Interface) == nil {
					t.Errorf("%s is still there", p.Tunnel.Interface)
				}
				// Inner addresses mean nothing on the internet: the tunnel is the only way.
				mustBeSilent(t, host, one, one6)
				mustAnswer(t, host, peer)
				must(t, p.Tunnel.Up())
				must(t, p.Tunnel.Up())
				mustAnswer(t, host, one, one6)
			}
			// A machine's address may be where the tunnel's routes say they are from.
			must(t, p.Far.StopGroup("a"))
			mustAnswer(t, host, other)
			// To raise a tunnel ends, also if nobody is there.
			must(t, p.Tunnel.Down())
			p.Set(p.Far, p.Near, lab.Conditions{Cut: true})
			if p.Tunnel.Up() == nil {
				t.Error("it comes up alone")
			}
		})
	}
}

func TestSevenTunnels(t *testing.T) {
	w, err := icinga.SevenTunnels()
	must(t, err)
	defer w.Close()
	if len(w.VPNs) != 7 || w.VPN(lab.DR, "nowhere") != nil {
		t.Errorf("%d tunnels", len(w.VPNs))
	}
	for _, v := range w.VPNs {
		all := []string{v.Near.GatewayAddrs[0].String(), v.Far.Public[0].String()}
		for _, m := range v.Far.Machines {
			for _, a := range m.Addrs {
				all = append(all, a.String())
			}
		}
		mustAnswer(t, v.Near.Node, all...)
	}
	v := w.VPN(lab.Licensing, "production")
	must(t, v.Tunnel.Down())
	mustBeSilent(t, v.Near.Node, "10.5.0.1")
	// The same addresses in another environment, and another tunnel of the same
	// site, do not care.
	mustAnswer(t, w.VPN(lab.Licensing, "staging").Near.Node, "10.5.0.1")
	mustAnswer(t, v.Near.Node, "10.3.9.1", "203.0.113.80")
	if v.Far.StopMachine("z1") == nil || v.Far.StopGroup("z") == nil {
		t.Error("no error for a machine or group that does not exist")
	}
}

func TestProgram(t *testing.T) {
	p := newPair(t, lab.WireGuard)
	if _, err := p.Near.Run(exec.Command("/no/such/program")); err == nil {
		t.Error("no error for a program that does not exist")
	}
	if p.Near.Do(func() error { runtime.Goexit(); return nil }) == nil {
		t.Error("no error for a function that left its goroutine")
	}
	const file = "/etc/resolv.conf"
	before, err := os.ReadFile(file)
	must(t, err)
	r, err := p.Near.Run(exec.Command("cat", file))
	must(t, err)
	if after, _ := os.ReadFile(file); r.Stdout != "nameserver "+lab.PairGateway+"\n" || string(after) != string(before) {
		t.Errorf("%s in the lab: %q, outside: %q, %q before", file, r.Stdout, after, before)
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
