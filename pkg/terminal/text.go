package terminal

import "strings"

// Text is ASCII here: a character is a byte and a column.

// Cut shortens text to width, with dots where something is missing.
func Cut(text string, width int) string {
	switch {
	case len(text) <= width:
		return text
	case width <= 3:
		return text[:max(width, 0)]
	}
	return text[:width-3] + "..."
}

// Wrap breaks text between words into lines of at most width; those after the
// first begin with indent blanks. A word that is longer than a line is broken.
func Wrap(text string, width, indent int) string {
	indent = min(indent, max(width-1, 0)/2)
	var lines []string
	line, margin := "", ""
	for _, word := range strings.Fields(text) {
		for word != "" {
			begun := line != margin
			room := width - len(line)
			if begun {
				room--
			}
			if len(word) <= room || !begun && room < 1 {
				if begun {
					line += " "
				}
				line, word = line+word, ""
				continue
			}
			if !begun {
				line, word = line+word[:room], word[room:]
			}
			lines = append(lines, line)
			margin = strings.Repeat(" ", indent)
			line = margin
		}
	}
	return strings.Join(append(lines, line), "\n")
}
