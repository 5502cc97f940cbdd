package plugin

import (
	"strconv"
	"strings"
	"time"
)

// glance is what the arguments say at first sight, before go-flags: it must be
// known even if they cannot be read as a whole.
type glance struct {
	help, version bool
	json          bool          // whoever reads JSON wants to read of misuse in JSON, too
	timeout       time.Duration // of -t, or else the usual one
}

// look takes it from the arguments. The word after a short option with a value is
// that value, and no option.
func look(args []string) glance {
	g := glance{timeout: defaultTimeout}
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		next := ""
		if i+1 < len(args) {
			next = args[i+1]
		}
		if long, ok := strings.CutPrefix(args[i], "--"); ok {
			name, value, joined := strings.Cut(long, "=")
			if !joined {
				value = next
			}
			g.take(name, value)
		} else if g.letters(args[i], next) {
			i++
		}
	}
	return g
}

// withoutValue are the short options that take none.
const withoutValue = "46vVh"

// letters looks at short options, and tells whether the last of them takes the
// next word for its value.
func (g *glance) letters(arg, next string) bool {
	cluster, ok := strings.CutPrefix(arg, "-")
	if !ok {
		return false
	}
	for i, letter := range cluster {
		if strings.ContainsRune(withoutValue, letter) {
			g.take(string(letter), "")
			continue
		}
		if value := strings.TrimPrefix(cluster[i+len(string(letter)):], "="); value != "" {
			g.take(string(letter), value)
			return false
		}
		g.take(string(letter), next)
		return true
	}
	return false
}

func (g *glance) take(name, value string) {
	switch name {
	case "h", "help":
		g.help = true
	case "V", "version":
		g.version = true
	case "o", "output":
		g.json = value == string(asJSON)
	case "t", "timeout":
		if limit, ok := seconds(value); ok {
			g.timeout = limit
		}
	}
}

// seconds reads the time of a -t.
func seconds(value string) (time.Duration, bool) {
	text, _, _ := strings.Cut(value, ":")
	n, err := strconv.ParseUint(text, 10, 32)
	return time.Duration(n) * time.Second, err == nil && n >= 1 && n <= maxTimeout
}
