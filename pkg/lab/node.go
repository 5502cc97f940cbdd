package lab

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
)

// Node is one place in the lab where code and programs run: a gateway, or the
// host inside a site.
type Node struct {
	ns *namespace

	mu      sync.Mutex
	shell   *shell
	closers []io.Closer
}

// NewNode returns a node that is joined to nothing: it has a loopback and no
// way out. The caller closes it.
func NewNode() (*Node, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	return &Node{ns: ns}, nil
}

// Do runs f at the node, on a thread of its own: the sockets that f opens
// belong there, and stay there for whoever uses them later.
//
// Goroutines that f starts run elsewhere, and so does what the net package does
// in goroutines of its own: resolving names, and racing IPv4 against IPv6. Give
// it addresses.
func (n *Node) Do(f func() error) error { return n.ns.do(f) }

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
	var l net.Listener
	if err := n.Do(func() (err error) { l, err = net.Listen("tcp", address); return err }); err != nil {
		return err
	}
	n.Defer(l)
	accept(l, serve)
	return nil
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

// Sysctl writes a kernel setting of the node's network, such as
// "net/ipv4/ping_group_range".
func (n *Node) Sysctl(path, value string) error {
	return n.Do(func() error { return setSysctl(path, value) })
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
	return n.ns.close()
}

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

// Device is a network device at a node, of which the caller holds the far end.
type Device struct {
	Name   string
	MTU    int
	Addrs  []netip.Addr   // the node's own, on the device
	Routes []netip.Prefix // what lies behind it
}

// OpenDevice makes a device. What the node sends by it is read from the file, a
// whole IP packet at a time, and what is written to the file the node receives.
// The device goes when the file is closed.
func (n *Node) OpenDevice(d Device) (file *os.File, err error) {
	err = n.Do(func() error {
		fd, err := openTUN(d.Name)
		if err != nil {
			return err
		}
		file = os.NewFile(uintptr(fd), tunPath)
		if err := d.raise(); err != nil {
			return errors.Join(err, file.Close())
		}
		return nil
	})
	return file, err
}

func (d Device) raise() error {
	link, err := raiseTUN(d.Name, d.MTU)
	if err != nil {
		return err
	}
	for _, a := range d.Addrs {
		if err := addAddress(link, a); err != nil {
			return err
		}
	}
	for _, p := range d.Routes {
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(p), Src: sameFamily(d.Addrs, p.Addr())}
		if err := netlink.RouteReplace(route); err != nil {
			return err
		}
	}
	return nil
}
