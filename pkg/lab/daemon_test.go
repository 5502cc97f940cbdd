package lab_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

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
		gateways := []string{network(p.near.Gateway), network(p.far.Gateway)}
		files := func() string {
			var all []string
			for _, pattern := range []string{"/run/*", "/etc/strongswan.conf", "/etc/swanctl/*", "/etc/swanctl/*/*"} {
				found, _ := filepath.Glob(pattern)
				all = append(all, found...)
			}
			return strings.Join(all, " ")
		}
		if all := files(); strings.Contains(all, "charon") || strings.Contains(all, "private/") {
			t.Errorf("files of the tunnel are in sight: %s", all)
		}
		if p.kind != "wireguard" && (len(programsIn(gateways[0])) == 0 || len(programsIn(gateways[1])) == 0) {
			t.Fatal("no programs found while the tunnel stands")
		}
		must(t, p.tunnel.Close())
		must(t, p.tunnel.Close())
		for n, g := range []*lab.Node{p.near.Gateway, p.far.Gateway} {
			if programs := programsIn(gateways[n]); len(programs) > 0 {
				t.Errorf("left: %q", programs)
			}
			if hasInterface(t, g, p.tunnel.Interface) {
				t.Errorf("%s is left", p.tunnel.Interface)
			}
		}
	})
}

// stay makes tunnels of each kind, says where their programs are, and waits to
// be killed.
func stay() error {
	i, err := lab.NewInternet()
	if err != nil {
		return err
	}
	for n, kind := range lab.Kinds() {
		var sites [2]*lab.Site
		for m := range sites {
			sites[m], err = i.AddSite(lab.SiteConfig{
				Name:         fmt.Sprint(kind.Name, m),
				Public:       lab.Addrs(fmt.Sprintf("192.0.2.%d", 2*n+m)),
				Networks:     lab.Prefixes(fmt.Sprintf("10.%d.0.0/16", 2*n+m)),
				GatewayAddrs: lab.Addrs(fmt.Sprintf("10.%d.0.1", 2*n+m)),
			})
			if err != nil {
				return err
			}
		}
		if _, err := kind.Raise(i, sites[0], sites[1]); err != nil {
			return err
		}
		fmt.Println(network(sites[0].Gateway))
		fmt.Println(network(sites[1].Gateway))
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
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left := programsIn(namespaces...)
		left = slices.DeleteFunc(left, func(p string) bool { return !slices.Contains(programs, p) })
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("left: %q", left)
		}
	}
}
