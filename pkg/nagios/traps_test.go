package nagios

import (
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/olorin/nagiosplugin"
)

// Each test here is named for something that olorin/nagiosplugin does, and
// that must not reach a report.

func TestTrapParseRangePanicsOnEmptyText(t *testing.T) {
	for _, text := range []string{"", " ", "\n", "\r\n "} {
		if _, err := ParseRange(text); err == nil {
			t.Errorf("ParseRange(%q) gives no error", text)
		}
	}
}

func TestTrapParseRangeRejectsMissingStart(t *testing.T) {
	for _, text := range []string{":10", "@:10"} {
		if _, err := ParseRange(text); err != nil {
			t.Errorf("ParseRange(%q): %v", text, err)
		}
	}
}

func TestTrapParseRangeTakesNonsense(t *testing.T) {
	for _, text := range []string{"@", "~x:5", "~5:10", "nan", "inf", "0x1p4", "1_000", "1e3", " 10 "} {
		if r, err := ParseRange(text); err == nil {
			t.Errorf("ParseRange(%q) = %v, want an error", text, r)
		}
	}
}

func TestTrapNaNLooksHealthyInsideARange(t *testing.T) {
	for _, text := range []string{"10", "@10:20", "~:", "@~:"} {
		r, err := ParseRange(text)
		if err != nil || !r.Alert(math.NaN()) {
			t.Errorf("%q does not alert at NaN (%v)", text, err)
		}
	}
}

func TestTrapStatusOutsideRangeCountsAsOK(t *testing.T) {
	for _, state := range []State{4, 100, 255} {
		if got := (Report{State: state, Summary: "s"}).String(); got != "UNKNOWN: s\n" {
			t.Errorf("State(%d) prints %q", uint8(state), got)
		}
		if state.ExitCode() != 3 || Compare(state, Unknown) != 0 {
			t.Errorf("State(%d) is not UNKNOWN everywhere", uint8(state))
		}
	}
}

func TestTrapStatusStringPanics(t *testing.T) {
	for s := range 256 {
		if State(s).String() == "" {
			t.Errorf("State(%d) has no text", s)
		}
	}
}

func TestTrapPolicyLosesUnknown(t *testing.T) {
	// A check starts as OK, so a state ranked below OK would never show.
	for _, state := range []State{Warning, Critical, Unknown} {
		if Compare(OK, state) <= 0 {
			t.Errorf("OK hides %v", state)
		}
		if got := (Report{State: state, Summary: "s"}).String(); got != state.String()+": s\n" {
			t.Errorf("%v prints %q", state, got)
		}
	}
}

func TestTrapPolicyMustKnowEveryState(t *testing.T) {
	for _, s := range []nagiosplugin.Status{nagiosplugin.OK, nagiosplugin.WARNING, nagiosplugin.CRITICAL, nagiosplugin.UNKNOWN} {
		if _, known := (*severity)[s]; !known {
			t.Errorf("the policy does not rank %v", s)
		}
	}
}

func TestTrapOnlyTheFinalStateReachesLine1(t *testing.T) {
	for _, state := range []State{OK, Warning, Critical, Unknown} {
		if got := (Report{State: state, Summary: "the text"}).String(); !strings.Contains(got, "the text") {
			t.Errorf("%v loses its text: %q", state, got)
		}
	}
}

func TestTrapLabelsAreUnchecked(t *testing.T) {
	got := perfdataOf(Datum{Label: "it's a=b|c;d\n", Value: 1}, Datum{Label: ""}, Datum{Label: ""})
	if want := "it_s_a_b_c_d_=1;;;0; _=0;;;0; __2=0;;;0;"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTrapTextIsUnsanitised(t *testing.T) {
	report := Report{Summary: "a|b=1\nc %s %d", Details: []string{"x|y=1\nz"}}
	if got, want := report.String(), "OK: a b=1 c %s %d\nx y=1 z\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTrapEmptyTextGivesAnEmptyLine(t *testing.T) {
	if got := (Report{Summary: " \n"}).String(); got != "OK: no text was given\n" {
		t.Errorf("got %q", got)
	}
}

func TestTrapNaNAndInfinityAreErrors(t *testing.T) {
	got := perfdataOf(
		Datum{Label: "a", Value: math.NaN()}, Datum{Label: "b", Value: math.Inf(1)},
		Datum{Label: "c", Value: math.Inf(-1)}, Datum{Label: "d", Value: 1, Max: math.NaN()})
	if want := "d=1;;;0;"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTrapUnknownUnitIsAnError(t *testing.T) {
	if got, want := perfdataOf(Datum{Label: "a", Unit: "h"}, Datum{Label: "b"}), "b=0;;;0;"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTrapPointersIntoTheCallersSlice(t *testing.T) {
	one, two := mustPair(t, "1,2%"), mustPair(t, "3,4%")
	got := perfdataOf(
		Datum{Label: "a", Warn: one.RTA, Crit: one.Loss, Max: 10},
		Datum{Label: "b", Warn: two.RTA, Crit: two.Loss, Max: 20})
	if want := "a=0;1;2;0;10 b=0;3;4;0;20"; got != want {
		t.Errorf("figures share their limits: got %q, want %q", got, want)
	}
}

// TestTrapManyItems counts what is allocated for ten times as many items: the
// library's own rendering takes a hundred times as much.
func TestTrapManyItems(t *testing.T) {
	bytes := func(n int) uint64 {
		data := make([]Datum, n)
		for i := range data {
			data[i].Label = "a-machine-with-a-long-name-" + strconv.Itoa(i)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		renderPerfdata(data, nil)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if few, many := bytes(100), bytes(1000); many > 20*few {
		t.Errorf("%d bytes for 100 items, and %d for 1,000", few, many)
	}
}

func TestTrapNotSafeForConcurrentUse(t *testing.T) {
	report := Report{State: Critical, Summary: "s", Details: []string{"d"}, Perfdata: []Datum{{Label: "a"}, {Label: "a"}}}
	limits := mustPair(t, "@1:2,20%")
	want := report.String()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				if got := report.String(); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				breaks(limits, 1, true, 0)
				Compare(OK, Unknown)
			}
		})
	}
	group.Wait()
}
