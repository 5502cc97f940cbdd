package main

import (
	"strings"
	"testing"

	"checkvpn/pkg/lab"
)

func TestMain(m *testing.M) { lab.Main(m.Run) }

// holds runs part of the table.
func holds(t *testing.T, list []scenario, o options) string {
	t.Helper()
	var table strings.Builder
	wrong, err := run(&table, list, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
	if wrong > 0 {
		t.Errorf("%d rows are wrong", wrong)
	}
	return table.String()
}

// TestScenarios is the table without the demo, whose limits are those of a real check:
// nothing else may run beside it.
func TestScenarios(t *testing.T) { holds(t, chosen("verdicts", "faults"), options{}) }

// TestDemo looks at what the demo shows, as a person does.
func TestDemo(t *testing.T) {
	said := holds(t, chosen("demo"), options{show: true})
	for _, words := range []string{
		"--- All is well ---", "$ check_vpn_dr --extra-opts=dr-staging", "OK: staging DR VPN up: ", "exit code 0 after",
		"--- The far gateway is dead ---", "CRITICAL: production DR VPN down: ", "more, all [OK])",
	} {
		if !strings.Contains(said, words) {
			t.Errorf("it does not show %q", words)
		}
	}
}

// TestWrong: a run that goes wrong is told.
func TestWrong(t *testing.T) {
	said := lab.Result{Stdout: "WARNING: office VPN degraded: x\nCause: degraded\n", Code: 1}
	v := read(said)
	if right := up("").but("WARNING degraded", "office").wrong(v); right != nil {
		t.Errorf("a right one: %q", right)
	}
	noisy := v
	noisy.Stderr = "panic"
	for name, wrong := range map[string][]string{
		"another cause":  up("").wrong(v),
		"a part of it":   up("").but("WARNING degrade").wrong(v),
		"words missing":  up("").but(".*", "nothing").wrong(v),
		"words too many": up("").but(".*").without("office").wrong(v),
		"stderr":         up("").but(".*").wrong(noisy),
		"no newline":     up("").but(".*").wrong(read(lab.Result{Stdout: "OK: x"})),
	} {
		if len(wrong) == 0 {
			t.Errorf("%s is not told", name)
		}
	}
}
