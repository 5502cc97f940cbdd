package lab

import (
	"context"
	"net"
	"sync"
)

// Node is one place in the lab where code and programs run: a gateway, or the
// host inside a site.
type Node struct {
	ns *namespace

	mu    sync.Mutex
	shell *shell
}

func newNode() (*Node, error) {
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

// Sysctl writes a kernel setting of the node's network, such as
// "net/ipv4/ping_group_range".
func (n *Node) Sysctl(path, value string) error {
	return n.Do(func() error { return setSysctl(path, value) })
}

func (n *Node) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.shell != nil {
		n.shell.close()
		n.shell = nil
	}
	return n.ns.close()
}
