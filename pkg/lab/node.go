package lab

import (
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

	"golang.org/x/sys/unix"
)

// Node is one place in the lab where code and programs run: a gateway, or the
// host inside a site.
type Node struct {
	// ns is a network namespace without a name. Only this descriptor, and the
	// sockets, devices and programs in it, keep it alive.
	ns *os.File

	mu      sync.Mutex
	shell   *shell
	closers []io.Closer
}

// NewNode returns a node that is joined to nothing: it has a loopback and no
// way out. The caller closes it.
func NewNode() (*Node, error) {
	n := new(Node)
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		return n.beHere()
	})
	if err != nil {
		return nil, fmt.Errorf("new network namespace: %w", err)
	}
	if err := n.prepare(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// another is the same node, with a shell of its own.
func (n *Node) another() (*Node, error) {
	a := new(Node)
	return a, n.Do(a.beHere)
}

// beHere makes n the node where the calling thread is.
func (n *Node) beHere() (err error) {
	n.ns, err = os.Open("/proc/thread-self/ns/net")
	return err
}

// prepare makes a new namespace ready for use.
func (n *Node) prepare() error {
	for _, s := range [][2]string{
		// Addresses must work at once, not after a second of asking around.
		{"net/ipv6/conf/all/accept_dad", "0"},
		{"net/ipv6/conf/default/accept_dad", "0"},
		{"net/ipv6/conf/default/accept_ra", "0"},
		// Packets come and go by different devices when a tunnel breaks.
		{"net/ipv4/conf/all/rp_filter", "0"},
		{"net/ipv4/conf/default/rp_filter", "0"},
		// Every packet gets its ICMP error, not one in a second.
		{"net/ipv4/icmp_ratelimit", "0"},
		{"net/ipv6/icmp/ratelimit", "0"},
	} {
		if err := n.Sysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	// Every group may open ICMP sockets. In a user namespace only the groups that
	// it maps may be named, and there that is group 0 alone.
	const groups = "net/ipv4/ping_group_range"
	err := n.Sysctl(groups, "0 2147483647")
	if errors.Is(err, unix.EINVAL) {
		err = n.Sysctl(groups, "0 0")
	}
	return errors.Join(err, n.ip("link set lo up"))
}

// Do runs f at the node, on a thread of its own: the sockets that f opens
// belong there, and stay there for whoever uses them later.
//
// Goroutines that f starts run elsewhere, and so does what the net package does
// in goroutines of its own: resolving names, and racing IPv4 against IPv6. Give
// it addresses.
func (n *Node) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns", err)
		}
		return f()
	})
}

// ip has ip(8) do this to the node's network, a command each: "link set lo up".
func (n *Node) ip(commands ...string) error {
	if len(commands) == 0 {
		return nil
	}
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n"))
	return n.Do(func() error {
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("ip: %w: %s, of %q", err, said, commands)
		}
		return nil
	})
}

// Sysctl writes a kernel setting of the node's network, such as
// "net/ipv4/ping_group_range".
func (n *Node) Sysctl(path, value string) error {
	return n.Do(func() error { return os.WriteFile(filepath.Join("/proc/sys", path), []byte(value), 0) })
}

// Dial connects to an address from the node. It fits http.Transport's
// DialContext, for URLs whose host is an address.
func (n *Node) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = n.Do(func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen serves connections to an address until the node is closed.
func (n *Node) Listen(address string, serve func(net.Conn)) error {
	return n.Do(func() error {
		l, err := net.Listen("tcp", address)
		if err == nil {
			n.Defer(l)
			accept(l, serve)
		}
		return err
	})
}

func accept(l net.Listener, serve func(net.Conn)) {
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
}

// Defer has something closed with the node.
func (n *Node) Defer(c io.Closer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closers = append(n.closers, c)
}

// Close takes down what serves at a node, and then the node. Programs that still
// run there are killed.
func (n *Node) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.closers {
		c.Close()
	}
	n.closers = nil
	if n.shell != nil {
		n.shell.close()
		n.shell = nil
	}
	return n.ns.Close()
}

// Start starts a program at the node. The caller waits for it (cmd.Wait). It is
// killed if it still runs when the node is closed.
func (n *Node) Start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
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
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		err = nil
	}
	return r, err
}

// Tool is Run where another exit code is an error.
func (n *Node) Tool(program string, args ...string) error {
	r, err := n.Run(exec.Command(program, args...))
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("%s %s: %s%s", program, strings.Join(args, " "), r.Stdout, r.Stderr)
	}
	return err
}

// SetResolver sets the name server of programs started at the node. Without one,
// names do not resolve.
func (n *Node) SetResolver(server netip.Addr) error {
	return n.inShell(func() error {
		return os.WriteFile("/etc/resolv.conf", []byte("nameserver "+server.String()+"\n"), 0o644)
	})
}

// inShell runs f on the thread that starts the node's programs.
func (n *Node) inShell(f func() error) (err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.shell == nil {
		if n.shell, err = newShell(n); err != nil {
			return err
		}
	}
	return n.shell.do(f)
}
