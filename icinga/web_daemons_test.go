//go:build web

package icinga_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"checkvpn/pkg/lab"
)

const redisPort = 16380

// web is Icinga Web 2 and what it needs, at a node: Redis, Icinga DB and
// PostgreSQL.
type web struct{ *servers }

// newWeb starts Redis, which Icinga 2 wants to find.
func newWeb(t *testing.T, node *lab.Node) *web {
	t.Helper()
	w := &web{&servers{folder(t), node}}
	for _, sub := range []string{"redis", "web", "web/log", "web/enabledModules", "web/modules", "web/modules/icingadb"} {
		if err := os.Mkdir(w.path(sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.start(t, "root", nil, "/usr/bin/redis-server", "--port", strconv.Itoa(redisPort), "--bind", "127.0.0.1",
		"--dir", w.path("redis"), "--save", "", "--appendonly", "no")
	w.listens(t, redisPort)
	return w
}

// feature is what Icinga 2 needs to write to Redis.
func (w *web) feature() string {
	return fmt.Sprintf("\nobject IcingaDB \"icingadb\" { host = \"127.0.0.1\", port = %d }\n", redisPort)
}

// finish starts the rest, when Icinga 2 runs.
func (w *web) finish(t *testing.T) {
	t.Helper()
	psql := w.startPostgres(t, "icingadb")
	psql("postgres", "-c", "create extension citext")
	psql("icingadb", "-f", "/usr/share/icingadb/schema/pgsql/schema.sql")
	write(t, w.path("icingadb.yml"), fmt.Sprintf(`database: { type: pgsql, host: 127.0.0.1, port: %d, database: icingadb, user: icingadb, password: x }
redis: { host: 127.0.0.1, port: %d }
logging: { output: console, level: info }
`, postgresPort, redisPort))
	w.start(t, "nagios", nil, "/usr/sbin/icingadb", "-c", w.path("icingadb.yml"))
	w.configure(t)
	w.startPHP(t, "web")
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
