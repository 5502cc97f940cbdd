package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestDemo runs the demo as a user does, and looks at the exit codes. The race
// detector would slow the laboratory down, so it is a program of its own.
func TestDemo(t *testing.T) {
	cmd := exec.Command("make", "demo")
	cmd.Dir = "../../.."
	text, err := cmd.CombinedOutput()
	out := string(text)
	if err != nil {
		t.Fatalf("make demo: %v\n%s", err, out)
	}
	const office = "[12]" // by the hour
	want := []string{
		"0", "0", "0", "0", "0", "0", "0", // well
		"1", "1", "1", // one machine
		"1",                    // one group
		"[12]", "[12]", "[12]", // loss, by chance
		office, "2", "1", // the far gateway
		office, "2", "1", // the tunnel
		"0", "0", "0",
	}
	var codes []string
	for _, m := range regexp.MustCompile(`(?m)^exit code (\d) after`).FindAllStringSubmatch(out, -1) {
		codes = append(codes, m[1])
	}
	if got := strings.Join(codes, ""); !regexp.MustCompile("^" + strings.Join(want, "") + "$").MatchString(got) {
		t.Errorf("exit codes %s, want %s:\n%s", got, strings.Join(want, ""), out)
	}
}
