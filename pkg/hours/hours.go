// Package hours reads and compares hours of a week, as people write them: when
// an office is staffed, when a host is stopped on purpose.
package hours

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"checkvpn/pkg/nagios"
)

// Hours are some hours of a week. They are read off the wall clock, as people do:
// on the day when the clock goes back, the hour that comes twice counts twice.
// The zero value is never.
type Hours []Span

// Span is a time of day on some days. It starts with the minute From and ends
// before the minute To, both counted from midnight, so that two spans that touch
// neither overlap nor leave a gap. To is at most 1440, and for a night at most
// 2880: then the days are those on which the night begins.
type Span struct {
	Days     [7]bool // indexed by time.Weekday
	From, To int
}

// Include says whether t lies within the hours, by the clock of t's zone.
func (h Hours) Include(t time.Time) bool {
	minute := t.Hour()*60 + t.Minute()
	today, yesterday := t.Weekday(), (t.Weekday()+6)%7
	return slices.ContainsFunc(h, func(s Span) bool {
		return s.Days[today] && s.From <= minute && minute < s.To || s.Days[yesterday] && minute+day < s.To
	})
}

// day has so many minutes.
const day = 24 * 60

// Parse reads never, always, or spans with commas between them, as in
// Mon-Thu 09:00-12:30,13:30-17:30,Fri 09:00-12:30. A span without days has
// those of the span before.
// A night is refused: whether its end belongs to the days given or to the days
// after them is anybody's guess.
func Parse(text string) (Hours, error) { return parse(text, parseTimes) }

// ParseNights is Parse, but takes nights too, as in Mon-Fri 19:00-03:30. They
// begin on the days given.
func ParseNights(text string) (Hours, error) { return parse(text, parseNight) }

// times reads HH:MM-HH:MM.
type times func(text string) (from, to int, err error)

func parse(text string, read times) (h Hours, err error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "never":
		return nil, nil
	case "always":
		text = "Sun-Sat 00:00-24:00"
	}
	var s Span
	for item := range strings.SplitSeq(text, ",") {
		if s, err = parseSpan(item, s.Days, read); err != nil {
			return nil, err
		}
		h = append(h, s)
	}
	return h, nil
}

// parseSpan reads DAYS HH:MM-HH:MM, where DAYS may be left out if there are
// days before.
func parseSpan(item string, before [7]bool, read times) (s Span, err error) {
	s.Days = before
	fields := strings.Fields(item)
	switch len(fields) {
	case 1:
	case 2:
		if s.Days, err = parseDays(fields[0]); err != nil {
			return Span{}, err
		}
	default:
		return Span{}, notHours(item)
	}
	if s.From, s.To, err = read(fields[len(fields)-1]); err != nil {
		return Span{}, err
	}
	if s.Days == ([7]bool{}) {
		return Span{}, errors.New("the first hours need days, for example Mon-Fri 09:00-12:30,13:30-17:30")
	}
	return s, nil
}

// parseDays reads Mon or Mon-Fri. A week has no end: Sat-Mon is three days.
func parseDays(text string) (days [7]bool, err error) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	from, to := weekday(first), weekday(last)
	if from < 0 || to < 0 {
		return [7]bool{}, fmt.Errorf("%s is not a day or days, for example Mon or Mon-Fri", marked(text))
	}
	for d := from; d != to; d = (d + 1) % len(days) {
		days[d] = true
	}
	days[to] = true
	return days, nil
}

// weekday is the time.Weekday of a name, or -1.
func weekday(name string) int {
	return slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, strings.ToLower(name))
}

// parseTimes reads HH:MM-HH:MM within a day.
func parseTimes(text string) (from, to int, err error) {
	if from, to, err = parseNight(text); err == nil && (to > day || to == day && !strings.HasSuffix(text, "-24:00")) {
		err = notAfter(text)
	}
	return from, to, err
}

func notAfter(text string) error {
	return fmt.Errorf("%s must end after it starts, a night is two spans: Mon 22:00-24:00,Tue 00:00-06:00", marked(text))
}

// parseNight reads HH:MM-HH:MM. What does not end after it starts, ends on the
// day after.
func parseNight(text string) (from, to int, err error) {
	start, end, isRange := strings.Cut(text, "-")
	from, startOK := parseClock(start)
	to, endOK := parseClock(end)
	if end == "24:00" {
		to, endOK = day, true
	}
	switch {
	case !isRange, !strings.Contains(text, ":"):
		return 0, 0, notHours(text)
	case !startOK:
		return 0, 0, fmt.Errorf("%s is not HH:MM from 00:00 to 23:59, for example 09:30", marked(start))
	case !endOK:
		return 0, 0, fmt.Errorf("%s is not HH:MM from 00:00 to 24:00, for example 17:30", marked(end))
	case to == from:
		return 0, 0, notAfter(text)
	case to < from:
		to += day
	}
	return from, to, nil
}

// parseClock gives the minute of the day. The length is looked at because
// time.Parse takes 9:30 too.
func parseClock(text string) (minute int, ok bool) {
	t, err := time.Parse("15:04", text)
	return t.Hour()*60 + t.Minute(), err == nil && len(text) == len("15:04")
}

func notHours(text string) error {
	return fmt.Errorf("want DAYS HH:MM-HH:MM, never or always, for example Mon-Fri 09:30-17:30, not %s", marked(text))
}

// marked sets off what somebody wrote from the words around it. Nagios does
// not let quotes through.
func marked(text string) string { return "[" + nagios.Clean(text, 30) + "]" }
