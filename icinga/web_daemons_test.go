//go:build web

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
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

// Where the parts of Icinga Web 2 listen, at the loopback of their node.
const (
	redisPort    = 16380
	postgresPort = 15432
	webPort      = 18080
)

// web is Icinga Web 2 and what it needs, at a node: Redis, Icinga DB and
// PostgreSQL.
type web struct {
	dir  string
	node *lab.Node
}

// newWeb starts Redis, which Icinga 2 wants to find.
func newWeb(t *testing.T, node *lab.Node) *web {
	t.Helper()
	w := &web{folder(t), node}
	for _, sub := range []string{"redis", "postgres", "web", "web/log", "web/enabledModules", "web/modules", "web/modules/icingadb"} {
		if err := os.Mkdir(w.path(sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.start(t, "root", nil, "/usr/bin/redis-server", "--port", strconv.Itoa(redisPort), "--bind", "127.0.0.1",
		"--dir", w.path("redis"), "--save", "", "--appendonly", "no")
	w.listens(t, redisPort)
	return w
}

func (w *web) path(of ...string) string {
	return filepath.Join(append([]string{w.dir}, of...)...)
}

// start runs a program as a user until the test ends.
func (w *web) start(t *testing.T, as string, env []string, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
	cmd.Dir = w.dir
	daemon(t, w.node, credential(t, as), cmd)
}

// run runs a program as a user to its end.
func (w *web) run(t *testing.T, as, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = w.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t, as)}
	if r, err := w.node.Run(cmd); err != nil || r.Code != 0 {
		t.Fatalf("%s: %v, %+v", program, err, r)
	}
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
func (w *web) give(t *testing.T, sub, to string) {
	t.Helper()
	who := credential(t, to)
	err := filepath.Walk(w.path(sub), func(path string, _ os.FileInfo, err error) error {
		return errors.Join(err, os.Lchown(path, int(who.Uid), int(who.Gid)))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *web) dial(ctx context.Context, port int) (net.Conn, error) {
	return w.node.Dial(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
}

func (w *web) listens(t *testing.T, port int) {
	t.Helper()
	eventually(t, fmt.Sprintf("something listens at %d", port), time.Minute, func() bool {
		conn, err := w.dial(t.Context(), port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// feature is what Icinga 2 needs to write to Redis.
func (w *web) feature() string {
	return fmt.Sprintf("\nobject IcingaDB \"icingadb\" { host = \"127.0.0.1\", port = %d }\n", redisPort)
}

// finish starts the rest, when Icinga 2 runs.
func (w *web) finish(t *testing.T) {
	t.Helper()
	w.startPostgres(t)
	write(t, w.path("icingadb.yml"), fmt.Sprintf(`database: { type: pgsql, host: 127.0.0.1, port: %d, database: icingadb, user: icingadb, password: x }
redis: { host: 127.0.0.1, port: %d }
logging: { output: console, level: info }
`, postgresPort, redisPort))
	w.start(t, "nagios", nil, "/usr/sbin/icingadb", "-c", w.path("icingadb.yml"))
	w.configure(t)
	w.start(t, "www-data", []string{"REMOTE_USER=test", "ICINGAWEB_CONFIGDIR=" + w.path("web")},
		"/usr/bin/php", "-S", fmt.Sprintf("127.0.0.1:%d", webPort), "-t", webRoot, webRoot+"/index.php")
	w.listens(t, webPort)
}

const webRoot = "/usr/share/icingaweb2/public"

// startPostgres makes a cluster of databases and the one of Icinga DB in it.
func (w *web) startPostgres(t *testing.T) {
	t.Helper()
	bin := filepath.Dir(files(t, "/usr/lib/postgresql/*/bin/initdb")[0])
	socket, data := w.path("postgres"), w.path("postgres", "data")
	w.give(t, "postgres", "postgres")
	w.run(t, "postgres", bin+"/initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
	w.start(t, "postgres", nil, bin+"/postgres", "-D", data, "-p", strconv.Itoa(postgresPort), "-k", socket,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")
	w.listens(t, postgresPort)
	psql := func(args ...string) {
		w.run(t, "postgres", bin+"/psql", append([]string{"-q", "-h", socket, "-p", strconv.Itoa(postgresPort)}, args...)...)
	}
	psql("-c", "create role icingadb login", "-c", "create database icingadb owner icingadb", "postgres")
	psql("-c", "create extension citext", "icingadb")
	psql("-U", "icingadb", "-f", "/usr/share/icingadb/schema/pgsql/schema.sql", "icingadb")
}

// configure writes the files of Icinga Web 2: whoever comes is let in.
func (w *web) configure(t *testing.T) {
	t.Helper()
	for file, text := range map[string]string{
		"config.ini": "[global]\nconfig_backend = \"ini\"\nmodule_path = \"/usr/share/icingaweb2/modules\"\n" +
			"[logging]\nlog = \"file\"\nlevel = \"INFO\"\nfile = \"" + w.path("web/log/icingaweb2.log") + "\"\n",
		"authentication.ini": "[autologin]\nbackend = \"external\"\n",
		"roles.ini":          "[Administrators]\nusers = \"test\"\npermissions = \"*\"\n",
		"resources.ini": fmt.Sprintf("[icingadb]\ntype = \"db\"\ndb = \"pgsql\"\nhost = \"127.0.0.1\"\nport = \"%d\"\n"+
			"dbname = \"icingadb\"\nusername = \"icingadb\"\npassword = \"x\"\ncharset = \"utf8\"\n", postgresPort),
		"modules/icingadb/config.ini": "[icingadb]\nresource = \"icingadb\"\n",
		"modules/icingadb/redis.ini":  fmt.Sprintf("[redis1]\nhost = \"127.0.0.1\"\nport = \"%d\"\n", redisPort),
	} {
		write(t, w.path("web", file), text)
	}
	if err := os.Symlink("/usr/share/icingaweb2/modules/icingadb", w.path("web/enabledModules/icingadb")); err != nil {
		t.Fatal(err)
	}
	w.give(t, "web", "www-data")
}

// browse opens a page in headless Chromium, with a new profile, and returns what
// it prints.
func (w *web) browse(t *testing.T, page string, args ...string) string {
	t.Helper()
	profile, err := os.MkdirTemp(w.dir, "profile-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(profile)
	args = append([]string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--user-data-dir=" + profile,
		"--window-size=1400,1600", "--virtual-time-budget=8000",
	}, args...)
	cmd := exec.Command("/usr/bin/chromium", append(args, fmt.Sprintf("http://127.0.0.1:%d/%s", webPort, page))...)
	cmd.Env = append(os.Environ(), "HOME="+profile)
	r, err := w.node.Run(cmd)
	if err != nil || r.Code != 0 {
		t.Fatalf("chromium: %v, code %d: %s", err, r.Code, strings.TrimSpace(r.Stderr[max(0, len(r.Stderr)-2000):]))
	}
	return r.Stdout
}
