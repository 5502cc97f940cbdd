package plugin

import (
	"cmp"
	"strings"

	"checkvpn/pkg/terminal"
)

const (
	_ = iota // the state
	columnRole
	columnName
	columnAddress
	columnLoss
	columnTime
	columnPackets
	columns // how many there are
)

// row is a target in the table, and what may take the place of cells that are
// too wide.
type row struct {
	cells [columns]string
	count string   // of packets, in place of marks
	note  string   // at the end of the line, or below it
	more  []string // lines below it
}

const (
	gap = 2 // between columns
	// minNote is the room from which on a note stands at the end of the line.
	minNote    = 36
	minName    = 12
	maxAddress = 24 // where there is no room for more
	below      = 4  // how far lines below a row are set in
)

// layout gives the lines of a table that is no wider than the screen. If it would
// be, marks become counts, then roles, losses and times go, and long addresses
// are cut: who it is about stays longest. Then names are cut, and what is still
// too wide is cut off.
func layout(s *terminal.Screen, rows []row) []string {
	widths := measure(rows)
	for _, narrow := range []func(*row){
		func(r *row) { r.cells[columnPackets] = cmp.Or(r.count, r.cells[columnPackets]) },
		func(r *row) { r.cells[columnRole] = "" },
		func(r *row) { r.cells[columnLoss] = "" },
		func(r *row) { r.cells[columnTime] = "" },
		func(r *row) { r.cells[columnAddress] = terminal.Cut(r.cells[columnAddress], maxAddress) },
	} {
		if total(widths) <= s.Width {
			break
		}
		for i := range rows {
			narrow(&rows[i])
		}
		widths = measure(rows)
	}
	if over := total(widths) - s.Width; over > 0 {
		widths[columnName] = max(minName, widths[columnName]-over)
	}
	var lines []string
	for _, r := range rows {
		lines = append(lines, r.lines(s, widths)...)
	}
	return lines
}

// measure is the width of each column, 0 where nothing stands in it but its
// head.
func measure(rows []row) (widths [columns]int) {
	for c := range columns {
		for _, r := range rows[1:] {
			widths[c] = max(widths[c], len(r.cells[c]))
		}
		if widths[c] > 0 {
			widths[c] = max(widths[c], len(rows[0].cells[c]))
		}
	}
	return widths
}

func total(widths [columns]int) (sum int) {
	for _, w := range widths {
		if w > 0 {
			sum += w + gap
		}
	}
	return sum - gap
}

// lines are those of one row.
func (r row) lines(s *terminal.Screen, widths [columns]int) []string {
	var b strings.Builder
	for c, w := range widths {
		if w == 0 {
			continue
		}
		text := terminal.Cut(r.cells[c], w)
		pad := strings.Repeat(" ", w-len(text))
		if c == columnTime {
			text, pad = pad+text, ""
		}
		b.WriteString(text + pad + strings.Repeat(" ", gap))
	}
	line := b.String()
	underneath := r.more
	if room := s.Width - len(line); r.note != "" && room >= minNote {
		line += strings.ReplaceAll(terminal.Wrap(r.note, room, 0), "\n", "\n"+strings.Repeat(" ", len(line)))
	} else if r.note != "" {
		underneath = append([]string{r.note}, underneath...)
	}
	lines := strings.Split(line, "\n")
	for i := range lines {
		lines[i] = terminal.Cut(strings.TrimRight(lines[i], " "), s.Width)
	}
	lines[0] = paintState(s, lines[0])
	for _, text := range underneath {
		wrapped := strings.Split(terminal.Wrap(text, max(1, s.Width-below), gap), "\n")
		for _, line := range wrapped {
			lines = append(lines, terminal.Cut(strings.Repeat(" ", below)+line, s.Width))
		}
	}
	return lines
}
