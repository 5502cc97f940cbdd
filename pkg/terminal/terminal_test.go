package terminal

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair makes a terminal of some columns, and what a person in front of it sees
// and types.
func pair(t *testing.T, columns uint16) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: 24}); err != nil {
		t.Fatal(err)
	}
	return person, program
}

func TestOf(t *testing.T) {
	_, program := pair(t, 93)
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if s := Of(program); s == nil || s.Width != 93 || s.Paint(Red, "a") != "\x1b[1;31ma\x1b[0m" {
		t.Errorf("a terminal: %+v", s)
	}
	_, narrow := pair(t, 0)
	if s := Of(narrow); s == nil || s.Width != 80 {
		t.Errorf("a terminal that does not know its width: %+v", s)
	}
	t.Setenv("NO_COLOR", "1")
	if s := Of(program); s.Paint(Red, "a") != "a" || !s.moves {
		t.Errorf("with NO_COLOR: %+v", s)
	}
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "dumb")
	if s := Of(program); s.Paint(Red, "a") != "a" || s.moves {
		t.Errorf("a dumb terminal: %+v", s)
	}
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for _, other := range []io.Writer{file, null, w, &bytes.Buffer{}} {
		if s := Of(other); s != nil {
			t.Errorf("%T is no terminal: %+v", other, s)
		}
	}
}

func TestLive(t *testing.T) {
	person, program := pair(t, 12)
	t.Setenv("TERM", "xterm")
	s := Of(program)
	l := s.Live()
	if erase := l.Stop(); erase != "" {
		t.Errorf("nothing was shown, and %q erases it", erase)
	}
	l = s.Live()
	l.Show("one")
	seen := make([]byte, 100)
	n, err := person.Read(seen)
	if err != nil || string(seen[:n]) != "\r\x1b[Kone" {
		t.Errorf("got %q, %v", seen[:n], err)
	}
	l.Show("one")
	l.Show("a long line of words")
	n, err = person.Read(seen)
	if err != nil || string(seen[:n]) != "\r\x1b[Ka long l..." {
		t.Errorf("got %q, %v", seen[:n], err)
	}
	if erase := l.Stop(); erase != "\r\x1b[K" {
		t.Errorf("%q erases", erase)
	}
}

// TestHeldScreen has a screen that takes nothing.
func TestHeldScreen(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close()
	s := &Screen{Width: 80, moves: true, out: w}
	began := time.Now()
	l := s.Live()
	for i := range 1000 {
		l.Show(fmt.Sprint(i))
	}
	l.Stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("held up for %v", took)
	}
}

func TestText(t *testing.T) {
	for _, test := range []struct {
		text   string
		width  int
		indent int
		want   string
	}{
		{"", 10, 2, ""},
		{"one two", 10, 2, "one two"},
		{"one two three", 7, 2, "one two\n  three"},
		{"one two three", 8, 0, "one two\nthree"},
		{"abcdefghij", 4, 1, "abcd\n efg\n hij"},
		{"a abcdefghij", 4, 1, "a\n abc\n def\n ghi\n j"},
		{"a b", 1, 5, "a\nb"},
	} {
		if got := Wrap(test.text, test.width, test.indent); got != test.want {
			t.Errorf("Wrap(%q, %d, %d) is %q, want %q", test.text, test.width, test.indent, got, test.want)
		}
	}
	for width, want := range []string{"", "o", "on", "one", "o...", "on...", "one..."} {
		if got := Cut("one two", width); got != want {
			t.Errorf("Cut to %d is %q", width, got)
		}
	}
	if got := Cut("one two", 7); got != "one two" {
		t.Errorf("got %q", got)
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("one two three", 5, 2)
	f.Fuzz(func(t *testing.T, text string, width, indent int) {
		if width < 1 || width > 200 || indent < 0 || indent > 200 || len(text) > 1000 {
			return
		}
		got := Wrap(text, width, indent)
		for _, line := range strings.Split(got, "\n") {
			if len(line) > width {
				t.Errorf("%q is wider than %d", line, width)
			}
		}
		join := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if join(got) != join(text) {
			t.Errorf("%q became %q", text, got)
		}
	})
}
