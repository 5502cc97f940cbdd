package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"checkvpn/pkg/lab"
)

// world is a near site where the checks run and a far site with a thousand
// machines and one. Between them is no tunnel: to encrypt would take more of the
// two cores than what is measured. The far addresses are from the range for
// benchmarks (RFC 2544), to which the laboratory's internet leads.
type world struct {
	*lab.Internet
	near, far *lab.Site
	targets   []string
	dir       string // for what is built
}

const (
	most    = 1000
	witness = "198.18.100.1" // the one, which fping watches while the others are checked
	dead    = "198.18.200.1" // nobody has it
)

func newWorld() (_ *world, err error) {
	i, err := lab.NewInternet()
	if err != nil {
		return nil, err
	}
	w := &world{Internet: i}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.dir, err = os.MkdirTemp("", "check-vpn-bench-"); err != nil {
		return nil, err
	}
	if err := w.buildPrinter(); err != nil {
		return nil, err
	}
	machines := lab.Machine{Name: "machines", Addrs: lab.Addrs(witness)}
	for n := range most {
		a := netip.AddrFrom4([4]byte{198, 18, byte(1 + n/250), byte(1 + n%250)})
		machines.Addrs = append(machines.Addrs, a)
		w.targets = append(w.targets, a.String())
	}
	if w.near, err = i.AddSite(lab.SiteConfig{
		Name: "near", Public: lab.Addrs("192.0.2.1"), Networks: lab.Prefixes("10.1.0.0/24"),
		GatewayAddrs: lab.Addrs("10.1.0.1"), HostAddrs: lab.Addrs("10.1.0.20"), HostPublic: lab.Addrs("192.0.2.20"),
	}); err != nil {
		return nil, err
	}
	w.far, err = i.AddSite(lab.SiteConfig{
		Name: "far", Public: lab.Addrs("203.0.113.1"), Networks: lab.Prefixes("198.18.0.0/16"),
		GatewayAddrs: lab.Addrs("198.18.0.254"), Machines: []lab.Machine{machines},
	})
	return w, err
}

func (w *world) close() error { return errors.Join(w.Internet.Close(), os.RemoveAll(w.dir)) }

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// printer is the program that start-up is compared to.
const printer = `package main

import "fmt"

func main() { fmt.Println("hello") }
`

// buildPrinter builds it as the plugins are built.
func (w *world) buildPrinter() error {
	source := w.path("printer.go")
	if err := os.WriteFile(source, []byte(printer), 0o644); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", w.path("printer"), source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build a program that prints a line: %w: %s", err, text)
	}
	return nil
}

// enter sets the way to the far site, and what ICMP is allowed at the near one.
func (w *world) enter(c lab.Conditions, raw bool) error {
	w.SetBoth(w.near, w.far, c)
	time.Sleep(300 * time.Millisecond) // what is under way arrives
	groups := "0 2147483647"
	if raw {
		groups = "1 0"
	}
	return w.near.Sysctl("net/ipv4/ping_group_range", groups)
}
