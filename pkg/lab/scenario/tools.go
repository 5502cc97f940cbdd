package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"checkvpn/icinga"
	"checkvpn/pkg/lab"
)

// plugins are the three.
var plugins = []string{"check_vpn_office", "check_vpn_dr", "check_vpn_licensing"}

// tools are what all places share.
type tools struct {
	dir    string // of the built plugins, of check_vpn.ini and of the places
	record string
	slots  chan struct{} // a place each

	authority *lab.Authority // that the plugins trust over a plain link
	seven     func() (*lab.World, error)
	world     *lab.World // once it is raised
}

// newTools builds the plugins as `make build` does.
func newTools(o options) (_ *tools, err error) {
	atOnce := 8 // places mostly wait
	if o.show {
		atOnce = 3 // or the demo would show how busy the host is
	}
	t := &tools{record: o.record, slots: make(chan struct{}, atOnce)}
	t.seven = sync.OnceValues(func() (w *lab.World, err error) {
		t.world, err = icinga.SevenTunnels()
		return t.world, err
	})
	if t.authority, err = lab.NewAuthority(); err != nil {
		return nil, err
	}
	if t.dir, err = folder("", "check-vpn-scenario-"); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(t.dir, "check_vpn.ini"), []byte(icinga.Tunnels), 0o644); err != nil {
		return nil, err
	}
	build := exec.Command("go", "build", "-trimpath", "-o", t.dir+"/", "checkvpn/check_vpn_...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.close()
		return nil, fmt.Errorf("cannot build the plugins: %w\n%s", err, text)
	}
	return t, nil
}

// folder makes one that others may read: some plugins run as nobody.
func folder(in, prefix string) (string, error) {
	dir, err := os.MkdirTemp(in, prefix)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

func (t *tools) close() {
	if t.world != nil {
		t.world.Close()
	}
	os.RemoveAll(t.dir)
}

// place makes one: a plain link to a peer, a kind of tunnel, or a section of
// check_vpn.ini.
func (t *tools) place(x *play) (p *place, err error) {
	p = &place{way: x.way, authority: t.authority}
	if p.dir, err = folder(t.dir, "place-"); err != nil {
		return p, err
	}
	trusted := t.authority.PEM
	kind := slices.IndexFunc(lab.Kinds(), func(k lab.Kind) bool { return k.Name == x.way })
	switch {
	case x.way == link:
		if p.Node, err = lab.NewNode(); err == nil {
			p.close = p.Node.Close
			err = p.connect("tun0", x.peer, behindTun0...)
		}
	case kind >= 0:
		if p.pair, err = lab.NewPair(lab.Kinds()[kind]); err == nil {
			p.close = p.pair.Close
			p.Node, p.net, p.VPN, trusted = p.pair.Near.Node, p.pair.Internet, p.pair.VPN, p.pair.CA()
			err = t.whole(p)
		}
	default:
		var world *lab.World
		if world, err = t.seven(); err == nil {
			name, environment, _ := strings.Cut(x.way, "-")
			p.net, p.VPN, trusted = world.Internet, world.VPN(name, environment), world.Internet.CA()
			p.Node = p.Near.Node
		}
	}
	return p, errors.Join(err, p.write("authority.pem", string(trusted), 0o644))
}
