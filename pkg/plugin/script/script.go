// Package script runs txtar scripts of whole plugins, for their tests. The
// scripts in its testdata hold for every plugin; a plugin's own stand in its
// folder.
package script

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Run runs the scripts of all plugins and those in testdata of the calling
// test's folder with a program that TestMain gave to testscript.Main. In them
// $check is its name, and these commands are there besides testscript's own:
//
//	exits CODE PROGRAM ARG...   runs it; the exit code, an empty stderr, the form
//	                            of the first line and of the perfdata must hold
//	serve NAME tcp              sets $NAME to the address of a listener on
//	serve NAME http STATUS      loopback, or of a web server with that status,
//	serve NAME chatter          or of one that talks before it is asked
//	closed NAME                 sets $NAME to an address where nobody listens
func Run(t *testing.T, program string) {
	_, here, _, _ := runtime.Caller(0)
	for _, dir := range []string{filepath.Join(filepath.Dir(here), "testdata"), "testdata"} {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			continue
		}
		testscript.Run(t, testscript.Params{
			Dir: dir,
			Setup: func(e *testscript.Env) error {
				e.Setenv("check", program)
				// Else the race detector keeps each process for another second.
				e.Setenv("GORACE", "atexit_sleep_ms=0")
				return nil
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"exits": exits, "serve": serve, "closed": closed,
			},
		})
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	if stderr != "" {
		ts.Fatalf("something on stderr: %q", stderr)
	}
	if err := Valid(stdout, got); err != nil {
		ts.Fatalf("%v", err)
	}
}

var (
	first = regexp.MustCompile(`^(OK|WARNING|CRITICAL|UNKNOWN): [ -~]+$`)
	datum = regexp.MustCompile(`^[A-Za-z0-9_-]+=[0-9]+(\.[0-9]+)?(ms|s|%|B)?(;[0-9.]*){4}$`)
	free  = regexp.MustCompile("[^ -~]|[`~$&|\"'<>]")
)

// Valid tells what is wrong with a plugin's output, if anything is: the form
// of the first line and of the perfdata, and the characters. JSON, help and
// version are left alone.
func Valid(stdout string, code int) error {
	line, rest, _ := strings.Cut(stdout, "\n")
	if strings.HasPrefix(line, "{") || code == 3 && !strings.HasPrefix(line, "UNKNOWN") {
		return nil
	}
	text, perfdata, _ := strings.Cut(line, " | ")
	// The figures of each target stand on the last line, right behind a bar.
	if i := strings.LastIndex(rest, "|"); i == 0 || i > 0 && rest[i-1] == '\n' {
		perfdata += " " + rest[i+1:]
		rest = rest[:i]
	}
	switch {
	case !strings.HasSuffix(stdout, "\n"):
		return fmt.Errorf("the output does not end with a newline: %q", stdout)
	case !first.MatchString(line):
		return fmt.Errorf("not a first line: %q", line)
	case len(text) > 150:
		return fmt.Errorf("%d characters in the first line: %q", len(text), text)
	case free.MatchString(text), free.MatchString(strings.ReplaceAll(rest, "\n", "")):
		return fmt.Errorf("a character that must not be there in %q", stdout)
	}
	seen := map[string]bool{}
	for _, d := range strings.Fields(perfdata) {
		label, _, _ := strings.Cut(d, "=")
		if !datum.MatchString(d) || seen[label] {
			return fmt.Errorf("not valid perfdata: %q in %q", d, perfdata)
		}
		seen[label] = true
	}
	return nil
}

func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: serve NAME tcp|chatter, or serve NAME http STATUS")
	}
	if args[1] != "http" {
		ts.Setenv(args[0], listen(ts, args[1] == "chatter"))
		return
	}
	status, err := strconv.Atoi(args[2])
	ts.Check(err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "a page")
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.Listener.Addr().String())
}

func listen(ts *testscript.TestScript, chatter bool) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if chatter {
				_, _ = io.WriteString(conn, "who | goes <b>there\n\n")
				continue
			}
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func closed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: closed NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Check(l.Close())
}

// FirstLines has a plugin explain itself under the longest names, environment,
// title and impact that are legal: line 1 of every verdict must be whole and fit.
func FirstLines(t *testing.T, program string, roles ...string) {
	t.Helper()
	long := func(name string) string { return name + strings.Repeat("n", 40-len(name)) }
	args := []string{"--explain", "-E", strings.Repeat("e", 32), "--near", long("near") + "=10.0.0.1", "--peer", long("peer") + "=192.0.2.1",
		"--peer", long("peer2") + "=192.0.2.2", "--min-peer", "2", "--via", "tun0", "--mtu", "1400", "-m", "2"}
	for i := range 5 {
		args = append(args, "-H", fmt.Sprintf("%s/%s=10.1.0.%d", long(fmt.Sprint("far", i)), long("group"), i+1))
	}
	args = append(args, "-H", long("web")+"=https://"+strings.Repeat("h", 60)+".example/"+strings.Repeat("p", 200))
	for _, role := range roles {
		for i := range 2 {
			args = append(args, "--"+role, fmt.Sprintf("%s=tcp://10.2.0.%d:1", long(fmt.Sprint(role, i)), i+1))
		}
	}
	for _, more := range [][]string{nil, {"--title", strings.Repeat("t", 30), "--impact", strings.Repeat("i", 60)}, {"-H", strings.Repeat(strings.Repeat("u", 50)+".", 4) + "example"}} {
		out, _ := exec.Command(program, slices.Concat(args, more)...).Output()
		_, verdicts, found := strings.Cut(string(out), "Verdicts, with example figures:\n")
		if !found {
			t.Fatalf("no verdicts: %s", out)
		}
		causes := 0
		for line := range strings.Lines(verdicts) {
			line = strings.TrimSpace(line)
			_, line, _ = strings.Cut(line, "  ")
			line = strings.TrimSpace(line)
			if !first.MatchString(line) {
				t.Errorf("not a first line: %q", line)
			}
			if causes++; len(line) > 150 || strings.Contains(line, "...") || strings.HasSuffix(line, ".") {
				t.Errorf("%d characters: %s", len(line), line)
			}
			if impact := strings.Repeat("i", 60); more != nil && strings.Contains(line, "iii") && !strings.HasSuffix(line, impact) {
				t.Errorf("the impact is cut: %s", line)
			}
		}
		if causes < 10 {
			t.Errorf("only %d verdicts", causes)
		}
	}
}
