package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"checkvpn/pkg/hours"
	"checkvpn/pkg/nagios"
)

// published is in the format of www.gov.uk, with a day that Scotland alone
// has, and a leap day that nobody has.
const published = `{
"england-and-wales":{"division":"england-and-wales","events":[
 {"title":"Christmas Day","date":"2026-12-25","notes":"","bunting":true},
 {"title":"New Year’s Day","date":"2026-01-01","notes":"","bunting":true},
 {"title":"Early May bank holiday","date":"2026-05-04","notes":"","bunting":true}]},
"scotland":{"division":"scotland","events":[
 {"title":"2nd January","date":"2026-01-02","notes":"","bunting":true},
 {"title":"A leap day","date":"2028-02-29","notes":"Substitute day","bunting":false}],"more":1},
"northern-ireland":{"division":"northern-ireland","events":[]}}`

func write(t testing.TB, text string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "days.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func mustRead(t testing.TB, text, division string) holidays {
	t.Helper()
	h, err := readHolidays(write(t, text), division)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHolidaysInclude(t *testing.T) {
	for _, c := range []struct {
		division, moment, zone string
		want                   bool
	}{
		// 2026-05-04 is a Monday, and London is on BST.
		{"england-and-wales", "2026-05-03T22:59:59Z", "Europe/London", false},
		{"england-and-wales", "2026-05-03T23:00:00Z", "Europe/London", true},
		{"england-and-wales", "2026-05-04T12:00:00Z", "Europe/London", true},
		{"england-and-wales", "2026-05-04T22:59:59.999999999Z", "Europe/London", true},
		{"england-and-wales", "2026-05-04T23:00:00Z", "Europe/London", false},
		{"england-and-wales", "2026-05-05T12:00:00Z", "Europe/London", false},
		{"england-and-wales", "2025-05-04T12:00:00Z", "Europe/London", false},
		{"england-and-wales", "2026-12-25T00:00:00Z", "Europe/London", true},
		{"england-and-wales", "2026-01-01T12:00:00Z", "Europe/London", true},
		{"england-and-wales", "2026-01-02T12:00:00Z", "Europe/London", false},
		{"scotland", "2026-01-02T12:00:00Z", "Europe/London", true},
		{"scotland", "2026-05-04T12:00:00Z", "Europe/London", false},
		{"scotland", "2028-02-28T23:59:59Z", "Europe/London", false},
		{"scotland", "2028-02-29T00:00:00Z", "Europe/London", true},
		{"scotland", "2028-03-01T00:00:00Z", "Europe/London", false},
		{"scotland", "2027-03-01T00:00:00Z", "Europe/London", false},
		{"england-and-wales", "2026-05-03T12:00:00Z", "Pacific/Auckland", true},
		{"england-and-wales", "2026-05-04T12:00:00Z", "Pacific/Auckland", false},
		{"england-and-wales", "2026-05-05T06:59:59Z", "America/Los_Angeles", true},
	} {
		if got := mustRead(t, published, c.division).include(at(t, c.moment, c.zone)); got != c.want {
			t.Errorf("%s includes %s in %s: %t, want %t", c.division, c.moment, c.zone, got, c.want)
		}
	}
}

// TestStaffed puts hours and holidays together as the plugin does: a holiday
// takes its whole day out, and the next day is as ever.
func TestStaffed(t *testing.T) {
	h, err := hours.Parse("Mon-Fri 09:30-17:30")
	if err != nil {
		t.Fatal(err)
	}
	days := mustRead(t, published, "england-and-wales")
	for moment, want := range map[string]bool{
		"2026-05-01T12:00:00Z": true,  // Friday
		"2026-05-03T12:00:00Z": false, // Sunday
		"2026-05-04T12:00:00Z": false, // the holiday
		"2026-05-05T08:29:59Z": false,
		"2026-05-05T08:30:00Z": true, // 09:30 BST
	} {
		now := at(t, moment, "Europe/London")
		if got := h.Include(now) && !days.include(now); got != want {
			t.Errorf("staffed at %s: %t, want %t", moment, got, want)
		}
	}
}

func TestHolidaysOutdated(t *testing.T) {
	for _, c := range []struct {
		moment, zone string
		want         bool
	}{
		{"2020-01-01T12:00:00Z", "Europe/London", false},
		{"2026-12-24T12:00:00Z", "Europe/London", false},
		{"2026-12-25T23:59:59Z", "Europe/London", false},
		{"2026-12-26T00:00:00Z", "Europe/London", true},
		{"2026-12-25T12:00:00Z", "Pacific/Auckland", true},
		{"2026-12-26T07:59:59Z", "America/Los_Angeles", false},
		{"2027-01-01T00:00:00Z", "Europe/London", true},
	} {
		if got := mustRead(t, published, "england-and-wales").outdated(at(t, c.moment, c.zone)); got != c.want {
			t.Errorf("outdated at %s in %s: %t, want %t", c.moment, c.zone, got, c.want)
		}
	}
	now := at(t, "2026-12-25T12:00:00Z", "Europe/London")
	if (holidays{}).include(now) || (holidays{}).outdated(now) {
		t.Error("the zero value has holidays or is out of date")
	}
}

func TestReadHolidaysAccepts(t *testing.T) {
	for name, text := range map[string]string{
		"a byte-order mark": "\ufeff" + published,
		"a blank end":       published + "\r\n\n",
		"exactly 1 MiB":     published + strings.Repeat(" ", 1<<20-len(published)),
		"others' bad dates": `{"scotland":{"events":[{"date":"soon"}]},"england-and-wales":{"events":[{"date":"2026-12-25"}]}}`,
	} {
		if h := mustRead(t, text, "england-and-wales"); !h.include(at(t, "2026-12-25T12:00:00Z", "UTC")) {
			t.Errorf("%s: Christmas is missing", name)
		}
	}
}

func TestReadHolidaysRefuses(t *testing.T) {
	dated := func(date string) string {
		return `{"wales":{"events":[{"date":"2026-01-01"},{"date":"` + date + `"}]}}`
	}
	const format = "not in the format of " + holidaysURL
	for _, c := range []struct{ text, want string }{
		{"", "not JSON (byte 0), get a new one from " + holidaysURL},
		{"\ufeff", "not JSON (byte 0), get a new one from " + holidaysURL},
		{"<!DOCTYPE html>", "not JSON (byte 1), get a new one from " + holidaysURL},
		{"\x7fELF\x00\x01\xff", "not JSON (byte 1), get a new one from " + holidaysURL},
		{"\xff\xfe{\x00}\x00", "not JSON (byte 1), get a new one from " + holidaysURL},
		{published[:100], "not JSON (byte 100), get a new one from " + holidaysURL},
		{`{"wales":{"events":[{"date":"2026-01-01"}]}} {}`, "not JSON (byte 46), get a new one from " + holidaysURL},
		{published + strings.Repeat(" ", 1<<20-len(published)+1), "that file is larger than 1 MiB"},

		{"null", format},
		{"{}", format},
		{"[]", format},
		{"1", format},
		{`["2026-01-01"]`, format},
		{`{"wales":[]}`, format},
		{`{"wales":"2026-01-01"}`, format},
		{`{"wales":{"events":{}}}`, format},
		{`{"wales":{"events":["2026-01-01"]}}`, format},
		{`{"wales":{"events":[{"date":20260101}]}}`, format},
		{`{"wales":{"events":[{"date":"2026-01-01"}]},"scotland":1}`, format},

		{published, "no such division in that file, it has england-and-wales, northern-ireland, scotland"},
		{`{"Wales":{"events":[{"date":"2026-01-01"}]}}`, "no such division in that file, it has Wales"},
		{`{"a|b\u0000\u001b[31m";":{}}`, "not JSON (byte 23), get a new one from " + holidaysURL},
		{`{"a|b\u0000\u001b[31m;":{}}`, "no such division in that file, it has a b ,"},
		{`{"` + strings.Repeat("x", 1000) + `":{}}`, "no such division in that file, it has " + strings.Repeat("x", 77) + "..."},

		{`{"wales":null}`, "no events in [wales], get a new one from " + holidaysURL},
		{`{"wales":{}}`, "no events in [wales], get a new one from " + holidaysURL},
		{`{"wales":{"events":null}}`, "no events in [wales], get a new one from " + holidaysURL},
		{`{"wales":{"events":[]}}`, "no events in [wales], get a new one from " + holidaysURL},

		{`{"wales":{"events":[{"title":"no date"}]}}`, "[] is not a date, for example 2026-12-25"},
		{`{"wales":{"events":[null]}}`, "[] is not a date, for example 2026-12-25"},
		{dated("2027-02-29"), "[2027-02-29] is not a date, for example 2026-12-25"},
		{dated("2026-13-01"), "[2026-13-01] is not a date, for example 2026-12-25"},
		{dated("2026-1-1"), "[2026-1-1] is not a date, for example 2026-12-25"},
		{dated("26-01-01"), "[26-01-01] is not a date, for example 2026-12-25"},
		{dated("01/01/2026"), "[01/01/2026] is not a date, for example 2026-12-25"},
		{dated("2026-01-01T00:00:00Z"), "[2026-01-01T00:00:00Z] is not a date, for example 2026-12-25"},
		{dated(" 2026-01-01"), "[2026-01-01] is not a date, for example 2026-12-25"},
		{dated("'<|>$"), "[?] is not a date, for example 2026-12-25"},
	} {
		refused(t, write(t, c.text), c.want)
	}
}

func TestReadHolidaysRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe, odd := filepath.Join(dir, "pipe"), filepath.Join(dir, "a'b|c\n.json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		filepath.Join(dir, "missing.json"):       "that file does not exist",
		filepath.Join(dir, "missing", "x.json"):  "that file does not exist",
		"":                                       "that file does not exist",
		odd:                                      "that file does not exist",
		filepath.Join(pipe, "x.json"):            "that file cannot be read",
		filepath.Join(dir, "."):                  "that file is not a regular file",
		"/dev/zero":                              "that file is not a regular file",
		"/dev/null":                              "that file is not a regular file",
		pipe:                                     "that file is not a regular file",
		dir + "/" + strings.Repeat("x", 300):     "that file cannot be read",
		filepath.Join(dir, "nul\x00byte", "x.y"): "that file cannot be read",
	} {
		refused(t, file, want)
	}
}

// refused wants the error, and soon: a pipe must not be waited for.
func refused(t *testing.T, file, want string) {
	t.Helper()
	type answer struct {
		h   holidays
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		h, err := readHolidays(file, "wales")
		answered <- answer{h, err}
	}()
	select {
	case a := <-answered:
		if a.err == nil || a.err.Error() != want {
			t.Errorf("got %v, want %s", a.err, want)
		}
		if a.h.dates != nil {
			t.Errorf("holidays and an error: %v", a.err)
		}
		checkPrintable(t, a.err)
	case <-time.After(10 * time.Second):
		t.Fatalf("reading %s hangs", file)
	}
}

// at reads a moment with its offset, and puts it on the clock of a zone.
func at(t testing.TB, moment, zone string) time.Time {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := time.Parse(time.RFC3339Nano, moment)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.In(location)
}

// checkPrintable wants text that a report prints as it is.
func checkPrintable(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	text := err.Error()
	if nagios.Clean(text, len(text)) != text {
		t.Errorf("not printable as it is: %q", text)
	}
	if len(text) > 400 {
		t.Errorf("too long: %q", text)
	}
}

func FuzzHolidays(f *testing.F) {
	for _, text := range []string{
		published, "", "null", "{}", "[]", "\ufeff{}", `{"scotland":null}`, `{"scotland":{"events":[]}}`,
		`{"scotland":{"events":[{"date":"2028-02-29"}]}}`, `{"scotland":{"events":[{"date":"2027-02-29"}]}}`,
		`{"scotland":{"EVENTS":[{"date":"9999-12-31"},{"Date":"0000-01-01"}]},"x|y":{}}`,
	} {
		f.Add([]byte(text), "scotland")
	}
	f.Add([]byte(published), "wales'|$")
	f.Fuzz(func(t *testing.T, data []byte, division string) {
		h, err := parseHolidays(data, division)
		checkPrintable(t, err)
		if (err == nil) != (len(h.dates) > 0) {
			t.Fatalf("%d holidays and the error %v", len(h.dates), err)
		}
		if !slices.IsSorted(h.dates) {
			t.Fatalf("not in order: %v", h.dates)
		}
		for i, date := range h.dates {
			day, err := time.Parse(time.DateOnly, date)
			if err != nil || day.Format(time.DateOnly) != date {
				t.Fatalf("accepted the date %q: %v", date, err)
			}
			if !h.include(day) || !h.include(day.Add(24*time.Hour-1)) || h.outdated(day) {
				t.Fatalf("%s is not included, or out of date", date)
			}
			// After the year 9999 text is no longer in the order of time.
			if i == len(h.dates)-1 && day.Year() < 9999 && !h.outdated(day.AddDate(0, 0, 1)) {
				t.Fatalf("nothing after %s, and not out of date", date)
			}
		}
	})
}
