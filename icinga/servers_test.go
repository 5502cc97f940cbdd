//go:build web || basket

package icinga_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

const postgresPort = 15432

// servers are daemons with a folder of their own, at the loopback of a node.
type servers struct {
	dir  string
	node *lab.Node
}

func (s *servers) path(of ...string) string {
	return filepath.Join(append([]string{s.dir}, of...)...)
}

// start runs a program as a user until the test ends.
func (s *servers) start(t *testing.T, as string, env []string, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
	cmd.Dir = s.dir
	daemon(t, s.node, credential(t, as), cmd)
}

// run runs a program as a user to its end, and returns what it printed.
func (s *servers) run(t *testing.T, as string, env []string, input, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
	cmd.Dir = s.dir
	cmd.Stdin = strings.NewReader(input)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t, as)}
	r, err := s.node.Run(cmd)
	if err != nil || r.Code != 0 {
		t.Fatalf("%s %q: %v, %+v", program, args, err, r)
	}
	return r.Stdout
}

func credential(t *testing.T, as string) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup(as)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// give makes all in a folder a user's.
func (s *servers) give(t *testing.T, sub, to string) {
	t.Helper()
	who := credential(t, to)
	err := filepath.Walk(s.path(sub), func(path string, _ os.FileInfo, err error) error {
		return errors.Join(err, os.Lchown(path, int(who.Uid), int(who.Gid)))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *servers) dial(ctx context.Context, port int) (net.Conn, error) {
	return s.node.Dial(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
}

func (s *servers) listens(t *testing.T, port int) {
	t.Helper()
	eventually(t, fmt.Sprintf("something listens at %d", port), time.Minute, func() bool {
		conn, err := s.dial(t.Context(), port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// startPostgres makes a cluster of databases with one in it, which belongs to a
// role of its name. It returns how to ask it, as that role or another.
func (s *servers) startPostgres(t *testing.T, name string) (psql func(role string, args ...string) string) {
	t.Helper()
	bin := filepath.Dir(files(t, "/usr/lib/postgresql/*/bin/initdb")[0])
	socket, data := s.path("postgres"), s.path("postgres", "data")
	if err := os.Mkdir(socket, 0o755); err != nil {
		t.Fatal(err)
	}
	s.give(t, "postgres", "postgres")
	s.run(t, "postgres", nil, "", bin+"/initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
	s.start(t, "postgres", nil, bin+"/postgres", "-D", data, "-p", strconv.Itoa(postgresPort), "-k", socket,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")
	// It listens before it is ready to answer.
	eventually(t, "PostgreSQL answers", time.Minute, func() bool {
		r, err := s.node.Run(exec.Command(bin+"/pg_isready", "-q", "-h", socket, "-p", strconv.Itoa(postgresPort)))
		return err == nil && r.Code == 0
	})
	base := []string{"-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", socket, "-p", strconv.Itoa(postgresPort)}
	s.run(t, "postgres", nil, "", bin+"/psql", append(base, "-c", "create role "+name+" login", "-c", "create database "+name+" owner "+name, "postgres")...)
	return func(role string, args ...string) string {
		t.Helper()
		return s.run(t, "postgres", nil, "", bin+"/psql", append(append(slices.Clone(base), "-U", role, "-d", name), args...)...)
	}
}

// webRoot is where Debian has Icinga Web 2.
const webRoot = "/usr/share/icingaweb2/public"

// startPHP serves Icinga Web 2, of which a folder has the configuration. Whoever
// comes is let in, as test.
func (s *servers) startPHP(t *testing.T, configuration string) {
	t.Helper()
	s.give(t, configuration, "www-data")
	s.start(t, "www-data", []string{"REMOTE_USER=test", "ICINGAWEB_CONFIGDIR=" + s.path(configuration)},
		"/usr/bin/php", "-S", fmt.Sprintf("127.0.0.1:%d", webPort), "-t", webRoot, webRoot+"/index.php")
	s.listens(t, webPort)
}

const webPort = 18080
