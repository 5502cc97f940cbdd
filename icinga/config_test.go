package icinga_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"checkvpn/pkg/lab"
)

// someNode is a place for what needs no tunnel.
func someNode(t *testing.T) *lab.Node {
	t.Helper()
	i, err := lab.NewInternet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() })
	s, err := i.AddSite(lab.SiteConfig{Name: "alone"})
	if err != nil {
		t.Fatal(err)
	}
	return s.Node
}

// pluginDir is a folder with our plugins and the distribution's.
func pluginDir(t *testing.T) string {
	t.Helper()
	dir := folder(t)
	ours, _ := filepath.Glob(plugins + "/*")
	theirs, _ := filepath.Glob("/usr/lib/nagios/plugins/*")
	for _, file := range slices.Concat(ours, theirs) {
		if err := os.Symlink(file, filepath.Join(dir, filepath.Base(file))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// shipped are the files of this folder for one machine, without those named.
func shipped(t *testing.T, without ...string) (list []string) {
	t.Helper()
	all, err := filepath.Glob("vpn-*.conf")
	if err != nil || len(all) < 5 {
		t.Fatalf("files %q: %v", all, err)
	}
	for _, file := range all {
		if !slices.Contains(without, file) {
			list = append(list, file)
		}
	}
	return list
}

// include copies files into the instance's folder and gives the lines that load
// them in the order of their names, as include "conf.d/*.conf" does.
func (n *icinga2) include(t *testing.T, files ...string) string {
	t.Helper()
	for _, file := range files {
		write(t, n.path("etc", file), read(t, file))
	}
	slices.Sort(files)
	var lines strings.Builder
	for _, file := range files {
		fmt.Fprintf(&lines, "include %q\n", n.path("etc", file))
	}
	return lines.String()
}

// cluster lays out the files as zones.conf says.
func (n *icinga2) cluster(t *testing.T, master bool) string {
	t.Helper()
	if master {
		for _, zone := range []string{"master", "vpn-commands"} {
			if err := os.Mkdir(n.path("etc/zones.d", zone), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for _, file := range shipped(t, "vpn-commands.conf", "vpn-tunnels.conf") {
			write(t, n.path("etc/zones.d/master", file), read(t, file))
		}
		write(t, n.path("etc/zones.d/vpn-commands/vpn-commands.conf"), read(t, "vpn-commands.conf"))
		write(t, n.path("check_vpn.ini"), regexp.MustCompile(`(?m)^asked = .*`).ReplaceAllString(read(t, "check_vpn.ini"), "asked = endpoint"))
		write(t, n.path("etc/zones.d/master/vpn-tunnels.conf"), generate(t, n.path("check_vpn.ini")))
	}
	return n.include(t, "zones.conf")
}

// TestIcingaLoads has the real daemon load exactly these files, in whatever order.
func TestIcingaLoads(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		lay  func(n *icinga2) string
	}{
		{"bare", func(n *icinga2) string { return n.bare(pluginDir(t)) + n.include(t, shipped(t)...) }},
		{"in another order", func(n *icinga2) string {
			lines := strings.SplitAfter(n.include(t, shipped(t)...), "\n")
			slices.Reverse(lines)
			return n.bare(pluginDir(t)) + strings.Join(lines, "")
		}},
		{"master", func(n *icinga2) string {
			bare := strings.ReplaceAll(n.bare(pluginDir(t)), "const ZoneName = NodeName", `const ZoneName = "master"`)
			return bare + n.cluster(t, true) + n.api()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := newIcinga2(t, "master", someNode(t), 5665, nil)
			n.configure(t, test.lay(n))
			said, err := n.validate(t)
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			for line := range strings.Lines(said) {
				if !strings.Contains(line, "] information/") {
					t.Error(line)
				}
			}
			if tunnels := strings.Count(read(t, "vpn-tunnels.conf"), "vpn_extra_opts"); !strings.Contains(said, "Hosts.") || tunnels < 9 {
				t.Errorf("%d tunnels\n%s", tunnels, said)
			}
		})
	}
}
