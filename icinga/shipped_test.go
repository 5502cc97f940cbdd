package icinga_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/hours"
	"checkvpn/pkg/lab"
)

// TestShipped runs exactly these files in a bare Icinga 2 at the monitoring
// machine of production, over the seven tunnels.
func TestShipped(t *testing.T) {
	t.Parallel()
	w := seven(t)
	node, env := w.VPN(lab.DR, "production").Near.Node, environment(t, w)
	n := newIcinga2(t, "bare", node, 5665, nil)
	n.configure(t, n.bare(pluginDir(t))+n.alone()+n.include(t, shipped(t)...)+byNRPE)
	n.start(t, append(env, "TZ=Europe/London"))

	for _, test := range []struct{ kind, name, output string }{
		{"services", "monitoring-production!VPN dr-production", "OK: production DR VPN up: 18 of 18 hosts answer"},
		{"services", "monitoring-production!VPN licensing-production", "OK: production licensing VPN up: 10 of 10 hosts answer"},
		{"hosts", "live-gateway.monitoring-production", "OK: gateway live-gateway up"},
		{"services", "monitoring-production!resync dr-production", "OK: "},
		{"services", "mysql-slave-3.dr-production!mysql replication to mysql-slave-3.dr-production", "TCP OK"},
		{"hosts", "dr-production", "OK: production DR VPN up: 18 of 18 hosts answer"},
		{"hosts", "licensing-production", "OK: production licensing VPN up"},
		{"hosts", "backend_dr.dr-production", "OK - 10.3.11."},
		{"hosts", "mongo-4.dr-production", "OK - 10.3.11."},
	} {
		if got := n.checkNow(t, test.kind, test.name); got.State != 0 || !strings.HasPrefix(got.Result.Output, test.output) {
			t.Errorf("%s: state %v, %+v", test.name, got.State, got.Result)
		}
	}
	t.Run("perfdata by NRPE", func(t *testing.T) { perfdataPasses(t, w, n, env) })
	t.Run("hours", func(t *testing.T) { pagesOutOfHours(t, n) })
	t.Run("names", func(t *testing.T) {
		description := regexp.MustCompile(`^(\w|\s|\-|/|\[|\]|:|\.)*$`)
		for _, kind := range []string{"hosts", "services"} {
			for name, o := range n.objects(t, kind) {
				// What a chat shows, and lets pass, is no more than this.
				if o.Display == "" || !description.MatchString(o.Display) {
					t.Errorf("%s is displayed as %s", name, o.Display)
				}
			}
		}
	})
}

// pagesOutOfHours holds the period of the pager against the hours of check_vpn.ini,
// for each minute that Icinga has worked out.
func pagesOutOfHours(t *testing.T, n *icinga2) {
	ini := sections(read(t, "check_vpn.ini"))["monitoring"]
	text, _ := strings.CutSuffix(ini["hours"][0], " Europe/London")
	office, err := hours.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Results []struct {
			Attrs struct {
				Segments []struct{ Begin, End float64 }
				Until    float64 `json:"valid_end"`
			}
		}
	}
	if err := n.get("objects/timeperiods/"+url.PathEscape("vpn-out-of-hours dr-production"), &answer); err != nil {
		t.Fatal(err)
	}
	period := answer.Results[0].Attrs
	now := time.Now().In(london(t)).Truncate(time.Minute)
	if until := time.Unix(int64(period.Until), 0); until.Before(now.Add(20 * time.Hour)) {
		t.Fatalf("worked out until %v", until)
	}
	for minute := now; float64(minute.Unix()) < period.Until; minute = minute.Add(time.Minute) {
		pages := false
		for _, s := range period.Segments {
			pages = pages || s.Begin <= float64(minute.Unix()) && float64(minute.Unix()) < s.End
		}
		holiday := strings.Contains(strings.Join(ini["holidays"], ","), minute.Format(time.DateOnly))
		if want := holiday || !office.Include(minute); pages != want {
			t.Fatalf("at %v: pages %t, want %t: %v", minute, pages, want, period.Segments)
		}
	}
}

// byNRPE asks two tunnels by two versions of NRPE's protocol.
const byNRPE = `
template Service "nrpe" {
  host_name = "monitoring-production"
  check_command = "nrpe"
  check_interval = 1d
  vars.nrpe_address = "127.0.0.1"
}
for (tunnel in [ "dr", "licensing" ]) {
  object Service "nrpe-4-" + tunnel use (tunnel) {
    import "nrpe"
    vars += { nrpe_port = 5666, nrpe_command = "check_vpn_" + tunnel + "_production" }
  }
  object Service "nrpe-2-" + tunnel use (tunnel) {
    import "nrpe"
    vars += { nrpe_port = 5667, nrpe_version_2 = true, nrpe_command = "check_vpn_" + tunnel + "_production" }
  }
}
`

// perfdataPasses holds the perfdata of each state, as Icinga has it by NRPE,
// against that by hand, and has Icinga read it.
func perfdataPasses(t *testing.T, w *lab.World, n *icinga2, env []string) {
	startNRPE(t, n.node, "check_vpn.cfg", nrpePort, env)
	startNRPE(t, n.node, "check_vpn_short.cfg", nrpePortShort, env)
	dr, licensing := w.VPN(lab.DR, "production"), w.VPN(lab.Licensing, "production")
	for _, scene := range []struct {
		dr, licensing float64 // states
		begin         func() error
	}{
		{0, 0, func() error { return nil }},
		{1, 1, func() error {
			return errors.Join(dr.Far.StopMachine("bouncer-4"), licensing.Far.StopMachine("licensing-mongo-2"))
		}},
		{2, 1, func() error {
			w.Internet.SetBoth(dr.Near, dr.Far, lab.Conditions{CutTunnels: true})
			w.Internet.SetBoth(licensing.Near, licensing.Far, lab.Conditions{CutTunnels: true})
			return nil
		}},
		{3, 3, func() error {
			return os.Remove(strings.TrimPrefix(env[1], "MP_CONFIG_PATH=") + "/check_vpn.ini")
		}},
	} {
		if err := scene.begin(); err != nil {
			t.Fatal(err)
		}
		for tunnel, state := range map[string]float64{"dr": scene.dr, "licensing": scene.licensing} {
			for version, extra := range map[string][]string{"4": nil, "2": {"--perfdata=totals"}} {
				service := "nrpe-" + version + "-" + tunnel
				var got checked
				// On a busy machine two runs may differ.
				eventually(t, fmt.Sprintf("%s is %v, with the figures that it has by hand", service, state), limit, func() bool {
					got = n.checkNow(t, "services", "monitoring-production!"+service)
					return got.State == state && len(got.Result.Perfdata) == figuresByHand(t, n.node, env, tunnel, extra)
				})
				n.reads(t, service, got.Result.Perfdata)
			}
		}
	}
}

// figuresByHand counts the perfdata of a plugin.
func figuresByHand(t *testing.T, node *lab.Node, env []string, tunnel string, extra []string) int {
	t.Helper()
	cmd := exec.Command(filepath.Join(plugins, "check_vpn_"+tunnel), append(extra, "--extra-opts="+tunnel+"-production")...)
	cmd.Env = env
	r, err := node.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	line, rest, _ := strings.Cut(r.Stdout, "\n")
	_, perfdata, _ := strings.Cut(line, " | ")
	// Those of each target stand on the last line.
	_, more, _ := strings.Cut("\n"+rest, "\n|")
	return len(strings.Fields(perfdata)) + len(strings.Fields(more))
}

// reads has Icinga's own parser read perfdata, a datum at a time.
func (n *icinga2) reads(t *testing.T, service string, perfdata []any) {
	t.Helper()
	var parse []string
	for _, datum := range perfdata {
		parse = append(parse, fmt.Sprintf("parse_performance_data(%q)", datum))
	}
	if out, err := n.command(t, "console", "--eval", "[ "+strings.Join(parse, ", ")+" ]").CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", service, err, out)
	}
}

// sections are the options of each section of an INI file.
func sections(text string) map[string]map[string][]string {
	all := map[string]map[string][]string{}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, found := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
			all[section] = map[string][]string{}
		case found && !strings.HasPrefix(line, "#"):
			key = strings.TrimSpace(key)
			all[section][key] = append(all[section][key], strings.TrimSpace(value))
		}
	}
	return all
}
