package manual

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// hostile is a page whose every text tries to be something else.
func hostile() Page {
	text := ".TH `x` \\fB 'y' ~^ \"z\" [a]: it's\n.SH B - $(touch pwned) $HOME"
	return Page{
		Program: "check_vpn_x", Brief: text, About: text, Version: "1.0", Date: "2026-11-24",
		Groups: []Group{{Title: "Options", Options: []Option{
			{Short: "a", Long: "alpha", Value: "RTA,PL%", Default: ".5", Help: text, Repeats: true},
			{Long: "b", Value: "one|two", Help: ".so /etc/passwd"},
			{Short: "c", Help: "is it so?"},
		}}},
		Sections: []Section{
			{Title: "Files", Terms: []Term{{".1", text}}, Paragraphs: []string{text, "  kept\n.as it is"}},
			{Title: "More", Paragraphs: []string{"  kept", text}},
		},
		Examples: []Example{{"Text.", "check_vpn_x '-a .b' \\"}, {"", ".x"}},
		INI:      INI{Variables: []string{"V"}, Names: []string{"n.ini"}, Files: []string{"/f.ini"}},
	}
}

// lint is what mandoc finds wrong with a page.
func lint(t *testing.T, page string) string {
	t.Helper()
	cmd := exec.Command("mandoc", "-T", "lint", "-W", "style")
	cmd.Stdin = strings.NewReader(page)
	out, err := cmd.CombinedOutput()
	if len(out) == 0 && err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestManTakesAnyText(t *testing.T) {
	page := hostile().Man()
	if found := lint(t, page); found != "" {
		t.Errorf("mandoc finds:\n%s\nin:\n%s", found, page)
	}
	cmd := exec.Command("mandoc", "-T", "ascii", "-O", "width=1000")
	cmd.Stdin = strings.NewReader(page)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := regexp.MustCompile(".\b").ReplaceAllString(string(out), "")
	for _, want := range []string{
		`.TH ` + "`x`" + ` \fB 'y' ~^ "z" [a]: it's .SH B - $(touch pwned) $HOME. Default: .5. Can be repeated.`,
		`-a, --alpha RTA,PL%`, `.so /etc/passwd.`, "Is it so?", "kept\n", ".as it is\n", `check_vpn_x '-a .b' \`,
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("no %q in\n%s", want, seen)
		}
	}
}

func TestCompletionsTakeAnyText(t *testing.T) {
	for shell, script := range map[string]string{"bash": hostile().Bash(), "zsh": hostile().Zsh()} {
		cmd := exec.Command(shell, "-n")
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v, %s", shell, err, out)
		}
	}
}

func TestChoices(t *testing.T) {
	for value, want := range map[string]int{"nagios|json": 2, "all|totals": 2, "INTERFACE|ADDR": 0, "N|N%": 0, "0-63": 0, "FILE": 0, "": 0} {
		if got := (Option{Value: value}).Choices(); len(got) != want {
			t.Errorf("%q: %q", value, got)
		}
	}
}

// documents are those of the real plugins, in a folder.
func documents(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-tags", "document", "-o", dir+"/", "./check_vpn_office", "./check_vpn_dr", "./check_vpn_licensing")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func TestPagesOfThePlugins(t *testing.T) {
	dir := documents(t)
	for program, own := range map[string]string{"check_vpn_office": "--office-hours", "check_vpn_dr": "--replication", "check_vpn_licensing": "--public"} {
		cmd := exec.Command(filepath.Join(dir, program), "man")
		cmd.Env = append(cmd.Environ(), "SOURCE_DATE_EPOCH=1764000000")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		page := string(out)
		if found := lint(t, page); found != "" {
			t.Errorf("%s: mandoc finds:\n%s", program, found)
		}
		for _, want := range []string{own, "--extra-opts", "2025-11-24", "EXIT STATUS", "EXAMPLES", "FILES", "PERMISSIONS", "setcap"} {
			if !strings.Contains(strings.ReplaceAll(page, `\-`, "-"), want) {
				t.Errorf("%s: no %s", program, want)
			}
		}
		// A plugin that was built to write documents is never taken for a check.
		cmd = exec.Command(filepath.Join(dir, program), "-H", "127.0.0.1")
		if out, _ := cmd.Output(); cmd.ProcessState.ExitCode() != 3 || !strings.HasPrefix(string(out), "UNKNOWN: ") {
			t.Errorf("%s: code %d, %s", program, cmd.ProcessState.ExitCode(), out)
		}
	}
}
