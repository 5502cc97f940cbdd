package documents_test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"checkvpn/pkg/lab"
)

// maxREADME is how long a newcomer reads, in lines.
const maxREADME = 400

func TestLength(t *testing.T) {
	if n := strings.Count(readFile(t, "README.md"), "\n"); n > maxREADME {
		t.Errorf("README.md has %d lines, more than %d", n, maxREADME)
	}
}

// headings are what a # may lead to.
func headings(text string) (anchors []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		anchors = append(anchors, strings.ReplaceAll(strings.ToLower(m[1]), " ", "-"))
	}
	return anchors
}

// TestAnchors: --runbook prints the page with #CAUSE behind it.
func TestAnchors(t *testing.T) {
	text := readFile(t, "README.md")
	_, runbook, _ := strings.Cut(text, "\n## Runbook\n")
	runbook, _, _ = strings.Cut(runbook, "\n## ")
	anchors := headings(runbook)
	causes := regexp.MustCompile(`(?m)^\t\w+ +Cause = "([a-z-]+)"`).FindAllStringSubmatch(readFile(t, "pkg/vpn/verdict.go"), -1)
	if len(causes) < 17 {
		t.Fatalf("only %d causes found", len(causes))
	}
	var known []string
	for _, c := range causes {
		known = append(known, c[1])
		if !slices.Contains(anchors, c[1]) {
			t.Errorf("the runbook has no heading for the cause %s", c[1])
		}
	}
	for _, a := range anchors {
		if !slices.Contains(known, a) {
			t.Errorf("the runbook has a heading %s, and there is no such cause", a)
		}
	}
	for _, m := range regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(headings(text), m[1]) {
			t.Errorf("a link leads to #%s, which is nowhere", m[1])
		}
	}
}

// rows are those of the tables below a heading, without what is marked as code.
func rows(text, heading string) (list [][]string) {
	_, text, _ = strings.Cut(text, "\n## "+heading+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|\n"), "|") {
			cells = append(cells, strings.Trim(cell, " `"))
		}
		list = append(list, cells)
	}
	return list
}

// testMetrics holds the table of metrics against the figures of a check that has
// all of them.
func testMetrics(t *testing.T, w *world) {
	const command = "check_vpn_dr --extra-opts=dr-production --mtu 1300 --perfdata all"
	r, right := w.until(command, func(r lab.Result) bool {
		return strings.Contains(r.Stdout, "_rta=") && strings.Contains(r.Stdout, " mtu=")
	})
	if !right {
		t.Fatalf("%s: %s", command, r.Stdout)
	}
	units := map[string]string{}
	for _, cells := range rows(readFile(t, "README.md"), "Metrics")[1:] {
		units[cells[0]] = cells[1]
	}
	printed := map[string]bool{}
	// No label here has a blank, and so none is quoted.
	for _, m := range regexp.MustCompile(`([\w-]+)=[0-9.]+([a-zA-Z%]*);`).FindAllStringSubmatch(r.Stdout, -1) {
		row := m[1]
		if i := strings.LastIndexByte(row, '_'); i >= 0 && row != "far_up" {
			row = "NAME" + row[i:]
		}
		printed[row] = true
		if unit, found := units[row]; !found || unit != m[2] {
			t.Errorf("%s in %q has no such row in the table of metrics: %q", m[1], m[2], units)
		}
	}
	for row := range units {
		if !printed[row] {
			t.Errorf("the table of metrics has %s, which no check prints", row)
		}
	}
}

// TestDependencies: a direct dependency has a row that says what it is for.
func TestDependencies(t *testing.T) {
	var named []string
	for _, cells := range rows(readFile(t, "README.md"), "For developers") {
		named = append(named, strings.Split(cells[0], ", ")...)
	}
	var direct []string
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(readFile(t, "go.mod"), -1) {
		direct = append(direct, m[1])
	}
	tools, _, _ := strings.Cut(readFile(t, ".tools/go.mod"), "\nrequire")
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+)$`).FindAllStringSubmatch(tools, -1) {
		direct = append(direct, path.Base(m[1]))
	}
	if len(direct) < 10 {
		t.Fatalf("only %d dependencies found: %q", len(direct), direct)
	}
	for _, d := range direct {
		if !slices.Contains(named, d) {
			t.Errorf("the table of modules lacks %s", d)
		}
	}
	for _, n := range named {
		if n != "module" && !slices.Contains(direct, n) {
			t.Errorf("the table of modules has %s, which is no direct dependency", n)
		}
	}
}
