package nagios

import (
	"strings"
	"unicode"
)

const ellipsis = "..."

// Clean makes text fit to print in a report: one line of printable ASCII, at
// most max characters, without those that Nagios strips from macros or reads
// as its own. Control characters, escape codes, quotes, angle brackets and
// the pipe become blanks, and blanks fold; ";" becomes ","; every other
// character that cannot stay becomes "?". What is too long ends in "...",
// between words where there is a good place. Cleaning clean text changes
// nothing. The work depends on max, not on the length of the text.
func Clean(text string, max int) string {
	if max <= 0 {
		return ""
	}
	// Room for characters of several bytes, and for blanks that fold.
	cut := len(text)/16 > max
	if cut {
		text = text[:16*max]
	}
	text = strings.Map(printable, withoutEscapes(text))
	text = strings.Join(strings.Fields(text), " ")
	if cut || len(text) > max {
		return shorten(text, max)
	}
	return text
}

// withoutEscapes puts a blank in place of each terminal control sequence, such as
// a colour: a beginning, parameters, intermediate bytes and a final one (ECMA-48,
// section 5.4).
func withoutEscapes(text string) string {
	const beginning = "\x1b["
	if !strings.Contains(text, beginning) {
		return text
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, beginning)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		rest := strings.TrimLeft(after, "0123456789:;<=>?")
		rest = strings.TrimLeft(rest, " !\"#$%&'()*+,-./")
		if rest != "" && '@' <= rest[0] && rest[0] <= '~' {
			b.WriteByte(' ')
			text = rest[1:]
		} else {
			b.WriteString(beginning)
			text = after
		}
	}
}

// printable maps a character to the one that is printed for it.
func printable(r rune) rune {
	switch {
	case r == ';':
		return ',' // Nagios turns it into ":"
	case unicode.IsControl(r), unicode.IsSpace(r), strings.ContainsRune("`\"'<>|", r):
		return ' '
	case r > unicode.MaxASCII, strings.ContainsRune("~$&", r):
		return '?'
	}
	return r
}

// shorten cuts ASCII text so that with the ellipsis it has at most max
// characters: after a word if that keeps at least half, else within a word.
func shorten(text string, max int) string {
	room := max - len(ellipsis)
	if room < 0 {
		return ellipsis[:max]
	}
	// One character more, to see whether a word ends right there.
	end := strings.LastIndexByte(text[:min(len(text), room+1)], ' ')
	if end < room/2 {
		end = min(len(text), room)
	}
	return text[:end] + ellipsis
}
