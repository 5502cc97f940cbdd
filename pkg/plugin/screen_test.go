package plugin

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"checkvpn/pkg/terminal"
)

// onTerminal runs f with a real terminal of some columns for its output, and
// gives what a person sees there.
func onTerminal(t *testing.T, columns uint16, f func(*os.File)) string {
	t.Helper()
	t.Setenv("TERM", "xterm")
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer person.Close()
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: 24}); err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = seen.ReadFrom(person) // ends with an error when the program's side is closed
	}()
	f(program)
	program.Close()
	<-read
	return strings.ReplaceAll(seen.String(), "\r\n", "\n")
}

var codes = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

func TestOnATerminal(t *testing.T) {
	for _, columns := range []uint16{200, 80, 40, 20} {
		t.Setenv("NO_COLOR", "")
		code := 0
		seen := onTerminal(t, columns, func(f *os.File) {
			code = Run(testTunnel(), []string{"-E", "production", "-H", "one/group=127.0.0.1", "-H", "two/group=127.0.0.2", "-H", "db=tcp://127.0.0.1:1", "-vvv"}, f)
		})
		// A busy host has shown its progress, and erased that.
		parts := strings.Split(seen, "\r\x1b[K")
		seen = parts[len(parts)-1]
		if code != 1 || !strings.HasPrefix(seen, "\x1b[1;33mWARNING\x1b[0m: ") || !strings.Contains(seen, "\n\x1b[1;31mCRITICAL\x1b[0m") {
			t.Errorf("%d columns: code %d, %q", columns, code, seen)
		}
		plain := codes.ReplaceAllString(seen, "")
		for _, line := range strings.Split(plain, "\n") {
			if len(line) > int(columns) {
				t.Errorf("wider than %d columns: %q", columns, line)
			}
		}
		if strings.ContainsAny(plain, "|\x1b\r") {
			t.Errorf("codes, or figures for programs: %q", plain)
		}
		row := regexp.MustCompile(`(?m)^OK +far +group/one +127\.0\.0\.1 +0% +[0-9.]+ ms  (\.{5}|5/5)$`)
		if columns >= 80 && !row.MatchString(plain) {
			t.Errorf("%d columns: no line of the host one in %q", columns, plain)
		}
		if columns >= 200 && !regexp.MustCompile(`(?m)^CRITICAL  far +db +tcp://127\.0\.0\.1:1 +- +-  xx +connection refused$`).MatchString(plain) {
			t.Errorf("%d columns: no reason in %q", columns, plain)
		}
	}
}

func TestColourIsAsked(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	for args, want := range map[string]string{
		"-H 127.0.0.1":         "OK: test VPN up: host 127.0.0.1 answers",
		"-H 127.0.0.1 -w abc":  "UNKNOWN: bad value abc for -w, --warning",
		"-h":                   "Usage:",
		"-V":                   "check_vpn_test ",
		"-H 127.0.0.1 -o json": `{"state":"OK","cause":"up",`,
	} {
		seen := onTerminal(t, 400, func(f *os.File) { Run(testTunnel(), strings.Fields(args), f) })
		if !strings.HasPrefix(seen, want) {
			t.Errorf("%s: %q", args, seen)
		}
	}
	t.Setenv("NO_COLOR", "")
	seen := onTerminal(t, 80, func(f *os.File) { Run(testTunnel(), []string{"-w", "abc"}, f) })
	if !strings.HasPrefix(seen, "\x1b[1;35mUNKNOWN\x1b[0m: no target") {
		t.Errorf("got %q", seen)
	}
}

// TestProgress has a check that takes longer than people like to wait.
func TestProgress(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	args := []string{"-H", "a.example", "-H", "127.0.0.1", "-t", "3"}
	seen := onTerminal(t, 80, func(f *os.File) {
		p := planOf(t, args...)
		p.resolver = resolver(silence)
		p.screen = terminal.Of(f)
		out := checkNow(t.Context(), p)
		fmt.Fprint(f, out.before+out.text)
	})
	lines := strings.Split(seen, "\r\x1b[K")
	if len(lines) < 4 || lines[0] != "" || strings.Contains(lines[len(lines)-1], "of at most") {
		t.Fatalf("got %q", seen)
	}
	for _, line := range lines[1 : len(lines)-1] {
		if !regexp.MustCompile(`^[0-2]\.[0-9] s of at most 3: [01] of 2 far targets answer, nothing yet from a\.example`).MatchString(line) || line < "0.5" {
			t.Errorf("progress %q", line)
		}
	}
	if !strings.HasPrefix(lines[len(lines)-1], "WARNING: test VPN up, but 1 of 2 hosts is silent: a.example\n") {
		t.Errorf("got %q", lines[len(lines)-1])
	}
	seen = onTerminal(t, 80, func(f *os.File) { Run(testTunnel(), []string{"-H", "127.0.0.1"}, f) })
	if strings.Contains(seen, "of at most") && !strings.Contains(seen, "s of at most 10: ") {
		t.Errorf("a quick check shows %q", seen)
	}
}

// TestTableFits has names, addresses and packets of every length.
func TestTableFits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("n", n) }
	rows := []row{{cells: [columns]string{"STATE", "ROLE", "NAME", "ADDRESS", "LOSS", "TIME", "PACKETS"}}}
	for i := range 40 {
		rows = append(rows, row{
			cells: [columns]string{"CRITICAL", "replication", long(i + 1), long(2 * i), "100%", "100 ms", strings.Repeat("x", 25*i)},
			count: fmt.Sprintf("0/%d", 25*i), note: strings.Repeat("note ", i), more: []string{long(10 * i)},
		})
	}
	for width := 1; width < 300; width++ {
		for _, line := range layout(&terminal.Screen{Width: width}, append([]row(nil), rows...)) {
			if len(line) > width {
				t.Fatalf("%d columns: %q", width, line)
			}
		}
	}
}
