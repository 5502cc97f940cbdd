package main

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"checkvpn/pkg/lab"
)

// place is where a scenario happens. A plain link is a network namespace for one
// row: a loopback, where the row's servers listen, and a device tun0, behind which
// 10.2.0.0/16 and fd00:2::/32 lie and the row's peer answers. A tunnel has a place
// for all its rows, and what a row breaks is mended after it.
type place struct {
	*lab.Node // where the command runs
	way       string
	dir       string // for files of the row; others may read it
	close     func() error

	// Over a tunnel.
	*lab.VPN
	net  *lab.Internet
	pair *lab.Pair // of one kind; nil for a section of check_vpn.ini

	authority *lab.Authority // of the servers at a plain link

	mu     sync.Mutex
	mends  []func() error
	pid    int // of the plugin, once it runs
	failed error
}

// breaker breaks a place, and has it mended after the row.
type breaker func(*place) error

// all breaks several things.
func all(parts ...breaker) breaker {
	return func(p *place) error {
		for _, part := range parts {
			if err := part(p); err != nil {
				return err
			}
		}
		return nil
	}
}

// tool runs a command where the plugin runs, such as ip's or nft's.
func tool(line string) breaker {
	args := words(line)
	return func(p *place) error { return p.Tool(args[0], args[1:]...) }
}

// undo has something done after the row.
func (p *place) undo(mend func() error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mends = append(p.mends, mend)
}

// mend makes the place whole again, in the opposite order, and gives what went wrong
// there.
func (p *place) mend() error {
	p.mu.Lock()
	mends, err := p.mends, p.failed
	p.mends, p.failed, p.pid = nil, nil, 0
	p.mu.Unlock()
	for _, m := range slices.Backward(mends) {
		err = errors.Join(err, m())
	}
	return err
}

// note keeps an error of what happens in the place while the plugin runs.
func (p *place) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = errors.Join(p.failed, err)
}

// process is the plugin's id. The first packet may be there before whoever
// started it knows.
func (p *place) process() int {
	for ; ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		pid := p.pid
		p.mu.Unlock()
		if pid != 0 {
			return pid
		}
	}
}

var (
	hostAddrs  = lab.Addrs(lab.PairHost, "fd00:1::20")
	behindTun0 = lab.Prefixes("10.2.0.0/16", "fd00:2::/32")
)

// connect makes a device with a peer behind it.
func (p *place) connect(name string, by peer, routes ...netip.Prefix) error {
	file, err := p.OpenDevice(lab.Device{Name: name, MTU: 1400, Addrs: hostAddrs, Routes: routes})
	if err != nil {
		return err
	}
	p.Defer(file)
	if by == nil {
		by = answers
	}
	go by.serve(wire{p, file})
	return nil
}

// write makes a file of the row.
func (p *place) write(name, text string, mode os.FileMode) error {
	path := filepath.Join(p.dir, name)
	return errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode))
}

// starter changes how the plugin is started.
type starter func(*place, *exec.Cmd)

// asNobody starts it without any privilege.
func asNobody(_ *place, cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}

// inShell starts it by a shell, which first does something to itself.
func inShell(first string) starter {
	return func(_ *place, cmd *exec.Cmd) {
		cmd.Args = append([]string{"sh", "-c", first + `; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
	}
}

// withEnv adds to the environment.
func withEnv(env ...string) starter {
	return func(p *place, cmd *exec.Cmd) {
		for _, e := range env {
			cmd.Env = append(cmd.Env, strings.ReplaceAll(e, "{dir}", p.dir))
		}
	}
}
