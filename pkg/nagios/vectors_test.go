package nagios

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// vectorsVariable names the folder with the threshold cases that other
// projects' test suites and the guidelines agree on.
const vectorsVariable = "CHECKVPN_VECTORS"

// loadVectors reads the cases of one file. Without the variable the test is
// skipped; with it, a missing or empty file is a failure.
func loadVectors[Case any](t *testing.T, file string) []Case {
	t.Helper()
	folder := os.Getenv(vectorsVariable)
	if folder == "" {
		t.Skipf("%s is not set: set it to the folder that holds %s to run its cases", vectorsVariable, file)
	}
	content, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil {
		t.Fatalf("%s is set, but: %v", vectorsVariable, err)
	}
	var document struct{ Vectors []Case }
	if err := json.Unmarshal(content, &document); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(document.Vectors) == 0 {
		t.Fatalf("%s has no case", file)
	}
	return document.Vectors
}

// bound is an end of a range: a number, or "inf" or "-inf".
type bound float64

func (b *bound) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case `"inf"`:
		*b = bound(math.Inf(1))
		return nil
	case `"-inf"`:
		*b = bound(math.Inf(-1))
		return nil
	}
	return json.Unmarshal(text, (*float64)(b))
}

type rangeCase struct {
	ID, Source, Range, Expect string
	Value                     *float64
	Start, End                bound
	Inside                    bool
}

func TestRangeVectors(t *testing.T) {
	ran := 0
	for _, c := range loadVectors[rangeCase](t, "ranges.json") {
		t.Run(c.ID, func(t *testing.T) {
			ran++
			c.check(t)
		})
	}
	if ran == 0 {
		t.Error("no case ran")
	}
}

func (c rangeCase) check(t *testing.T) {
	r, err := ParseRange(c.Range)
	if wantError := c.Expect == "parse_error"; wantError != (err != nil) {
		t.Fatalf("ParseRange(%q) = %v, %v, want %s (%s)", c.Range, r, err, c.Expect, c.Source)
	}
	switch c.Expect {
	case "parse_error":
	case "parse_ok":
		got := r.bounds
		if got.Start != float64(c.Start) || got.End != float64(c.End) || got.AlertOnInside != c.Inside {
			t.Errorf("ParseRange(%q) = %+v, want %v to %v, inside %v (%s)", c.Range, got, c.Start, c.End, c.Inside, c.Source)
		}
	case "alert", "ok":
		if c.Value == nil {
			t.Fatal("the case has no value")
		}
		if got := r.Alert(*c.Value); got != (c.Expect == "alert") {
			t.Errorf("%q alerts at %v: %v (%s)", c.Range, *c.Value, got, c.Source)
		}
	default:
		t.Fatalf("the case expects %q, which this test does not know", c.Expect)
	}
}

type statusCase struct {
	ID, Source string
	Warn, Crit *string // nil: not set
	Value      *float64
	Status     string
}

func TestThresholdStatusVectors(t *testing.T) {
	ran := 0
	for _, c := range loadVectors[statusCase](t, "threshold_status.json") {
		t.Run(c.ID, func(t *testing.T) {
			ran++
			if c.Value == nil {
				t.Fatal("the case has no value")
			}
			if got := evaluate(t, c.Warn, c.Crit, *c.Value).String(); got != c.Status {
				t.Errorf("%v is %s, want %s (%s)", *c.Value, got, c.Status, c.Source)
			}
		})
	}
	if ran == 0 {
		t.Error("no case ran")
	}
}

// evaluate judges critical first, as the guidelines say. A threshold that is
// not valid gives UNKNOWN: nothing was judged.
func evaluate(t *testing.T, warn, crit *string, value float64) State {
	t.Helper()
	var limits [2]Range
	for i, text := range []*string{warn, crit} {
		if text == nil {
			continue
		}
		var err error
		if limits[i], err = ParseRange(*text); err != nil {
			return Unknown
		}
	}
	switch {
	case limits[1].Alert(value):
		return Critical
	case limits[0].Alert(value):
		return Warning
	}
	return OK
}
