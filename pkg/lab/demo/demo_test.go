package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"checkvpn/pkg/lab"
)

func TestMain(m *testing.M) {
	code, err := lab.Run(m.Run)
	if err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// TestDemo runs the demo as make demo does, and looks at the exit codes.
func TestDemo(t *testing.T) {
	t.Chdir("../../..")
	if text, err := exec.Command("make", "build").CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, text)
	}
	var out strings.Builder
	if code := run(&out, false); code != 0 {
		t.Fatalf("the demo ends with %d:\n%s", code, out.String())
	}
	const office = "[12]" // by the hour
	want := []string{
		"0", "0", "0", "0", "0", "0", "0", // well
		"1", "1", "1", // one machine
		"1",           // one group
		"1", "1", "1", // loss
		office, "2", "1", // the far gateway
		office, "2", "1", // the tunnel
		"0", "0", "0",
	}
	var codes []string
	for _, m := range regexp.MustCompile(`(?m)^exit code (\d) after`).FindAllStringSubmatch(out.String(), -1) {
		codes = append(codes, m[1])
	}
	if got := strings.Join(codes, ""); !regexp.MustCompile("^" + strings.Join(want, "") + "$").MatchString(got) {
		t.Errorf("exit codes %s, want %s:\n%s", got, strings.Join(want, ""), out.String())
	}
}
