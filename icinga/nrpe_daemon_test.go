package icinga_test

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"

	"github.com/vishvananda/netlink"
)

const (
	nrpe      = "/usr/sbin/nrpe"
	checkNRPE = "/usr/lib/nagios/plugins/check_nrpe"

	// installed is where the files of configuration find the plugins.
	installed = "/usr/lib/nagios/plugins/check_vpn_"
)

// NRPE's ports at a node: for check_vpn.cfg, and for its short variant.
const (
	nrpePort      = 5666
	nrpePortShort = 5667
)

// startNRPE runs NRPE at a node's loopback, with a file of this project and
// Debian's own settings around it. NRPE passes no environment on, so what the
// plugins need of the laboratory stands in the commands.
func startNRPE(t *testing.T, node *lab.Node, file string, port int, env []string) {
	t.Helper()
	who, err := monitor()
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t)
	call := "/usr/bin/env " + strings.Join(env, " ") + " " + plugins + "/check_vpn_"
	commands := strings.ReplaceAll(read(t, filepath.Join("nrpe", file)), installed, call)
	write(t, filepath.Join(dir, file), commands)
	write(t, filepath.Join(dir, "nrpe.cfg"), fmt.Sprintf(`server_address=127.0.0.1
server_port=%d
allowed_hosts=127.0.0.1
dont_blame_nrpe=0
nrpe_user=nagios
nrpe_group=nagios
command_timeout=60
log_file=%[2]s/nrpe.log
pid_file=%[2]s/nrpe.pid
include=%[2]s/%[3]s
`, port, dir, file))
	cmd := exec.Command(nrpe, "-c", filepath.Join(dir, "nrpe.cfg"), "-f")
	cmd.Env = env
	daemon(t, node, who, cmd)
	eventually(t, "NRPE listens", 30*time.Second, func() bool {
		conn, err := node.Dial(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// manage gives one node a way to another's NRPE at an address, as a network for
// management has it beside the tunnels. The address answers pings, too.
func manage(t *testing.T, from, to *lab.Node, address string) {
	t.Helper()
	var l net.Listener
	err := from.Do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		a, err := netlink.ParseAddr(address + "/32")
		if err != nil {
			return err
		}
		if err := netlink.AddrReplace(lo, a); err != nil {
			return err
		}
		l, err = net.Listen("tcp", fmt.Sprintf("%s:%d", address, nrpePort))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go join(t, conn, to)
		}
	}()
}

// join passes a connection on to a node's NRPE.
func join(t *testing.T, conn net.Conn, to *lab.Node) {
	defer conn.Close()
	onward, err := to.Dial(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", nrpePort))
	if err != nil {
		return
	}
	defer onward.Close()
	go func() {
		io.Copy(onward, conn)
		onward.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(conn, onward)
}
