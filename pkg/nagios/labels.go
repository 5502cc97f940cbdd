package nagios

import (
	"strconv"
	"strings"
)

const (
	maxName  = 64           // characters of what Labels returns
	maxLabel = maxName + 16 // a name, and what is measured: _loss, _rta, _time
)

// Labels maps each name to a perfdata label that needs no quotes and that
// all daemons read alike: [A-Za-z0-9_-], 1 to 64 characters. Every other
// character becomes "_", a dot too, because it splits names in Graphite. Of equal labels the first keeps its text, the later
// ones get _2, _3 and so on, passing over labels that other names have. The
// same names in the same order always get the same labels.
func Labels(names []string) []string { return uniqueLabels(names, maxName) }

func uniqueLabels(names []string, limit int) []string {
	labels := make([]string, len(names))
	wanted := make(map[string]bool, len(names))
	for i, name := range names {
		labels[i] = cleanLabel(name, limit)
		wanted[labels[i]] = true
	}
	seen := make(map[string]int, len(names)) // the last suffix of each label
	for i, label := range labels {
		n := seen[label] + 1
		if n > 1 {
			for wanted[suffixed(label, n, limit)] {
				n++
			}
			labels[i] = suffixed(label, n, limit)
			wanted[labels[i]] = true
		}
		seen[label] = n
	}
	return labels
}

func suffixed(label string, n, limit int) string {
	suffix := "_" + strconv.Itoa(n)
	return label[:min(len(label), limit-len(suffix))] + suffix
}

func cleanLabel(name string, limit int) string {
	var label strings.Builder
	for _, r := range name {
		if label.Len() == limit {
			break
		}
		if !isLabelRune(r) {
			r = '_'
		}
		label.WriteRune(r)
	}
	if label.Len() == 0 {
		return "_"
	}
	return label.String()
}

func isLabelRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
		r == '_' || r == '-'
}
