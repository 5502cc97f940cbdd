package lab

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Start starts a program at the node. The caller waits for it (cmd.Wait). It is
// killed if it still runs when the node is closed.
func (n *Node) Start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	if cmd.SysProcAttr.Pdeathsig == 0 {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	return n.inShell(cmd.Start)
}

// Result is what became of a program.
type Result struct {
	Stdout, Stderr string
	Code           int // exit code; -1 when a signal ended it
	Took           time.Duration
}

// Run runs a program at the node to its end. An exit code other than 0 is no
// error.
func (n *Node) Run(cmd *exec.Cmd) (Result, error) {
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	if err := n.Start(cmd); err != nil {
		return Result{}, err
	}
	err := cmd.Wait()
	r := Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), time.Since(start)}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return r, err
}

// SetResolver sets the name servers of programs started at the node. Without
// any, names do not resolve.
func (n *Node) SetResolver(servers ...netip.Addr) error {
	var conf strings.Builder
	for _, s := range servers {
		conf.WriteString("nameserver " + s.String() + "\n")
	}
	return n.inShell(func() error {
		return os.WriteFile("/etc/resolv.conf", []byte(conf.String()), 0o644)
	})
}

// inShell runs f on the thread that starts the node's programs.
func (n *Node) inShell(f func() error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.shell == nil {
		s, err := newShell(n.ns)
		if err != nil {
			return err
		}
		n.shell = s
	}
	return n.shell.do(f)
}
