package nagios

import (
	"strings"
	"testing"
)

// TestWords holds the words against the limits: what they say of a value must
// be what the limit does with it.
func TestWords(t *testing.T) {
	tests := []struct {
		limit, words  string
		alerts, holds []float64
	}{
		{"100", "100 ms or more", []float64{100, 101}, []float64{99.9}},
		{"5:10", "below 5 ms or above 10 ms", []float64{4.9, 10.1}, []float64{5, 10}},
		{":10", "above 10 ms", []float64{10.1}, []float64{0, 10}},
		{"~:10", "above 10 ms", []float64{10.1}, []float64{0, 10}},
		{"5:", "below 5 ms", []float64{4.9}, []float64{5, 1000}},
		{"@5:10", "from 5 ms to 10 ms", []float64{5, 10}, []float64{4.9, 10.1}},
		{"@:10", "10 ms or less", []float64{0, 10}, []float64{10.1}},
		{"@5:", "5 ms or more", []float64{5}, []float64{4.9}},
		{"0:", "not limited", nil, []float64{0, 1000}},
	}
	for _, test := range tests {
		pair, err := ParsePair(test.limit + ",20%")
		if err != nil {
			t.Fatalf("%s: %v", test.limit, err)
		}
		want := "the round-trip average is " + test.words + ", or the packet loss is 20% or more"
		if got := pair.Words(); got != want {
			t.Errorf("%s: got %q, want %q", test.limit, got, want)
		}
		for _, value := range test.alerts {
			if !pair.RTA.Alert(value) {
				t.Errorf("%s: %q, and %v does not alert", test.limit, test.words, value)
			}
		}
		for _, value := range test.holds {
			if pair.RTA.Alert(value) {
				t.Errorf("%s: %q, and %v alerts", test.limit, test.words, value)
			}
		}
	}
	if got := (Pair{}).Words(); !strings.Contains(got, "average is not limited") {
		t.Errorf("without limits: %q", got)
	}
}
