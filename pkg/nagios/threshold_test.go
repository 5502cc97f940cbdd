package nagios

import (
	"math"
	"strings"
	"testing"
)

func mustPair(t testing.TB, text string) Pair {
	t.Helper()
	pair, err := ParsePair(text)
	if err != nil {
		t.Fatalf("ParsePair(%q): %v", text, err)
	}
	return pair
}

func TestParsePair(t *testing.T) {
	for text, printed := range map[string]string{
		"100,20%":        "100,20%",
		"100.0,20%":      "100,20%",
		"500.0,60.50%":   "500,60.5%",
		"0,0%":           "0,0%",
		".5,100%":        "0.5,100%",
		"-5:10,20%":      "-5:10,20%",
		"@10:20,~:60%":   "@10:20,~:60%",
		"@10,:60%":       "@0:10,0:60%",
		"0:60,0:60%":     "0:60,0:60%",
		":60,60:%":       "0:60,60:%",
		"~:,~:%":         "~:,~:%",
		"12345678,101:%": "12345678,101:%",
	} {
		pair := mustPair(t, text)
		if got := pair.String(); got != printed {
			t.Errorf("ParsePair(%q) prints %q, want %q", text, got, printed)
		}
		if again := mustPair(t, pair.String()); again != pair {
			t.Errorf("%q reads back as %q", pair, again)
		}
	}
}

var badPairs = []string{
	"", ",", "%", ",%", "100", "20%", "100,20", "100,", ",20%", "100,%", "100%,20", "100%,20%", "100 ,20%", "100, 20%",
	"100,20%%", "100,20% ", "100,20%,5", "100,20,5%", "100;20%", "-1,20%", "100,-1%", "-0,20%", "100,101%", "100,100.01%",
	"nan,20%", "100,inf%", "1e3,20%", "0x10,20%", "1_0,20%", "20:10,20%", "100,20:10%", ":,20%", "100,@%", "100,20:%:",
	"+1,2%", "5.,2%", "100ms,20%", strings.Repeat("9", 400) + ",20%", "$(id),20%", "`,20%", "|,\x1b[31m%",
}

func TestParsePairRejects(t *testing.T) {
	for _, text := range badPairs {
		pair, err := ParsePair(text)
		if err == nil {
			t.Errorf("ParsePair(%q) = %q, want an error", text, pair)
			continue
		}
		if pair != (Pair{}) {
			t.Errorf("ParsePair(%q) returns %q beside its error", text, pair)
		}
		checkPairError(t, text, err)
	}
}

func checkPairError(t *testing.T, text string, err error) {
	t.Helper()
	message := err.Error()
	if !isClean(message) || message != strings.ToLower(message[:1])+message[1:] {
		t.Errorf("the error for %q is not fit to print: %q", text, message)
	}
	if !strings.Contains(message, "for example") {
		t.Errorf("the error for %q has no example: %q", text, message)
	}
}

func TestLimitAlertsAtOrAboveAPlainNumber(t *testing.T) {
	limit := mustPair(t, "100,20%").Loss
	for value, want := range map[float64]bool{-1: false, 0: false, 19.999: false, 20: true, 20.001: true, 100: true} {
		if limit.Alert(value) != want {
			t.Errorf("20 alerts at %v: %v", value, !want)
		}
	}
}

func TestLimitRangeAlertsOutside(t *testing.T) {
	limit := mustPair(t, "0:60,20%").RTA
	for value, want := range map[float64]bool{-1: true, 0: false, 60: false, 60.001: true} {
		if limit.Alert(value) != want {
			t.Errorf("0:60 alerts at %v: %v", value, !want)
		}
	}
}

func TestLimitAlertsWithin(t *testing.T) {
	for _, test := range []struct {
		limit     string
		low, high float64
		want      bool
	}{
		{"20", 0, 19.9, false}, {"20", 0, 20, true}, {"20", 30, 40, true}, {"0", 0, 0, true},
		{"10:20", 10, 20, false}, {"10:20", 0, 15, true}, {"10:20", 15, 21, true}, {"0:20", 0, 20, false},
		{"@5:10", 0, 4, false}, {"@5:10", 0, 7, true}, {"@5:10", 0, 100, true}, {"@5:10", 11, 100, false}, {"@5:10", 6, 7, true},
		{"~:5", 0, 5, false}, {"5:", 0, 100, true}, {"@0:0", 1, 2, false},
	} {
		limit := mustPair(t, "1,"+test.limit+"%").Loss
		if got := limit.AlertsWithin(test.low, test.high); got != test.want {
			t.Errorf("%s alerts from %v to %v: %v, want %v", test.limit, test.low, test.high, got, test.want)
		}
	}
	if (Limit{}).AlertsWithin(0, 100) {
		t.Error("a limit that is not set alerts")
	}
}

func TestLimitNumber(t *testing.T) {
	for text, want := range map[string]float64{"100": 100, "0": 0, "0.5": 0.5} {
		if got, plain := mustPair(t, text+",20%").RTA.Number(); !plain || got != want {
			t.Errorf("the number of %q is %v, %v", text, got, plain)
		}
	}
	for _, text := range []string{"0:60", ":60", "60:", "~:60", "@60", "@0:60"} {
		if got, plain := mustPair(t, text+",20%").RTA.Number(); plain {
			t.Errorf("the range %q passes for the plain number %v", text, got)
		}
	}
}

func TestLimitNotSetNeverAlerts(t *testing.T) {
	var limit Limit
	for _, value := range []float64{math.Inf(-1), 0, 1e9, math.Inf(1), math.NaN()} {
		if limit.Alert(value) || breaks(Pair{}, value, true, value) {
			t.Errorf("a limit that is not set alerts at %v", value)
		}
	}
	if _, plain := limit.Number(); plain || limit.String() != "" || (Pair{}).String() != "" {
		t.Error("a limit that is not set has a number or text")
	}
}

func TestPairAlert(t *testing.T) {
	pair := mustPair(t, "100,20%")
	for _, c := range []struct {
		rta     float64
		haveRTA bool
		loss    float64
		want    bool
	}{
		{99.9, true, 19.9, false},
		{100, true, 0, true},
		{1, true, 20, true},
		{0, false, 100, true},
		{0, false, 0, false},
		{500, false, 0, false},
		{math.NaN(), false, 0, false},
		{math.NaN(), true, 0, true},
		{1, true, math.NaN(), true},
	} {
		if got := breaks(pair, c.rta, c.haveRTA, c.loss); got != c.want {
			t.Errorf("Alert(%v, %v, %v) = %v", c.rta, c.haveRTA, c.loss, got)
		}
	}
	inside := mustPair(t, "@0:5,20%")
	if breaks(inside, 0, false, 0) {
		t.Error("a round-trip time that was not measured is judged")
	}
}

func FuzzParsePair(f *testing.F) {
	for _, text := range append([]string{"100,20%", "-5:10,20%", "@10:20,~:60%", ":60,0:60%"}, badPairs...) {
		f.Add(text, 10.0, 20.0)
	}
	f.Fuzz(func(t *testing.T, text string, rta, loss float64) {
		pair, err := ParsePair(text)
		if err != nil {
			checkPairError(t, text, err)
			return
		}
		printed := pair.String()
		again, err := ParsePair(printed)
		if err != nil || again != pair || again.String() != printed {
			t.Fatalf("%q prints %q, which reads back as %q, %v", text, printed, again, err)
		}
		if breaks(pair, rta, true, loss) != breaks(again, rta, true, loss) {
			t.Fatalf("%q and %q differ at %v, %v", text, printed, rta, loss)
		}
		if !breaks(pair, math.NaN(), true, loss) || !breaks(pair, rta, true, math.NaN()) {
			t.Fatalf("%q takes NaN for healthy", text)
		}
		if number, plain := pair.Loss.Number(); plain && (number < 0 || number > 100) {
			t.Fatalf("%q: a loss of %v", text, number)
		}
	})
}

// breaks tells whether loss, in percent, or rta, in milliseconds, breaks its limit.
func breaks(p Pair, rta float64, haveRTA bool, loss float64) bool {
	return p.Loss.Alert(loss) || haveRTA && p.RTA.Alert(rta)
}
