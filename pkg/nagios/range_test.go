package nagios

import (
	"math"
	"strings"
	"testing"
)

func TestRangeAlerts(t *testing.T) {
	for _, c := range []struct {
		text     string
		printed  string
		alerts   []float64
		tolerate []float64
	}{
		{"10", "0:10", []float64{-0.001, 10.001, math.Inf(1)}, []float64{0, 10}},
		{":10", "0:10", []float64{-1, 11}, []float64{0, 10}},
		{"10:", "10:", []float64{9.999, math.Inf(-1)}, []float64{10, 1e300}},
		{"~:10", "~:10", []float64{10.001}, []float64{-1e300, 10}},
		{"~:", "~:", nil, []float64{-1e300, 0, 1e300}},
		{"-5:10", "-5:10", []float64{-5.1, 10.1}, []float64{-5, 10}},
		{"10:10", "10:10", []float64{9.9, 10.1}, []float64{10}},
		{".5:1.50", "0.5:1.5", []float64{0.4, 1.6}, []float64{0.5, 1.5}},
		{"-0:-0", "0:0", []float64{-1, 1}, []float64{0}},
		{"@10:20", "@10:20", []float64{10, 20}, []float64{9.9, 20.1}},
		{"@:10", "@0:10", []float64{0, 10}, []float64{-0.1, 10.1}},
		{"@10", "@0:10", []float64{0, 10}, []float64{-0.1, 10.1}},
		{"@~:0", "@~:0", []float64{-1, 0}, []float64{0.1}},
		{"100000000000000000000000:", "100000000000000000000000:", []float64{0}, []float64{1e24}},
	} {
		r, err := ParseRange(c.text)
		if err != nil {
			t.Errorf("ParseRange(%q): %v", c.text, err)
			continue
		}
		if got := r.String(); got != c.printed {
			t.Errorf("ParseRange(%q) prints %q, want %q", c.text, got, c.printed)
		}
		for _, value := range c.alerts {
			if !r.Alert(value) {
				t.Errorf("%q must alert at %v", c.text, value)
			}
		}
		for _, value := range c.tolerate {
			if r.Alert(value) {
				t.Errorf("%q must not alert at %v", c.text, value)
			}
		}
	}
}

func TestParseRangeRejects(t *testing.T) {
	for _, text := range badRanges {
		got, err := ParseRange(text)
		if err == nil {
			t.Errorf("ParseRange(%q) = %v, want an error", text, got)
			continue
		}
		if got != (Range{}) || !isClean(err.Error()) {
			t.Errorf("ParseRange(%q) = %v, %q: want no range and printable text", text, got, err)
		}
	}
}

var badRanges = []string{
	"", " ", "\n", ":", "@", "@:", "~", "@~", "~10", "20:10", "-5", "@20:10", "10:~", "~:~",
	"~x:5", "~5:10", "x~:5", "nan", "inf", "-inf:", "inf:", "0x1p4", "0x10", "1_000", "1e3", "1E3:",
	"1,5", "1:2:3", "::", "10 ", " 10", "10\n", "10: 20", "+5", "+5:10", "--5:10", "5.", "5.:", ".", "-.",
	"1.2.3", "@@10", "10@", "10:@20", "foo", "1-10", "0:<=20", "\u0661", "10%", "$(id)", "a`b'c\"|d",
	strings.Repeat("9", 400), strings.Repeat("9", 400) + ":",
}

func TestRangeNotSetNeverAlerts(t *testing.T) {
	var r Range
	for _, value := range []float64{math.Inf(-1), -1, 0, 1, math.Inf(1), math.NaN()} {
		if r.Alert(value) {
			t.Errorf("a range that is not set alerts at %v", value)
		}
	}
	if r.String() != "" {
		t.Errorf("a range that is not set prints %q", r)
	}
}

func FuzzParseRange(f *testing.F) {
	for _, text := range append([]string{"10", ":10", "10:", "~:10", "@-5:5", "@:.5", "~:"}, badRanges...) {
		f.Add(text, 10.0)
	}
	f.Fuzz(func(t *testing.T, text string, value float64) {
		r, err := ParseRange(text)
		if err != nil {
			if !isClean(err.Error()) {
				t.Fatalf("the error for %q is not printable: %q", text, err)
			}
			return
		}
		printed := r.String()
		if strings.Trim(printed, "@~:-.0123456789") != "" {
			t.Fatalf("%q prints %q: not plain", text, printed)
		}
		again, err := ParseRange(printed)
		if err != nil || again != r || again.String() != printed {
			t.Fatalf("%q prints %q, which reads back as %q, %v", text, printed, again, err)
		}
		bounds := r.bounds
		for _, v := range []float64{value, bounds.Start, bounds.End,
			math.Nextafter(bounds.Start, math.Inf(-1)), math.Nextafter(bounds.End, math.Inf(1))} {
			if r.Alert(v) != again.Alert(v) {
				t.Fatalf("%q and %q differ at %v", text, printed, v)
			}
		}
		if !r.Alert(math.NaN()) {
			t.Fatalf("%q takes NaN for healthy", text)
		}
	})
}
