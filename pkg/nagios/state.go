package nagios

import (
	"cmp"
	"errors"
	"strconv"
	"strings"

	"github.com/olorin/nagiosplugin"
)

// State is the result of a check, with the numbers that the guidelines give
// to exit codes ("Plugin Return Codes"). A number outside 0-3 counts as
// Unknown everywhere: the daemons would replace the output otherwise.
type State uint8

// The four states, numbered as exit codes.
const (
	OK       State = 0
	Warning  State = 1
	Critical State = 2
	Unknown  State = 3
)

// severity is the one place that orders the states, mildest first. The
// guidelines leave the order open; this one is that of monitoring-plugins'
// max_state_alt. Only an incomplete list is an error, so none can occur.
var severity, _ = nagiosplugin.NewStatusPolicy([]nagiosplugin.Status{
	nagiosplugin.OK,
	nagiosplugin.UNKNOWN,
	nagiosplugin.WARNING,
	nagiosplugin.CRITICAL,
})

// String returns OK, WARNING, CRITICAL or UNKNOWN.
func (s State) String() string { return s.status().String() }

// ExitCode returns the exit code of the program, 0 to 3.
func (s State) ExitCode() int { return int(s.status()) }

// MarshalText gives JSON the same text as String. It never fails.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// status is the only way from a State to the library's Status: there, a
// number outside 0-3 would panic when printed and count as OK in a check.
func (s State) status() nagiosplugin.Status {
	if s > Unknown {
		s = Unknown
	}
	return nagiosplugin.Status(s)
}

// ParseState reads an exit code, "0" to "3", or the name of a state in any
// case. It takes nothing else, blanks included.
func ParseState(text string) (State, error) {
	for s := OK; s <= Unknown; s++ {
		name := s.String()
		// Equal lengths keep out letters beyond ASCII that fold to ours.
		if text == strconv.Itoa(s.ExitCode()) || len(text) == len(name) && strings.EqualFold(text, name) {
			return s, nil
		}
	}
	return Unknown, errors.New("not a state: use 0 to 3, or OK, WARNING, CRITICAL or UNKNOWN")
}

// Compare orders states worst first, for slices.SortStableFunc: it is
// negative when a is worse than b, zero when they are the same. CRITICAL is
// the worst, then come WARNING, UNKNOWN and OK.
func Compare(a, b State) int {
	return cmp.Compare((*severity)[b.status()], (*severity)[a.status()])
}
