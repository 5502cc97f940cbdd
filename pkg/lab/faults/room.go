package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"checkvpn/pkg/lab"
)

// room is where one plugin meets one fault, and nobody else is disturbed: a
// network namespace with a loopback, where servers of the row listen, and a
// device tun0 behind which 10.2.0.0/16 and fd00:2::/32 lie. What answers there
// is the row's peer.
type room struct {
	*lab.Node
	tools *tools
	dir   string // for files of the row; others may read it

	mu      sync.Mutex
	closers []io.Closer
	program int // the process id of the plugin, once it runs
	failed  error
}

// tools are what all rows share.
type tools struct {
	plugins string // folder of the built plugins
	stepped string // folder of those whose clock steps
	certs   *certificates
}

var (
	ownAddrs   = []netip.Addr{netip.MustParseAddr("10.1.0.20"), netip.MustParseAddr("fd00:1::20")}
	farNetwork = []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16"), netip.MustParsePrefix("fd00:2::/32")}
)

func newRoom(t *tools) (_ *room, err error) {
	r := &room{tools: t}
	if r.dir, err = os.MkdirTemp(t.plugins, "room-"); err != nil {
		return nil, err
	}
	if err = os.Chmod(r.dir, 0o755); err == nil {
		r.Node, err = lab.NewNode()
	}
	if err != nil {
		os.RemoveAll(r.dir)
	}
	return r, err
}

func (r *room) close() {
	r.mu.Lock()
	for _, c := range r.closers {
		c.Close()
	}
	r.mu.Unlock()
	r.Node.Close()
	os.RemoveAll(r.dir)
}

func (r *room) closeLater(c io.Closer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closers = append(r.closers, c)
}

// note keeps an error of what happens in the room while the plugin runs.
func (r *room) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = errors.Join(r.failed, err)
}

func (r *room) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// connect makes a device with a peer behind it.
func (r *room) connect(name string, p peer, routes ...netip.Prefix) error {
	file, err := r.OpenDevice(lab.Device{Name: name, MTU: 1400, Addrs: ownAddrs, Routes: routes})
	if err != nil {
		return err
	}
	r.closeLater(file)
	go p.serve(wire{file})
	return nil
}

// listen serves connections to an address of the room.
func (r *room) listen(address string, serve func(net.Conn)) error {
	var l net.Listener
	err := r.Do(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		return err
	}
	r.closeLater(l)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return nil
}

// process is a plugin that runs, or has run.
type process struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr bytes.Buffer
	began  time.Time
	took   time.Duration
	code   int // -1 when a signal ended it
}

// start starts a plugin; odd may change what is started.
func (r *room) start(program string, args []string, odd func(*room, *exec.Cmd)) (*process, error) {
	p := &process{cmd: exec.Command(program, args...)}
	p.cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+r.tools.certs.authorityFile)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.WaitDelay = time.Second // for rows that leave a pipe open
	if odd != nil {
		odd(r, p.cmd)
	}
	p.began = time.Now()
	if err := r.Start(p.cmd); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.program = p.cmd.Process.Pid
	return p, nil
}

// pid is the process id of the plugin, which may be faster than who starts it.
func (r *room) pid() int {
	for {
		r.mu.Lock()
		pid := r.program
		r.mu.Unlock()
		if pid != 0 {
			return pid
		}
		time.Sleep(time.Millisecond)
	}
}

// wait waits for the plugin's end, and kills what runs far too long.
func (p *process) wait(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit+5*time.Second)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { p.cmd.Process.Kill() })
	defer stop()
	err := p.cmd.Wait()
	p.took, p.code = time.Since(p.began), p.cmd.ProcessState.ExitCode()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return err
}

// asNobody starts a plugin without any privilege.
func asNobody(_ *room, cmd *exec.Cmd) {
	attributes(cmd).Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
}

func attributes(cmd *exec.Cmd) *syscall.SysProcAttr {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	return cmd.SysProcAttr
}

// inShell starts a plugin by a shell, which first does something to itself.
func inShell(first string) func(*room, *exec.Cmd) {
	return func(_ *room, cmd *exec.Cmd) {
		cmd.Args = append([]string{"sh", "-c", first + `; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
	}
}

// withEnv adds to the environment.
func withEnv(env ...string) func(*room, *exec.Cmd) {
	return func(r *room, cmd *exec.Cmd) {
		for _, e := range env {
			cmd.Env = append(cmd.Env, strings.ReplaceAll(e, "{dir}", r.dir))
		}
	}
}

// write makes a file of the row and gives its name.
func (r *room) write(name string, data []byte, mode os.FileMode) error {
	path := filepath.Join(r.dir, name)
	return errors.Join(os.WriteFile(path, data, mode), os.Chmod(path, mode))
}

// run runs a tool in the room to its end.
func (r *room) run(program string, args ...string) error {
	result, err := r.Run(exec.Command(program, args...))
	if err == nil && result.Code != 0 {
		err = fmt.Errorf("%s %s: %s%s", program, strings.Join(args, " "), result.Stdout, result.Stderr)
	}
	return err
}
