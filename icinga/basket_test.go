//go:build basket

package icinga_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/manual"
)

// director is Icinga Director with a database of its own, for an instance of
// Icinga 2.
type director struct {
	*servers
	psql func(role string, args ...string) string
}

// TestBasket restores the basket, makes a host and two services of
// each plugin by hand, and has a real Icinga run what Director deploys to it.
func TestBasket(t *testing.T) {
	basket, err := manual.Basket(pages(t))
	if err != nil {
		t.Fatal(err)
	}
	n := newIcinga2(t, "basket", someNode(t), 5665, nil)
	n.configure(t, n.bare(talkative(t))+n.api()+fmt.Sprintf(`
object Endpoint NodeName { host = "127.0.0.1", port = %d }
object Zone ZoneName { endpoints = [ NodeName ] }
object Zone "director-global" { global = true }
`, n.port))
	n.start(t, nil)
	d := newDirector(t, n)

	if said := d.cli(t, basket, "basket", "restore"); !strings.Contains(said, "restored") {
		t.Fatal(said)
	}
	for _, name := range tunnelKinds {
		d.create(t, "host", name, map[string]any{"check_command": "vpn_" + name + "_host", "vars": assignedJSON(t, name, "vpn_host_")})
		d.create(t, "service", "all", map[string]any{"host": name, "check_command": "vpn_" + name, "vars": assignedJSON(t, name, "vpn_")})
		d.create(t, "service", "none", map[string]any{"host": name, "check_command": "vpn_" + name})
	}
	if said := d.cli(t, "", "config", "deploy"); !strings.Contains(said, "deployed") {
		t.Fatal(said)
	}
	t.Cleanup(func() {
		logs, _ := filepath.Glob(n.path("lib/api/packages/director/*/startup.log"))
		for _, log := range logs {
			if t.Failed() {
				t.Log(read(t, log))
			}
		}
	})
	eventually(t, "Icinga has what was deployed", patience, func() bool {
		return n.get("objects/services/licensing!none", nil) == nil
	})
	checkCommands(t, n)
	var answer struct {
		Results []struct{ Attrs struct{ Timeout float64 } }
	}
	n.must(t, http.MethodGet, "objects/checkcommands/vpn_dr_host", struct{}{}, &answer)
	if answer.Results[0].Attrs.Timeout != 30 {
		t.Errorf("timeout: %+v", answer)
	}

	t.Run("fields", d.fields)

	before := d.state(t)
	d.cli(t, basket, "basket", "restore")
	if after := d.state(t); after != before {
		t.Errorf("restored again, it changed from\n%s\nto\n%s", before, after)
	}
}

// assignedJSON gives each variable a value, as assigned does.
func assignedJSON(t *testing.T, name, prefix string) map[string]any {
	t.Helper()
	vars := map[string]any{}
	for _, o := range optionsOf(t, "check_vpn_"+name) {
		vars[o.variable(prefix)] = []string{"one", "two words"}
		switch {
		case o.name == "--verbose":
			vars[o.variable(prefix)] = "-vv"
		case !o.value:
			vars[o.variable(prefix)] = true
		}
	}
	return vars
}

// fields opens the form of a service and that of a host in Icinga Web 2: each
// variable of its command has a field, with its description, and none of the
// other's.
func (d *director) fields(t *testing.T) {
	d.startPHP(t, "web")
	client := &http.Client{Transport: &http.Transport{DialContext: d.node.Dial}, Timeout: patience}
	for _, name := range tunnelKinds {
		for page, prefixes := range map[string][2]string{
			"service/edit?host=" + name + "&name=all": {"vpn_", "vpn_host_"},
			"host/edit?name=" + name:                  {"vpn_host_", ""},
		} {
			response, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/director/%s", webPort, page))
			if err != nil {
				t.Fatal(err)
			}
			text := new(strings.Builder)
			err = response.Write(text)
			response.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range optionsOf(t, "check_vpn_"+name) {
				if !strings.Contains(text.String(), `name="var_`+o.variable(prefixes[0])) {
					t.Errorf("%s has no field for %s", page, o.name)
				}
				if prefixes[1] != "" && strings.Contains(text.String(), "var_"+o.variable(prefixes[1])+`"`) {
					t.Errorf("%s has a field for %s", page, o.variable(prefixes[1]))
				}
			}
			if !strings.Contains(text.String(), "How many far targets must answer for the tunnel to count as up.") {
				t.Errorf("%s describes no field: %s", page, errorOf(text.String()))
			}
		}
	}
}

// state is all that a basket could change: how often an object was changed, the
// fields, which command has which, and the whole configuration.
func (d *director) state(t *testing.T) string {
	t.Helper()
	return d.psql("director",
		"-c", "select count(*) from director_activity_log",
		"-c", "select * from director_datafield order by id",
		"-c", "select * from icinga_command_field order by command_id, datafield_id",
	) + d.cli(t, "", "config", "render")
}

// newDirector sets Director up for an instance that runs: its database, and what
// it takes over of the instance.
func newDirector(t *testing.T, n *icinga2) *director {
	t.Helper()
	d := &director{servers: &servers{folder(t), n.node}}
	// Who may edit services by what is monitored wants a database of Icinga's, too.
	const permissions = "module/director,director/admin,director/hosts,director/services"
	for file, text := range map[string]string{
		"config.ini":         "[global]\nconfig_backend = \"ini\"\nmodule_path = \"/usr/share/icingaweb2/modules\"\n[logging]\nlog = \"none\"\n",
		"authentication.ini": "[autologin]\nbackend = \"external\"\n",
		"roles.ini":          "[Administrators]\nusers = \"test\"\npermissions = \"" + permissions + "\"\n",
		"resources.ini": fmt.Sprintf("[director]\ntype = \"db\"\ndb = \"pgsql\"\nhost = \"127.0.0.1\"\nport = \"%d\"\n"+
			"dbname = \"director\"\nusername = \"director\"\npassword = \"x\"\ncharset = \"utf8\"\n", postgresPort),
		"modules/director/config.ini": "[db]\nresource = \"director\"\n",
		"modules/director/kickstart.ini": fmt.Sprintf("[config]\nendpoint = %q\nhost = \"127.0.0.1\"\nport = %d\nusername = \"test\"\npassword = \"test\"\n",
			n.name, n.port),
	} {
		if err := os.MkdirAll(filepath.Dir(d.path("web", file)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, d.path("web", file), text)
	}
	if err := os.Mkdir(d.path("web/enabledModules"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{"director", "incubator", "reactbundle"} {
		if err := os.Symlink("/usr/share/icingaweb2/modules/"+module, d.path("web/enabledModules", module)); err != nil {
			t.Fatal(err)
		}
	}
	d.give(t, "web", "www-data")
	d.psql = d.startPostgres(t, "director")
	d.psql("postgres", "-c", "create extension pgcrypto")
	d.cli(t, "", "migration", "run")
	d.cli(t, "", "kickstart", "run")
	return d
}

// cli is icingacli director.
func (d *director) cli(t *testing.T, input string, args ...string) string {
	t.Helper()
	began := time.Now()
	out := d.run(t, "www-data", []string{"ICINGAWEB_CONFIGDIR=" + d.path("web")}, input, "/usr/bin/icingacli", append([]string{"director"}, args...)...)
	t.Logf("%v: icingacli director %.60q: %.200s", time.Since(began).Round(time.Millisecond), args, out)
	return out
}

func (d *director) create(t *testing.T, kind, name string, properties map[string]any) {
	t.Helper()
	properties["object_type"] = "object"
	text, err := json.Marshal(properties)
	if err != nil {
		t.Fatal(err)
	}
	d.cli(t, "", kind, "create", name, "--json", string(text))
}

// errorOf is what a page of Icinga Web 2 says is wrong.
func errorOf(page string) string {
	_, message, _ := strings.Cut(page, "error-message")
	return message[:min(2000, len(message))]
}
