package icinga_test

import (
	"fmt"
	"os"
	"os/exec"
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
	all, err := filepath.Glob("*.conf")
	if err != nil || len(all) < 7 {
		t.Fatalf("files %q: %v", all, err)
	}
	for _, file := range all {
		if file != "zones.conf" && !slices.Contains(without, file) {
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
		for _, file := range shipped(t, "commands.conf") {
			write(t, n.path("etc/zones.d/master", file), read(t, file))
		}
		write(t, n.path("etc/zones.d/vpn-commands/commands.conf"), read(t, "commands.conf"))
	}
	return n.include(t, "zones.conf")
}

// TestIcingaLoads has the real daemon load exactly these files.
func TestIcingaLoads(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		warnings []string // rules that wait for zones.conf
		lay      func(n *icinga2) string
	}{
		{"bare", []string{"satellite", "satellite", "satellite", "agent"}, func(n *icinga2) string {
			return n.bare(pluginDir(t)) + n.include(t, shipped(t)...)
		}},
		{"master", nil, func(n *icinga2) string {
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
			var got []string
			for line := range strings.Lines(said) {
				if strings.Contains(line, "] information/") {
					continue
				}
				rule := regexp.MustCompile(`warning/ApplyRule: Apply rule '(\w+)' .* does not match anywhere`).FindStringSubmatch(line)
				if rule == nil {
					t.Error(line)
					continue
				}
				got = append(got, rule[1])
			}
			slices.Sort(got)
			slices.Sort(test.warnings)
			if !slices.Equal(got, test.warnings) {
				t.Errorf("rules that match nothing: %q, want %q", got, test.warnings)
			}
		})
	}
}

// TestCommands holds the options of commands.conf against those of the plugins.
func TestCommands(t *testing.T) {
	t.Parallel()
	text := read(t, "commands.conf")
	argument := regexp.MustCompile(`(?m)^    "(-[^"]+)" = \{\n((?: {6}.*\n)+) {4}\}$`)
	var common []string
	for _, part := range regexp.MustCompile(`(?m)^(?:template|object) CheckCommand "(\w+)" \{$`).FindAllStringSubmatchIndex(text, -1) {
		name, body := text[part[2]:part[3]], text[part[1]:]
		body = body[:strings.Index(body, "\n}\n")]
		var options []string
		for _, m := range argument.FindAllStringSubmatch(body, -1) {
			options = append(options, m[1])
			if !regexp.MustCompile(`"\$vpn_\w+\$"`).MatchString(m[2]) || !strings.Contains(m[2], `description = "`) {
				t.Errorf("%s %s: no variable vpn_* or no description", name, m[1])
			}
		}
		if name == "vpn" {
			common = options
			continue
		}
		options = append(slices.Clone(common), options...)
		slices.Sort(options)
		if want := optionsOf(t, "check_"+name); !slices.Equal(options, want) {
			t.Errorf("%s has %q,\nthe plugin %q", name, options, want)
		}
	}
	if len(common) == 0 {
		t.Error("no template with the common options")
	}
}

// optionsOf are the options that a plugin's -h lists: long names, and short
// ones where there is no long one. Left out is what makes no check.
func optionsOf(t *testing.T, plugin string) (options []string) {
	t.Helper()
	help, _ := exec.Command(filepath.Join(plugins, plugin), "-h").Output()
	for _, m := range regexp.MustCompile(`(?m)^ +(-\w)?(?:, | {2,})?(--[a-z0-9-]+)?(?:=|\[|\s|$)`).FindAllStringSubmatch(string(help), -1) {
		option := m[2]
		if option == "" {
			option = m[1]
		}
		if option != "" && !slices.Contains([]string{"--help", "--version", "--explain", "--replay"}, option) {
			options = append(options, option)
		}
	}
	slices.Sort(options)
	return slices.Compact(options)
}

// TestNames: a chat that shows nothing but the description of a service must
// say enough, in characters that it lets pass.
func TestNames(t *testing.T) {
	text := read(t, "constants.conf") + read(t, "services.conf")
	for _, m := range regexp.MustCompile(`(?:title|display_name) = (.+)`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`" \+ [\w.]+(?: \+ ")?|"`).ReplaceAllString(m[1], "x")
		if !regexp.MustCompile(`^(\w|\s|\-|/|\[|\]|:|\.)*$`).MatchString(name) {
			t.Errorf("%q", m[1])
		}
	}
}
