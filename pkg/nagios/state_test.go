package nagios

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestStateTextAndExitCode(t *testing.T) {
	for _, c := range []struct {
		state State
		text  string
		code  int
	}{
		{OK, "OK", 0},
		{Warning, "WARNING", 1},
		{Critical, "CRITICAL", 2},
		{Unknown, "UNKNOWN", 3},
		{4, "UNKNOWN", 3},
		{255, "UNKNOWN", 3},
	} {
		if got := c.state.String(); got != c.text {
			t.Errorf("State(%d).String() = %q, want %q", uint8(c.state), got, c.text)
		}
		if got := c.state.ExitCode(); got != c.code {
			t.Errorf("State(%d).ExitCode() = %d, want %d", uint8(c.state), got, c.code)
		}
		got, err := json.Marshal(c.state)
		if err != nil || string(got) != `"`+c.text+`"` {
			t.Errorf("JSON of State(%d) = %s, %v, want %q", uint8(c.state), got, err, c.text)
		}
	}
}

func TestParseState(t *testing.T) {
	for text, want := range map[string]State{
		"0": OK, "1": Warning, "2": Critical, "3": Unknown,
		"OK": OK, "ok": OK, "Warning": Warning, "CRITICAL": Critical, "uNkNoWn": Unknown,
	} {
		if got, err := ParseState(text); err != nil || got != want {
			t.Errorf("ParseState(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "4", "-1", "00", "0x1", " OK", "OK ", "WARN", "O\u212a", "cr\u0131tical"} {
		got, err := ParseState(text)
		if err == nil {
			t.Errorf("ParseState(%q) = %v, want an error", text, got)
			continue
		}
		if got != Unknown || !isClean(err.Error()) {
			t.Errorf("ParseState(%q) = %v, %q: want UNKNOWN and printable text", text, got, err)
		}
	}
}

func TestCompareSortsWorstFirst(t *testing.T) {
	states := []State{OK, Unknown, Critical, Warning, Unknown, OK, Critical}
	slices.SortStableFunc(states, Compare)
	want := []State{Critical, Critical, Warning, Unknown, Unknown, OK, OK}
	if !slices.Equal(states, want) {
		t.Errorf("sorted: %v, want %v", states, want)
	}
	if Compare(Unknown, 77) != 0 {
		t.Error("a state outside 0-3 must rank as UNKNOWN")
	}
}
