package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"checkvpn/pkg/nagios"
)

// hours are the hours of a week when the office is staffed. They are read off
// the wall clock, as people do: on the day when the clock goes back, the hour
// that comes twice counts twice. The zero value is never.
type hours struct{ spans []span }

// span is a time of day on some days. It starts with the minute from and ends
// before the minute to, both counted from midnight, so that two spans that
// touch neither overlap nor leave a gap.
type span struct {
	days     weekdays
	from, to int
}

// weekdays is indexed by time.Weekday.
type weekdays [7]bool

// include says whether the office is staffed at t, by the clock of t's zone.
func (h hours) include(t time.Time) bool {
	minute := t.Hour()*60 + t.Minute()
	return slices.ContainsFunc(h.spans, func(s span) bool {
		return s.days[t.Weekday()] && s.from <= minute && minute < s.to
	})
}

// parseHours reads never, always, or spans with commas between them, as in
// Mon-Thu 09:00-12:30,13:30-17:30,Fri 09:00-12:30. A span without days has
// those of the span before.
func parseHours(text string) (hours, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "never":
		return hours{}, nil
	case "always":
		text = "Sun-Sat 00:00-24:00"
	}
	var h hours
	var days weekdays
	for item := range strings.SplitSeq(text, ",") {
		s, err := parseSpan(item, days)
		if err != nil {
			return hours{}, err
		}
		h.spans = append(h.spans, s)
		days = s.days
	}
	return h, nil
}

// parseSpan reads DAYS HH:MM-HH:MM, where DAYS may be left out if there are
// days before.
func parseSpan(item string, before weekdays) (s span, err error) {
	s.days = before
	fields := strings.Fields(item)
	switch len(fields) {
	case 1:
	case 2:
		if s.days, err = parseDays(fields[0]); err != nil {
			return span{}, err
		}
	default:
		return span{}, notHours(item)
	}
	if s.from, s.to, err = parseTimes(fields[len(fields)-1]); err != nil {
		return span{}, err
	}
	if s.days == (weekdays{}) {
		return span{}, errors.New("the first hours need days, for example Mon-Fri 09:00-12:30,13:30-17:30")
	}
	return s, nil
}

// parseDays reads Mon or Mon-Fri. A week has no end: Sat-Mon is three days.
func parseDays(text string) (days weekdays, err error) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	from, to := weekday(first), weekday(last)
	if from < 0 || to < 0 {
		return weekdays{}, fmt.Errorf("%s is not a day or days, for example Mon or Mon-Fri", marked(text))
	}
	for day := from; day != to; day = (day + 1) % len(days) {
		days[day] = true
	}
	days[to] = true
	return days, nil
}

// weekday is the time.Weekday of a name, or -1.
func weekday(name string) int {
	return slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, strings.ToLower(name))
}

// parseTimes reads HH:MM-HH:MM. A night is refused: whether its end belongs to
// the days given or to the days after them is anybody's guess.
func parseTimes(text string) (from, to int, err error) {
	start, end, isRange := strings.Cut(text, "-")
	from, startOK := parseClock(start)
	to, endOK := parseClock(end)
	if end == "24:00" {
		to, endOK = 24*60, true
	}
	switch {
	case !isRange, !strings.Contains(text, ":"):
		return 0, 0, notHours(text)
	case !startOK:
		return 0, 0, fmt.Errorf("%s is not HH:MM from 00:00 to 23:59, for example 09:30", marked(start))
	case !endOK:
		return 0, 0, fmt.Errorf("%s is not HH:MM from 00:00 to 24:00, for example 17:30", marked(end))
	case to <= from:
		return 0, 0, fmt.Errorf("%s must end after it starts, a night is two spans: Mon 22:00-24:00,Tue 00:00-06:00", marked(text))
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
