package icinga_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"checkvpn/pkg/manual"
)

// pages are what is known of the plugins, from themselves.
func pages(t *testing.T) []manual.Page {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-tags", "document", "-o", dir+"/", "../check_vpn_office", "../check_vpn_dr", "../check_vpn_licensing")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var all []byte
	for _, name := range tunnelKinds {
		out, err := exec.Command(filepath.Join(dir, "check_vpn_"+name), "json").Output()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, out...)
	}
	list, err := manual.Read(bytes.NewReader(all))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var tunnelKinds = []string{"office", "dr", "licensing"}

// TestCommands holds vpn-commands.conf against the plugins.
func TestCommands(t *testing.T) {
	t.Parallel()
	want, err := manual.CheckCommands(pages(t))
	if err != nil {
		t.Fatal(err)
	}
	if read(t, "vpn-commands.conf") != want {
		t.Error("vpn-commands.conf is not what the plugins' options come to: make samples")
	}
}

// TestCommandsRun has the real daemon, with the distribution's own conf.d and
// nothing else of ours, run every command with every option.
func TestCommandsRun(t *testing.T) {
	t.Parallel()
	n := newIcinga2(t, "commands", someNode(t), 5665, nil)
	n.configure(t, n.bare(talkative(t))+n.alone()+n.stock(t)+n.include(t, "vpn-commands.conf")+commandScene(t))
	n.start(t, nil)
	checkCommands(t, n)
	for _, name := range tunnelKinds {
		var want []string
		for _, o := range optionsOf(t, "check_vpn_"+name) {
			want = append(want, o.variable("vpn_"))
		}
		got, _ := n.object(t, "hosts", name).Vars["options"].([]any)
		var names []string
		for _, v := range got {
			names = append(names, v.(string))
		}
		slices.Sort(names)
		if slices.Sort(want); !slices.Equal(names, want) {
			t.Errorf("VpnOptions.%s is %q,\nwant %q", name, names, want)
		}
	}
}

// stock gives the lines that load the distribution's own conf.d.
func (n *icinga2) stock(t *testing.T) string {
	t.Helper()
	if err := os.Mkdir(n.path("etc/conf.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	own(t, n.path("etc/conf.d"))
	list := files(t, "/etc/icinga2/conf.d/*.conf")
	if len(list) < 5 {
		t.Fatalf("the distribution has only %q", list)
	}
	for _, file := range list {
		write(t, n.path("etc/conf.d", filepath.Base(file)), read(t, file))
	}
	return fmt.Sprintf("\ninclude_recursive %q\n", n.path("etc/conf.d"))
}

// talkative is a folder with the distribution's plugins, and in place of ours
// programs that print their arguments, each in a line.
func talkative(t *testing.T) string {
	t.Helper()
	dir := pluginDir(t)
	for _, name := range tunnelKinds {
		file := filepath.Join(dir, "check_vpn_"+name)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		write(t, file, "#!/bin/sh\nprintf '%s\\n' \"$0\" \"$@\"\n")
		if err := os.Chmod(file, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// commandScene is, for each plugin, a host of its host command with all
// variables, a service of its command with all, and one with none, which sees
// those of its host.
func commandScene(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, name := range tunnelKinds {
		fmt.Fprintf(&b, "object Host %q {\n  check_command = \"vpn_%s_host\"\n  check_interval = 1d\n  vars.options = VpnOptions.%s\n%s}\n",
			name, name, name, assigned(t, name, "vpn_host_"))
		fmt.Fprintf(&b, "template Service \"of %s\" {\n  host_name = %q\n  check_command = \"vpn_%s\"\n  check_interval = 1d\n}\n", name, name, name)
		fmt.Fprintf(&b, "object Service \"all\" {\n  import \"of %s\"\n%s}\nobject Service \"none\" {\n  import \"of %s\"\n}\n",
			name, assigned(t, name, "vpn_"), name)
	}
	return b.String()
}

// assigned gives each variable a value.
func assigned(t *testing.T, name, prefix string) string {
	t.Helper()
	var b strings.Builder
	for _, o := range optionsOf(t, "check_vpn_"+name) {
		value := `[ "one", "two words" ]`
		switch {
		case o.name == "--verbose":
			value = `"-vv"`
		case !o.value:
			value = "true"
		}
		fmt.Fprintf(&b, "  vars.%s = %s\n", o.variable(prefix), value)
	}
	return b.String()
}

// checkCommands holds what the programs of talkative are given in the scene.
func checkCommands(t *testing.T, n *icinga2) {
	t.Helper()
	for _, name := range tunnelKinds {
		all := []string{}
		for _, o := range optionsOf(t, "check_vpn_"+name) {
			switch {
			case o.name == "--verbose":
				all = append(all, "-vv")
			case o.name == "--extra-opts":
				all = append(all, o.name+"=one", o.name+"=two words")
			case o.value:
				all = append(all, o.name+"\none", o.name+"\ntwo words")
			default:
				all = append(all, o.name)
			}
		}
		for _, scene := range []struct {
			kind, object string
			want         []string
		}{
			{"hosts", name, append([]string{"--host-check"}, all...)},
			{"services", name + "!all", all},
			{"services", name + "!none", nil},
		} {
			program, rest, _ := strings.Cut(n.checkNow(t, scene.kind, scene.object).Result.Output, "\n")
			if !strings.HasSuffix(program, "/check_vpn_"+name) {
				t.Errorf("%s runs %s", scene.object, program)
			}
			got := strings.Split(strings.ReplaceAll(rest, "\n-", "\n\n-"), "\n\n")
			if rest == "" {
				got = nil
			}
			slices.Sort(got)
			if slices.Sort(scene.want); !slices.Equal(got, scene.want) {
				t.Errorf("%s gets %q,\nwant %q", scene.object, got, scene.want)
			}
		}
	}
}

// helpOption is an option, as -h has it.
type helpOption struct {
	name  string // with dashes
	value bool
}

func (o helpOption) variable(prefix string) string {
	return prefix + strings.ReplaceAll(strings.TrimLeft(o.name, "-"), "-", "_")
}

// optionsOf are the options that a plugin's -h lists: long names, and short ones
// if there is no long one. Left out is what makes no check, and what the
// command of a host sets.
func optionsOf(t *testing.T, plugin string) (options []helpOption) {
	t.Helper()
	help, _ := exec.Command(filepath.Join(plugins, plugin), "-h").Output()
	for _, m := range regexp.MustCompile(`(?m)^  (?:    |(-\w)(?:, )?)(--[a-z0-9-]+)?(=?)`).FindAllStringSubmatch(string(help), -1) {
		o := helpOption{m[2], m[3] == "="}
		if o.name == "" {
			o.name = m[1]
		}
		if o.name != "" && !slices.Contains([]string{"--help", "--version", "--explain", "--replay", "--host-check"}, o.name) {
			options = append(options, o)
		}
	}
	if len(options) < 30 {
		t.Fatalf("%s -h: options %v", plugin, options)
	}
	return options
}

// TestCommandsTakeAnyText has the real daemon read what tries to be something
// else.
func TestCommandsTakeAnyText(t *testing.T) {
	t.Parallel()
	hostile := "\" } /* $x$ {{ */ \\\" \\n\n'\t// #; a: \\"
	options := manual.Group{Options: []manual.Option{
		{Long: "a", Value: hostile, Default: hostile, Help: hostile},
		{Short: "b", Value: hostile, Help: hostile, Repeats: true},
		{Long: "c"}, {Long: "d", Value: "[" + hostile, Section: true, Repeats: true},
	}}
	text, err := manual.CheckCommands([]manual.Page{{Program: "check_vpn_x", Groups: []manual.Group{options}}})
	if err != nil {
		t.Fatal(err)
	}
	n := newIcinga2(t, "hostile", someNode(t), 5665, nil)
	n.configure(t, n.bare(pluginDir(t))+text)
	if said, err := n.validate(t); err != nil {
		t.Errorf("%v\n%s\n%s", err, text, said)
	}
}
