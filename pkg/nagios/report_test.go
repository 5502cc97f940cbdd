package nagios

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	limits := mustPair(t, "100,20%")
	for _, c := range []struct {
		name   string
		report Report
		want   string
	}{
		{"zero", Report{}, "OK: no text was given\n"},
		{"state and text", Report{State: Warning, Summary: "half the machines answer"}, "WARNING: half the machines answer\n"},
		{"perfdata", Report{State: Critical, Summary: "down", Perfdata: []Datum{
			{Label: "far_up", Max: 14},
			{Label: "loss", Value: 100, Unit: "%", Warn: limits.Loss, Max: 100},
		}}, "CRITICAL: down | far_up=0;;;0;14 loss=100%;20;;0;100\n"},
		{"details", Report{Summary: "up", Details: []string{
			"[OK] far mongo-4 10.3.11.6: loss 0%, rta 12.3 ms", "", "[CRITICAL] far a|b",
		}, Perfdata: []Datum{{Label: "n", Value: 1}}},
			"OK: up | n=1;;;0;\n[OK] far mongo-4 10.3.11.6: loss 0%, rta 12.3 ms\n\n[CRITICAL] far a b\n"},
		{"only bad characters", Report{State: Unknown, Summary: "||\n\"'"}, "UNKNOWN: no text was given\n"},
		{"no figure left", Report{Summary: "up", Perfdata: []Datum{{Label: "n", Value: math.NaN()}}}, "OK: up\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.report.String(); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestReportSummaryFitsWithItsState(t *testing.T) {
	for _, state := range []State{OK, Warning, Critical, Unknown, 99} {
		for _, summary := range []string{strings.Repeat("x", 1000), strings.Repeat("some words ", 100)} {
			report := Report{State: state, Summary: summary, Perfdata: []Datum{{Label: "n"}}}
			text, _, _ := strings.Cut(report.String(), " | ")
			if len(text) > 150 || len(text) < 135 || !strings.HasSuffix(text, "...") {
				t.Errorf("%d characters: %q", len(text), text)
			}
		}
	}
	exact := Report{State: OK, Summary: strings.Repeat("x", 146)}.String()
	if exact != "OK: "+strings.Repeat("x", 146)+"\n" {
		t.Errorf("150 characters are cut: %q", exact)
	}
}

func TestReportDetailsAreCut(t *testing.T) {
	report := Report{Summary: "s", Details: []string{strings.Repeat("y", 600)}}
	want := "OK: s\n" + strings.Repeat("y", 509) + "...\n"
	if got := report.String(); got != want {
		t.Errorf("got %q", got)
	}
}

func TestReportSaysHowManyLinesAreLeftOut(t *testing.T) {
	report := Report{Summary: "s", Details: make([]string, 1000)}
	for i := range report.Details {
		report.Details[i] = fmt.Sprintf("%d %s", i, strings.Repeat("z", 200))
	}
	out := report.String()
	if len(out) >= maxOutput || len(out) < maxOutput-400 {
		t.Errorf("%d bytes", len(out))
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	shown := len(lines) - 2 // without the first and the last
	want := fmt.Sprintf("%d more lines left out: the output is too long", 1000-shown)
	if got := lines[len(lines)-1]; got != want {
		t.Errorf("the last line is %q, want %q", got, want)
	}
}

func TestReportOfEverythingTooLong(t *testing.T) {
	report := Report{State: Critical, Summary: strings.Repeat("s", 1<<20)}
	for i := range 3000 {
		report.Details = append(report.Details, strings.Repeat("d", 10000))
		report.Perfdata = append(report.Perfdata, Datum{Label: strings.Repeat("l", 1000), Value: float64(i)})
	}
	checkReport(t, report.String())
}

// checkReport checks what must hold for every report whatsoever.
func checkReport(t *testing.T, out string) {
	t.Helper()
	if len(out) >= 60<<10 || !strings.HasSuffix(out, "\n") {
		t.Fatalf("%d bytes, ending in %q", len(out), out[len(out)-1:])
	}
	first, rest, _ := strings.Cut(out, "\n")
	text, perfdata, found := strings.Cut(first, " | ")
	if found {
		checkPerfdata(t, perfdata)
	}
	state, summary, _ := strings.Cut(text, ": ")
	if _, err := ParseState(state); err != nil || state == "" || summary == "" || !isClean(text) || len(text) > 160 {
		t.Fatalf("bad first line %q", text)
	}
	for _, line := range strings.Split(rest, "\n") {
		if !isClean(line) || len(line) > maxDetail {
			t.Fatalf("bad line %q", line)
		}
	}
}

func FuzzReport(f *testing.F) {
	f.Add(uint8(2), "down", "[OK] far a", "loss", "%", 12.5, 100.0, "100,20%", uint16(3))
	f.Add(uint8(9), "a|b=1\n", "x|y=1;2\r\nz", "it's='", "ms", math.Inf(1), -1.0, ":5,20%", uint16(2000))
	f.Add(uint8(0), "", "", "", "kb", math.NaN(), 0.0, "", uint16(0))
	f.Fuzz(func(t *testing.T, state uint8, summary, detail, label, unit string, value, max float64, limits string, n uint16) {
		pair, _ := ParsePair(limits)
		report := Report{State: State(state), Summary: summary}
		for i := range int(n % 4096) {
			report.Details = append(report.Details, fmt.Sprint(detail, i))
			report.Perfdata = append(report.Perfdata,
				Datum{Label: label, Value: value * float64(i), Unit: unit, Warn: pair.RTA, Crit: pair.Loss, Max: max})
		}
		out := report.String()
		checkReport(t, out)
		if !strings.HasPrefix(out, State(state).String()+": ") {
			t.Fatalf("state %d prints %.40q", state, out)
		}
		if report.String() != out {
			t.Fatal("the same report prints differently")
		}
	})
}
