package nagios

import (
	"math"
	"regexp"
	"strings"
	"testing"
)

// perfdataOf returns what follows the pipe on line 1.
func perfdataOf(data ...Datum) string {
	line, _, _ := strings.Cut(Report{Summary: "s", Perfdata: data}.String(), "\n")
	_, perfdata, _ := strings.Cut(line, " | ")
	return perfdata
}

func TestPerfdata(t *testing.T) {
	plain, band := mustPair(t, "100,20%"), mustPair(t, "@10:20,:60%")
	zero := mustPair(t, "0,0%")
	for _, c := range []struct {
		datum Datum
		want  string
	}{
		{Datum{Label: "far_up", Value: 14, Max: 14}, "far_up=14;;;0;14"},
		{Datum{Label: "loss", Value: 100, Unit: "%", Warn: plain.Loss, Crit: plain.Loss, Max: 100}, "loss=100%;20;20;0;100"},
		{Datum{Label: "rta", Value: 12.3456, Unit: "ms", Warn: plain.RTA, Crit: band.RTA}, "rta=12.346ms;100;;0;"},
		{Datum{Label: "rta", Value: 1, Unit: "ms", Warn: band.RTA, Crit: plain.RTA}, "rta=1ms;;100;0;"},
		{Datum{Label: "loss", Value: 0, Unit: "%", Warn: zero.Loss, Crit: band.Loss}, "loss=0%;0;;0;"},
		{Datum{Label: "t", Value: 0.25, Unit: "s", Max: 10}, "t=0.25s;;;0;10"},
		{Datum{Label: "mtu", Value: 1500, Unit: "B"}, "mtu=1500B;;;0;"},
		{Datum{Label: "n", Value: 1e21}, "n=1000000000000000000000;;;0;"},
		{Datum{Label: "n", Value: math.Copysign(0, -1), Max: math.Inf(1)}, "n=0;;;0;"},
		{Datum{Label: "n", Value: 1, Unit: "furlong"}, ""},
		{Datum{Label: "n", Value: 1, Unit: "MS"}, ""},
		{Datum{Label: "n", Value: 1, Unit: "\u212ab"}, ""}, // folds to "kb"
	} {
		if got := perfdataOf(c.datum); got != c.want {
			t.Errorf("%+v prints %q, want %q", c.datum, got, c.want)
		}
	}
}

func TestRounding(t *testing.T) {
	for _, c := range []struct {
		value float64
		unit  string
		want  string
	}{
		{1.0005, "ms", "1ms"}, // the float is just below
		{1.0006, "ms", "1.001ms"},
		{0.0004, "ms", "0.001ms"},
		{5e-324, "ms", "0.001ms"},
		{0.0000001, "s", "0.000001s"},
		{1.2345678, "s", "1.234568s"},
		{0.001, "%", "0.01%"},
		{33.333333, "%", "33.33%"},
		{99.994, "%", "99.99%"},
		{99.999, "%", "99.99%"},
		{math.Nextafter(100, 0), "%", "99.99%"},
		{100, "%", "100%"},
		{99.9999, "ms", "100ms"},
		{0, "%", "0%"},
		{0, "ms", "0ms"},
		{-0.0001, "ms", "-0.001ms"},
		{0.1234567, "", "0.1234567"},
		{0.1234567, "us", "0.1234567us"},
	} {
		want := "x=" + c.want + ";;;0;"
		if got := perfdataOf(Datum{Label: "x", Value: c.value, Unit: c.unit}); got != want {
			t.Errorf("%v %s prints %q, want %q", c.value, c.unit, got, want)
		}
	}
}

func TestPerfdataKeepsOrderAndLabelsWhenAFigureIsAbsent(t *testing.T) {
	data := []Datum{{Label: "a", Value: 1}, {Label: "a", Value: math.NaN()}, {Label: "a", Value: 3}}
	if got, want := perfdataOf(data...), "a=1;;;0; a_3=3;;;0;"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPerfdataKeepsTheSuffixOfALongName(t *testing.T) {
	name := Labels([]string{strings.Repeat("n", 100)})[0]
	got := perfdataOf(Datum{Label: name + "_loss", Unit: "%"}, Datum{Label: name + "_rta", Unit: "ms"})
	if !strings.Contains(got, "n_loss=0%") || !strings.Contains(got, "n_rta=0ms") {
		t.Errorf("a suffix is lost: %q", got)
	}
}

func TestPerfdataThatDoesNotFitIsCutBetweenItems(t *testing.T) {
	data := make([]Datum, 5000)
	for i := range data {
		data[i] = Datum{Label: "target_with_a_name_loss", Value: float64(i), Unit: "%", Max: 100}
	}
	perfdata := perfdataOf(data...)
	if len(perfdata) > maxPerfdata || len(perfdata) < maxPerfdata-100 {
		t.Errorf("%d bytes of perfdata, want nearly %d", len(perfdata), maxPerfdata)
	}
	checkPerfdata(t, perfdata)
	if !strings.HasPrefix(perfdata, "target_with_a_name_loss=0%;;;0;100 target_with_a_name_loss_2=1%;") {
		t.Errorf("the leading items are not kept: %.80q", perfdata)
	}
}

var itemForm = regexp.MustCompile(
	`^([A-Za-z0-9._-]+)=-?[0-9]+(?:\.[0-9]+)?(?:ms|s|us|%|B|c)?;([0-9]+(?:\.[0-9]+)?)?;([0-9]+(?:\.[0-9]+)?)?;0;(?:-?[0-9]+(?:\.[0-9]+)?)?$`)

// checkPerfdata checks the grammar of the guidelines as all daemons read it.
func checkPerfdata(t *testing.T, perfdata string) {
	t.Helper()
	var labels []string
	for _, item := range strings.Split(perfdata, " ") {
		part := itemForm.FindStringSubmatch(item)
		if part == nil {
			t.Fatalf("bad item %q", item)
		}
		labels = append(labels, part[1])
	}
	checkLabels(t, labels, maxLabel)
}
