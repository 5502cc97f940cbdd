package nagios

import (
	"math"
	"strings"
	"testing"
	"time"
)

// isClean says whether text is what Clean lets through.
func isClean(text string) bool {
	for _, r := range text {
		if r < ' ' || r > '~' || strings.ContainsRune("`~$&|\"'<>;", r) {
			return false
		}
	}
	return text == strings.TrimSpace(text) && !strings.Contains(text, "  ")
}

func TestClean(t *testing.T) {
	for _, c := range []struct {
		text string
		max  int
		want string
	}{
		{"", 10, ""},
		{"plain (text): 20%, [OK] a=b", 80, "plain (text): 20%, [OK] a=b"},
		{" a \t b\r\n\r\nc\x00\x7f ", 80, "a b c"},
		{"a\u00a0b\u2028c\u0085d", 80, "a b c d"},
		{"one; two", 80, "one, two"},
		{"a|b", 80, "a b"},
		{"<b>\"x\" 'y' `z`</b>", 80, "b x y z /b"},
		{"$HOST$ & ~root", 80, "?HOST? ? ?root"},
		{"caf\u00e9 \u202eabc \xff\xfe", 80, "caf? ?abc ??"},
		{"\x1b[31;1mred\x1b[0m\x1b]x", 80, "red ]x"},
		{"\x1b\x1b[0m[31mnot a code", 80, "[31mnot a code"},
		{"0123456789", 10, "0123456789"},
		{"01234567890", 10, "0123456..."},
		{"one two three", 13, "one two three"},
		{"one two three", 12, "one two..."},
		{"one two three", 10, "one two..."},
		{"one two three", 9, "one..."},
		{"a bcdefghijklmnop", 10, "a bcdef..."},
		{"four", 3, "..."},
		{"four", 1, "."},
		{"four", 0, ""},
		{"four", -1, ""},
		{"abc   ", 3, "abc"},
		{"a" + strings.Repeat(" ", 40) + "b", 3, "a b"},
		{"word" + strings.Repeat(" ", 200) + "unread", 8, "word..."},
	} {
		if got := Clean(c.text, c.max); got != c.want {
			t.Errorf("Clean(%q, %d) = %q, want %q", c.text, c.max, got, c.want)
		}
	}
}

func TestCleanTakesAnyBound(t *testing.T) {
	if got := Clean("a  b", math.MaxInt); got != "a b" {
		t.Errorf("got %q", got)
	}
	if got := Clean("a  b", math.MinInt); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestCleanWorkDoesNotGrowWithTheText(t *testing.T) {
	for _, unit := range []string{" ", "x", "\x1b[", "\u00e9", "\xff", "|"} {
		text := strings.Repeat(unit, 32<<20/len(unit))
		start := time.Now()
		for range 200 {
			Clean(text, 160)
		}
		// Reading all of it once takes 10 ms or more, this often some seconds.
		if took := time.Since(start); took > time.Second {
			t.Errorf("32 MiB of %q, 200 times, take %v", unit, took)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("plain text", 10)
	f.Add(" \x1b[31mred\x1b[0m | a=b; `x`\r\n\xff\u00e9", 12)
	f.Add(strings.Repeat(" ", 300)+"x", 5)
	f.Add("one two three", 9)
	f.Fuzz(func(t *testing.T, text string, max int) {
		got := Clean(text, max)
		if !isClean(got) {
			t.Fatalf("Clean(%q, %d) = %q", text, max, got)
		}
		if len(got) > 0 && len(got) > max {
			t.Fatalf("Clean(%q, %d) has %d characters", text, max, len(got))
		}
		if again := Clean(got, max); again != got {
			t.Fatalf("cleaned again, %q becomes %q", got, again)
		}
		if isClean(text) && len(text) <= max && got != text {
			t.Fatalf("clean text %q becomes %q", text, got)
		}
	})
}
