package icinga_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"checkvpn/pkg/lab"
)

// TestShipped runs exactly these files in a bare Icinga 2 at the monitoring
// machine of production, over the seven tunnels.
func TestShipped(t *testing.T) {
	t.Parallel()
	w := seven(t)
	n := newIcinga2(t, "bare", w.VPN(lab.DR, "production").Near.Node, 5665, nil)
	n.configure(t, n.bare(pluginDir(t))+n.alone()+n.include(t, shipped(t)...))
	n.start(t, environment(t, w))

	for _, test := range []struct{ kind, name, output string }{
		{"services", "monitoring-production!VPN dr-production", "OK: production DR VPN up: 16 of 16 machines answer"},
		{"services", "monitoring-production!VPN licensing-production", "OK: production licensing VPN up: 10 of 10 machines answer"},
		{"services", "mysql-slave-3.dr-production!mysql replication to mysql-slave-3.dr-production", "TCP OK"},
		{"hosts", "dr-production", "OK: production DR VPN up: 16 of 16 machines answer"},
		{"hosts", "licensing-production", "OK: production licensing VPN up"},
		{"hosts", "backend_dr.dr-production", "OK - 10.3.11."},
		{"hosts", "mongo-4.dr-production", "OK - 10.3.11."},
	} {
		if got := n.checkNow(t, test.kind, test.name); got.State != 0 || !strings.HasPrefix(got.Result.Output, test.output) {
			t.Errorf("%s: state %v, %+v", test.name, got.State, got.Result)
		}
	}
	t.Run("same as check_vpn.ini", func(t *testing.T) { sameTargets(t, n.objects(t, "hosts"), n.objects(t, "services")) })
}

// sameTargets holds the dictionary against the file for people on SSH and for
// NRPE: both name the same targets.
func sameTargets(t *testing.T, hosts, services map[string]checked) {
	for section, options := range sections(read(t, "check_vpn.ini")) {
		site := "office"
		if _, environment, ok := strings.Cut(section, "-"); ok {
			site = environment
		}
		service, found := services["monitoring-"+site+"!VPN "+section]
		if !found {
			t.Errorf("no service for the section %s", section)
			continue
		}
		for _, option := range []string{"environment", "near", "peer", "far", "service", "public"} {
			var got []string
			switch v := service.Vars["vpn_"+option].(type) {
			case string:
				got = []string{v}
			case []any:
				for _, target := range v {
					got = append(got, target.(string))
				}
			}
			compare(t, section+" "+option, got, options[option])
		}
		var ports []string
		for name, host := range hosts {
			machine, tunnel, _ := strings.Cut(name, ".")
			names, _ := host.Vars["vpn_ports"].(map[string]any)
			for what, port := range names {
				if tunnel == section {
					ports = append(ports, fmt.Sprintf("%s.%s=%s:%v", machine, what, addressOf(options["far"], machine), port))
				}
			}
		}
		compare(t, section+" replication", ports, options["replication"])
	}
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: constants.conf has %q, check_vpn.ini %q", what, got, want)
	}
}

// addressOf is a machine's address among far targets, as tcp wants it.
func addressOf(far []string, machine string) string {
	for _, target := range far {
		name, address, _ := strings.Cut(target, "=")
		if name, _, _ := strings.Cut(name, "/"); name == machine {
			return "tcp://" + address
		}
	}
	return ""
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
