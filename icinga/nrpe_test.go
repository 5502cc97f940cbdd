package icinga_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"checkvpn/pkg/lab"
)

// nrpeCommand is a line of a file for NRPE.
type nrpeCommand struct {
	where, name, program string
	args                 string // for a shell
}

func (c nrpeCommand) has(option string) bool { return strings.Contains(c.args+" ", option+" ") }

// nrpeCommands are those of a file in the folder nrpe.
func nrpeCommands(t *testing.T, file string) (list []nrpeCommand) {
	t.Helper()
	where := ""
	line := regexp.MustCompile(`(?m)^# On (\S+)$|^command\[(\w+)\]=` + installed + `(\w+) (.*)$`)
	for _, m := range line.FindAllStringSubmatch(read(t, filepath.Join("nrpe", file)), -1) {
		if m[1] != "" {
			where = m[1]
			continue
		}
		list = append(list, nrpeCommand{where, m[2], "check_vpn_" + m[3], m[4]})
	}
	return list
}

func TestNRPECommands(t *testing.T) {
	t.Parallel()
	commands, short := nrpeCommands(t, "check_vpn.cfg"), nrpeCommands(t, "check_vpn_short.cfg")
	// The tunnels, six of them as hosts too, and three near gateways.
	if len(commands) != 9+6+3 || len(short) != len(commands) {
		t.Errorf("%d commands and %d", len(commands), len(short))
	}
	ini := read(t, "check_vpn.ini")
	for form, file := range map[string]string{"nrpe": "check_vpn.cfg", "nrpe-short": "check_vpn_short.cfg"} {
		if read(t, filepath.Join("nrpe", file)) != generated(t, form, ini) {
			t.Errorf("%s is not what is printed: make samples", file)
		}
	}
	for section := range sections(ini) {
		ours := section == "monitoring" || strings.Contains(section, " ")
		if !ours && !slices.ContainsFunc(commands, func(c nrpeCommand) bool { return c.has("--extra-opts=" + section) }) {
			t.Errorf("no command for the section %s", section)
		}
	}
	for i, c := range commands {
		if want := c.args + " --perfdata=totals"; short[i].name != c.name || short[i].args != want {
			t.Errorf("%s: %v, and short %v", c.name, c.args, short[i])
		}
	}
	for _, file := range files(t, "nrpe/*.cfg") {
		if regexp.MustCompile(`(?m)^[^#].*\$`).MatchString(read(t, file)) {
			t.Errorf("%s takes something from the network", file)
		}
	}
}

// TestOptionsAreReal holds each option of a plugin in the files for NRPE and for
// Nagios against that plugin's help.
func TestOptionsAreReal(t *testing.T) {
	t.Parallel()
	call := regexp.MustCompile(`(?m)^[^#\n]*(?:/check_vpn_|  vpn!|  vpn_gateway_host!)(office|dr|licensing|\$ARG1\$)[ !](.*)$`)
	option := regexp.MustCompile(`(?:^|[ !])(--?\w[\w-]*)`)
	found := 0
	for _, file := range append(files(t, "nrpe/*.cfg"), files(t, "nagios/*.cfg")...) {
		for _, m := range call.FindAllStringSubmatch(read(t, file), -1) {
			kinds := []string{m[1]}
			if m[1] == "$ARG1$" {
				kinds = []string{"office", "dr", "licensing"}
			}
			for _, kind := range kinds {
				help, _ := exec.Command(filepath.Join(plugins, "check_vpn_"+kind), "-h").Output()
				for _, o := range option.FindAllStringSubmatch(m[2], -1) {
					found++
					if !regexp.MustCompile(`(?m)^ +(-\w, )?` + regexp.QuoteMeta(o[1]) + `\b`).Match(help) {
						t.Errorf("%s: check_vpn_%s has no %s", file, kind, o[1])
					}
				}
			}
		}
	}
	if found < 60 {
		t.Errorf("only %d options", found)
	}
}

// asker asks one tunnel, by the command line and by NRPE.
type asker struct {
	node *lab.Node
	env  []string
}

func (a asker) byHand(c nrpeCommand) (lab.Result, error) {
	cmd := exec.Command("/bin/sh", "-c", "exec "+filepath.Join(plugins, c.program)+" "+c.args)
	cmd.Env = a.env
	return a.node.Run(cmd)
}

func (a asker) byNRPE(c nrpeCommand, port int, args ...string) (lab.Result, error) {
	args = append([]string{"-H", "127.0.0.1", "-p", fmt.Sprint(port), "-c", c.name}, args...)
	return a.node.Run(exec.Command(checkNRPE, args...))
}

// variants are the two files, and the versions of the protocol that they are for.
var variants = []struct {
	file      string
	port      int
	protocols [][]string // arguments of check_nrpe
	limit     int        // bytes that pass
}{
	{"check_vpn.cfg", nrpePort, [][]string{{}}, 64 << 10},
	{"check_vpn_short.cfg", nrpePortShort, [][]string{{"-2"}, {"-3"}}, 1023},
}

// standbyHost asks for replication.
const standbyHost = "postgresql-standby-2.dr-production"

// TestNRPE asks each tunnel where it begins, by hand and by a real NRPE in three
// versions of its protocol, in four states of the world.
func TestNRPE(t *testing.T) {
	t.Parallel()
	w := seven(t)
	env := calm(t, environment(t, w))
	askers := map[string]asker{} // by the name of the host
	ask := func(host string, node *lab.Node) {
		startNRPE(t, node, "check_vpn.cfg", nrpePort, env)
		startNRPE(t, node, "check_vpn_short.cfg", nrpePortShort, env)
		askers[host] = asker{node, env}
	}
	for _, environment := range []string{"integration", "staging", "production"} {
		ask("monitoring-"+environment, w.VPN(lab.DR, environment).Near.Node)
	}
	ask("monitoring-office", w.VPN(lab.Office, "").Near.Node)
	ask(standbyHost, w.VPN(lab.DR, "production").Far.Gateway)
	dead := map[string]string{lab.Office: "vcloud-director", lab.DR: "bouncer-4", lab.Licensing: "licensing-mongo-2"}
	scenes := []struct {
		state    string
		begin    func(*lab.VPN) error
		services []int // exit codes of office, DR and licensing
		host     int   // exit code of host checks
	}{
		{"healthy", func(*lab.VPN) error { return nil }, []int{0, 0, 0}, 0},
		{"a host is dead", func(v *lab.VPN) error { return v.Far.StopMachine(dead[v.Kind]) }, []int{1, 1, 1}, 0},
		{"the tunnel is dead", func(v *lab.VPN) error {
			w.Internet.SetBoth(v.Near, v.Far, lab.Conditions{CutTunnels: true})
			return nil
		}, []int{-1, 2, 1}, 2},
		{"the file is gone", func(*lab.VPN) error {
			return os.RemoveAll(strings.TrimPrefix(env[1], "MP_CONFIG_PATH=") + "/check_vpn.ini")
		}, []int{3, 3, 3}, 3},
	}
	kinds := []string{"check_vpn_office", "check_vpn_dr", "check_vpn_licensing"}
	for _, s := range scenes {
		for _, v := range w.VPNs {
			if err := s.begin(v); err != nil {
				t.Fatal(err)
			}
		}
		var asking sync.WaitGroup
		slots := make(chan struct{}, 6) // more of them would measure each other
		for _, v := range variants {
			for _, c := range nrpeCommands(t, v.file) {
				want := s.services[slices.Index(kinds, c.program)]
				switch host := c.has("--host-check"); {
				case c.name == "check_vpn_office_carrenza":
					continue // the laboratory has no way from there
				case host && v.port == nrpePortShort:
					continue // the same again, for time's sake
				case !strings.HasPrefix(c.args, "--extra-opts="):
					want = 0 // the near gateway
				case host:
					want = s.host
				case want == 1 && (c.has("--partial=OK") || c.where == standbyHost):
					// Hosts that are stopped on purpose; and what is dead is none of its own.
					if strings.HasPrefix(s.state, "a host") {
						want = 0
					}
				}
				asking.Go(func() {
					slots <- struct{}{}
					defer func() { <-slots }()
					if err := askers[c.where].compare(c, v.port, v.limit, v.protocols, want); err != nil {
						t.Errorf("%s, %s of %s: %v", s.state, c.name, v.file, err)
					}
				})
			}
		}
		asking.Wait()
		if s.state == "the tunnel is dead" {
			slow(t, askers["monitoring-production"])
			brief(t, askers["monitoring-production"])
		}
	}
}

// brief asks for a dead tunnel by the protocol that cuts at 1,023 bytes: the cause,
// what to do and the gateways still arrive, with all the figures asked for.
func brief(t *testing.T, a asker) {
	t.Helper()
	for _, c := range nrpeCommands(t, "check_vpn.cfg") {
		if c.name != "check_vpn_dr_production" {
			continue
		}
		r, err := a.byNRPE(c, nrpePort, "-2", "-u", "-t", "30")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Cause: tunnel-down", "\n1. ", "\n2. ", "\n[OK] near ", "\n[OK] peer "} {
			if !strings.Contains(r.Stdout, want) {
				t.Errorf("check_nrpe -2 does not show %q: %s", want, r.Stdout)
			}
		}
		return
	}
	t.Error("no command for the DR tunnel of production")
}

// compare holds what NRPE passes on, by each protocol, against what the plugin
// says by hand. The office's verdict goes by the hour: want is -1 for whatever it
// is. On a busy machine two runs may differ, so there are three tries.
func (a asker) compare(c nrpeCommand, port, limit int, protocols [][]string, want int) (err error) {
	for range 3 {
		var hand lab.Result
		if hand, err = a.byHand(c); err != nil {
			return err
		}
		for _, protocol := range protocols {
			var by lab.Result
			if by, err = a.byNRPE(c, port, append(protocol, "-u", "-t", "30")...); err == nil {
				err = same(by, hand, limit, want)
			}
			if err != nil {
				err = fmt.Errorf("check_nrpe %v: %w", protocol, err)
				break
			}
		}
		if err == nil {
			return nil
		}
	}
	return err
}

// same compares what came by NRPE with what came by hand.
func same(by, hand lab.Result, limit, want int) error {
	switch {
	case by.Code != hand.Code || want >= 0 && by.Code != want:
		return fmt.Errorf("code %d, by hand %d, want %d: %s", by.Code, hand.Code, want, by.Stdout)
	case by.Stderr != "":
		return fmt.Errorf("on stderr: %s", by.Stderr)
	case len(hand.Stdout) <= limit && whole(by.Stdout) != whole(hand.Stdout):
		return fmt.Errorf("says\n%s\nby hand\n%s", by.Stdout, hand.Stdout)
	case firstLine(by.Stdout) != firstLine(hand.Stdout):
		return fmt.Errorf("line 1 is %s, by hand %s", firstLine(by.Stdout), firstLine(hand.Stdout))
	case len(hand.Stdout) > limit && len(by.Stdout) < limit-1:
		return fmt.Errorf("%d bytes of %d", len(by.Stdout), limit)
	}
	return nil
}

// whole is an output without what two runs need not share: figures, which address
// of a name answered, and the order of targets.
func whole(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	for i, line := range lines {
		lines[i] = figures.ReplaceAllString(line, "N")
	}
	slices.Sort(lines[1:])
	return strings.Join(lines, "\n")
}

var figures = regexp.MustCompile(`\([0-9a-f.:]+\)|\d+(\.\d+)?`)

func firstLine(output string) string {
	line, _, _ := strings.Cut(output, "\n")
	return figures.ReplaceAllString(line, "N")
}

// slow has check_nrpe give up before the plugin has an answer: that is UNKNOWN
// with -u, as Icinga and Nagios call it, and CRITICAL without it.
func slow(t *testing.T, a asker) {
	t.Helper()
	c := nrpeCommand{name: "check_vpn_dr_production"}
	for want, args := range map[int][]string{3: {"-u", "-t", "1"}, 2: {"-t", "1"}} {
		if r, err := a.byNRPE(c, nrpePort, args...); err != nil || r.Code != want || !strings.Contains(r.Stdout, "timeout") {
			t.Errorf("%v: %v, %+v, want %d", args, err, r, want)
		}
	}
}
