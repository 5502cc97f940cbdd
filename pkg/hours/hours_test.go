package hours

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/nagios"
)

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

func mustHours(t testing.TB, text string) Hours {
	t.Helper()
	h, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return h
}

// 2026-01-05 is a Monday, and London is on GMT.
func TestHoursInclude(t *testing.T) {
	const office = "Mon-Fri 09:30-17:30"
	for _, c := range []struct {
		hours, moment string
		want          bool
	}{
		{office, "2026-01-05T09:29:59.999999999Z", false},
		{office, "2026-01-05T09:30:00Z", true},
		{office, "2026-01-05T17:29:59.999999999Z", true},
		{office, "2026-01-05T17:30:00Z", false},
		{office, "2026-01-05T00:00:00Z", false},
		{office, "2026-01-04T12:00:00Z", false}, // Sunday
		{office, "2026-01-09T17:29:59Z", true},  // Friday
		{office, "2026-01-10T12:00:00Z", false}, // Saturday

		{"Fri 22:00-24:00", "2026-01-09T21:59:59Z", false},
		{"Fri 22:00-24:00", "2026-01-09T23:59:59.999999999Z", true},
		{"Fri 22:00-24:00", "2026-01-10T00:00:00Z", false},
		{"Fri 22:00-24:00,Sat 00:00-06:00", "2026-01-10T00:00:00Z", true},
		{"Fri 22:00-24:00,Sat 00:00-06:00", "2026-01-10T06:00:00Z", false},
		{"Fri 22:00-24:00,Sat 00:00-06:00", "2026-01-09T00:00:00Z", false},
		{"Mon 00:00-00:01", "2026-01-05T00:00:59Z", true},
		{"Mon 00:00-00:01", "2026-01-05T00:01:00Z", false},
		{"Mon 00:00-24:00", "2026-01-04T23:59:59Z", false},
		{"Mon 23:59-24:00", "2026-01-05T23:59:00Z", true},

		{"Sat-Mon 10:00-11:00", "2026-01-09T10:00:00Z", false},
		{"Sat-Mon 10:00-11:00", "2026-01-10T10:00:00Z", true},
		{"Sat-Mon 10:00-11:00", "2026-01-11T10:00:00Z", true},
		{"Sat-Mon 10:00-11:00", "2026-01-12T10:00:00Z", true},
		{"Sat-Mon 10:00-11:00", "2026-01-13T10:00:00Z", false},
		{"Sun-Sat 10:00-11:00", "2026-01-07T10:00:00Z", true},
		{"Mon-Mon 10:00-11:00", "2026-01-05T10:00:00Z", true},
		{"Mon-Mon 10:00-11:00", "2026-01-06T10:00:00Z", false},

		{"Mon-Fri 09:00-12:30,13:30-17:30", "2026-01-07T12:29:59Z", true},
		{"Mon-Fri 09:00-12:30,13:30-17:30", "2026-01-07T12:30:00Z", false},
		{"Mon-Fri 09:00-12:30,13:30-17:30", "2026-01-07T13:30:00Z", true},
		{"Mon-Fri 09:00-12:30,13:30-17:30", "2026-01-10T13:30:00Z", false},
		{"Mon 09:00-10:00,Tue 11:00-12:00,13:00-14:00", "2026-01-06T13:00:00Z", true},
		{"Mon 09:00-10:00,Tue 11:00-12:00,13:00-14:00", "2026-01-05T13:00:00Z", false},
		{"Mon 09:00-10:00,Tue 11:00-12:00", "2026-01-06T09:00:00Z", false},
		{"Mon 09:00-12:00,Mon 11:00-14:00", "2026-01-05T13:00:00Z", true},

		{"  mON-fRI\t09:30-17:30 ,  SAT 10:00-11:00 ", "2026-01-10T10:00:00Z", true},
		{"never", "2026-01-05T12:00:00Z", false},
		{" NEVER ", "2026-01-05T12:00:00Z", false},
		{"Always", "2026-01-10T00:00:00Z", true},
		{"always", "2026-01-11T23:59:59Z", true},
	} {
		if got := mustHours(t, c.hours).Include(at(t, c.moment, "Europe/London")); got != c.want {
			t.Errorf("%q includes %s: %t, want %t", c.hours, c.moment, got, c.want)
		}
	}
	if (Hours{}).Include(at(t, "2026-01-05T12:00:00Z", "UTC")) {
		t.Error("the zero value is not never")
	}
}

// TestHoursFollowTheWallClock has the days of 2026 when London's clock skips
// 01:00-02:00 (29 March) and has it twice (25 October), both Sundays.
func TestHoursFollowTheWallClock(t *testing.T) {
	for _, c := range []struct {
		hours, moment, zone string
		want                bool
	}{
		{"Sun 00:00-01:00", "2026-03-29T00:59:59Z", "Europe/London", true},
		{"Sun 00:00-01:00", "2026-03-29T01:00:00Z", "Europe/London", false},
		{"Sun 01:00-02:00", "2026-03-29T00:59:59Z", "Europe/London", false},
		{"Sun 01:00-02:00", "2026-03-29T01:00:00Z", "Europe/London", false},
		{"Sun 02:00-03:00", "2026-03-29T00:59:59Z", "Europe/London", false},
		{"Sun 02:00-03:00", "2026-03-29T01:00:00Z", "Europe/London", true},
		{"Sun 01:30-02:30", "2026-03-29T01:29:59Z", "Europe/London", true},
		{"Sun 01:30-02:30", "2026-03-29T01:30:00Z", "Europe/London", false},

		{"Sun 01:00-02:00", "2026-10-24T23:59:59Z", "Europe/London", false},
		{"Sun 01:00-02:00", "2026-10-25T00:00:00Z", "Europe/London", true}, // 01:00 BST
		{"Sun 01:00-02:00", "2026-10-25T00:59:59Z", "Europe/London", true},
		{"Sun 01:00-02:00", "2026-10-25T01:00:00Z", "Europe/London", true}, // 01:00 GMT
		{"Sun 01:00-02:00", "2026-10-25T01:59:59Z", "Europe/London", true},
		{"Sun 01:00-02:00", "2026-10-25T02:00:00Z", "Europe/London", false},
		{"Sun 01:00-01:30", "2026-10-25T00:30:00Z", "Europe/London", false},
		{"Sun 01:00-01:30", "2026-10-25T01:00:00Z", "Europe/London", true},

		// The same office hours on the working days around a change.
		{"Mon-Fri 09:30-17:30", "2026-03-27T09:29:59Z", "Europe/London", false},
		{"Mon-Fri 09:30-17:30", "2026-03-27T09:30:00Z", "Europe/London", true},
		{"Mon-Fri 09:30-17:30", "2026-03-30T08:30:00Z", "Europe/London", true},
		{"Mon-Fri 09:30-17:30", "2026-03-30T16:30:00Z", "Europe/London", false},
		{"Mon-Fri 09:30-17:30", "2026-10-23T08:30:00Z", "Europe/London", true},
		{"Mon-Fri 09:30-17:30", "2026-10-26T09:29:59Z", "Europe/London", false},
		{"Mon-Fri 09:30-17:30", "2026-10-26T09:30:00Z", "Europe/London", true},

		// The day is the zone's own too.
		{"Mon 09:30-17:30", "2026-01-04T20:30:00Z", "Pacific/Auckland", true},
		{"Mon 09:30-17:30", "2026-01-05T09:30:00Z", "Pacific/Auckland", false},
		{"Mon 09:30-17:30", "2026-01-05T04:00:00Z", "Asia/Kolkata", true},
		{"Mon 09:30-17:30", "2026-01-05T03:59:59Z", "Asia/Kolkata", false},
		{"Mon 22:00-24:00", "2026-01-06T07:59:59Z", "America/Los_Angeles", true},
		{"Mon 09:30-17:30", "2026-01-05T10:30:00+01:00", "UTC", true},
	} {
		if got := mustHours(t, c.hours).Include(at(t, c.moment, c.zone)); got != c.want {
			t.Errorf("%q includes %s in %s: %t, want %t", c.hours, c.moment, c.zone, got, c.want)
		}
	}
}

// TestNights: the days are those on which a night begins.
func TestNights(t *testing.T) {
	h, err := ParseNights("Mon-Fri 19:00-03:30")
	if err != nil {
		t.Fatal(err)
	}
	for moment, want := range map[string]bool{
		"2026-01-05T03:29:00Z": false, // Monday: Sunday is none of the days
		"2026-01-05T18:59:59Z": false,
		"2026-01-05T19:00:00Z": true,
		"2026-01-06T00:00:00Z": true,
		"2026-01-06T03:29:59Z": true,
		"2026-01-06T03:30:00Z": false,
		"2026-01-10T03:29:59Z": true, // Saturday, for Friday's night
		"2026-01-10T19:00:00Z": false,
	} {
		if got := h.Include(at(t, moment, "UTC")); got != want {
			t.Errorf("%s: %t, want %t", moment, got, want)
		}
	}
}

func TestParseHoursRefuses(t *testing.T) {
	const (
		want  = "want DAYS HH:MM-HH:MM, never or always, for example Mon-Fri 09:30-17:30, not "
		day   = " is not a day or days, for example Mon or Mon-Fri"
		start = " is not HH:MM from 00:00 to 23:59, for example 09:30"
		end   = " is not HH:MM from 00:00 to 24:00, for example 17:30"
		night = " must end after it starts, a night is two spans: Mon 22:00-24:00,Tue 00:00-06:00"
		first = "the first hours need days, for example Mon-Fri 09:00-12:30,13:30-17:30"
	)
	for _, c := range []struct{ text, want string }{
		{"", want + "[]"},
		{" \t", want + "[]"},
		{",", want + "[]"},
		{"Mon 09:00-10:00,", want + "[]"},
		{"Mon 09:00-10:00,,Tue 09:00-10:00", want + "[]"},
		{"Mon", want + "[Mon]"},
		{"Mon-Fri", want + "[Mon-Fri]"},
		{"Mon,Tue 09:00-10:00", want + "[Mon]"},
		{"Mon 09:00", want + "[09:00]"},
		{"Mon 0900-1000", want + "[0900-1000]"},
		{"Mon 09:00 - 10:00", want + "[Mon 09:00 - 10:00]"},
		{"Mon - Fri 09:00-10:00", want + "[Mon - Fri 09:00-10:00]"},
		{"nevr", want + "[nevr]"},
		{"never,Mon 09:00-10:00", want + "[never]"},
		{"Mon 09:00-10:00,always", want + "[always]"},
		{"`\"$|<;&~'>x", want + "[? ,?? x]"},

		{"Foo 09:00-10:00", "[Foo]" + day},
		{"Monday 09:00-10:00", "[Monday]" + day},
		{"Mon-Tue-Wed 09:00-10:00", "[Mon-Tue-Wed]" + day},
		{"Mon- 09:00-10:00", "[Mon-]" + day},
		{"-Mon 09:00-10:00", "[-Mon]" + day},
		{"\u017fun 09:00-10:00", "[?un]" + day}, // a long s folds to s, and is none

		{"Mon 9:30-17:30", "[9:30]" + start},
		{"Mon 25:00-26:00", "[25:00]" + start},
		{"Mon 24:00-24:00", "[24:00]" + start},
		{"Mon 09:60-17:30", "[09:60]" + start},
		{"Mon +9:30-17:30", "[+9:30]" + start},
		{"Mon 09:3x-17:30", "[09:3x]" + start},
		{"Mon 09:30:00-17:30", "[09:30:00]" + start},
		{"Mon -09:30-17:30", "[]" + start},
		{"Mon 09:30-5:30", "[5:30]" + end},
		{"Mon 09:30-17:60", "[17:60]" + end},
		{"Mon 09:30-24:01", "[24:01]" + end},
		{"Mon 09:30-25:00", "[25:00]" + end},
		{"Mon 09:30-", "[]" + end},
		{"Mon 09:30-17:30-18:00", "[17:30-18:00]" + end},
		{"Mon 09:30-17:30;", "[17:30,]" + end},

		{"Mon 22:00-06:00", "[22:00-06:00]" + night},
		{"Mon 09:30-09:30", "[09:30-09:30]" + night},
		{"Mon 00:00-00:00", "[00:00-00:00]" + night},
		{"Mon 09:00-10:00,12:00-11:00", "[12:00-11:00]" + night},

		{"09:30-17:30", first},
		{"09:30-17:30,Mon 09:00-10:00", first},
	} {
		h, err := Parse(c.text)
		if err == nil || err.Error() != c.want {
			t.Errorf("Parse(%q): %v, want %s", c.text, err, c.want)
		}
		if h != nil {
			t.Errorf("Parse(%q) gives hours and an error", c.text)
		}
		checkPrintable(t, err)
	}
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

// FuzzHours compares with a model that does no arithmetic: it looks at each
// minute of a week as text.
func FuzzHours(f *testing.F) {
	for _, text := range []string{
		"never", "ALWAYS", "", ",", "Mon", "Mon-Fri 09:30-17:30", "sat-mon 00:00-24:00",
		"Mon-Fri 09:00-12:30,13:30-17:30, Sat\t10:00-11:00", "Mon-Mon 23:59-24:00",
		"09:00-10:00", "Mon 24:00-24:00", "Mon 9:30-17:30", "Mon 22:00-06:00", "\u017fun 09:00-10:00",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 {
			return
		}
		h, err := Parse(text)
		checkPrintable(t, err)
		model, ok := modelOf(text)
		if ok != (err == nil) {
			t.Fatalf("Parse(%q): %v, the model says %t", text, err, ok)
		}
		monday := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
		for m := monday; m.Before(monday.AddDate(0, 0, 7)); m = m.Add(time.Minute) {
			want := ok && model(m)
			if h.Include(m) != want || h.Include(m.Add(time.Minute-1)) != want {
				t.Fatalf("%q at %s: want %t for the whole minute", text, m.Format("Mon 15:04"), want)
			}
		}
	})
}

var (
	modelClock = `((?:[01][0-9]|2[0-3]):[0-5][0-9])`
	modelSpan  = regexp.MustCompile(`^(?:([a-z]{3})(?:-([a-z]{3}))? )?` + modelClock + `-(` + modelClock + `|24:00)$`)
)

// modelOf says what text means, or that it means nothing.
func modelOf(text string) (include func(time.Time) bool, ok bool) {
	// Blanks beyond ASCII are blanks like others.
	text = strings.ToLower(strings.Join(strings.Fields(strings.ReplaceAll(text, ",", " , ")), " "))
	if text == "never" || text == "always" {
		return func(time.Time) bool { return text == "always" }, true
	}
	var staffed []string // as in: mon 09:30-17:30
	var days []string
	for _, item := range strings.Split(text, ",") {
		found := modelSpan.FindStringSubmatch(strings.TrimSpace(item))
		if found == nil || found[3] >= found[4] {
			return nil, false
		}
		if found[1] != "" {
			days = modelDays(found[1], found[2])
		}
		if days == nil {
			return nil, false
		}
		for _, day := range days {
			staffed = append(staffed, fmt.Sprintf("%s %s-%s", day, found[3], found[4]))
		}
	}
	return func(t time.Time) bool {
		day, clock := strings.ToLower(t.Format("Mon")), t.Format("15:04")
		return slices.ContainsFunc(staffed, func(s string) bool {
			return s[:3] == day && s[4:9] <= clock && clock < s[10:]
		})
	}, true
}

// modelDays walks through two weeks written out.
func modelDays(first, last string) (days []string) {
	const weeks = "mon tue wed thu fri sat sun mon tue wed thu fri sat sun "
	_, rest, ok := strings.Cut(weeks, first+" ")
	switch {
	case !ok:
		return nil
	case last == "" || last == first:
		return []string{first}
	}
	between, _, ok := strings.Cut(rest, last+" ")
	if !ok {
		return nil
	}
	return append(append([]string{first}, strings.Fields(between)...), last)
}
