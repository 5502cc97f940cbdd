package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/plugin"
)

const holidaysURL = "https://www.gov.uk/bank-holidays.json"

// holidays are days without office hours. The zero value has none.
type holidays struct {
	dates []string // YYYY-MM-DD, sorted: the order of the text is that of time
}

// include says whether t is on a holiday, by the calendar of t's zone.
func (h holidays) include(t time.Time) bool {
	_, found := slices.BinarySearch(h.dates, t.Format(time.DateOnly))
	return found
}

// outdated says whether every holiday is over at t, which means that the next
// ones are not known. Without a file there is nothing to be out of date.
func (h holidays) outdated(t time.Time) bool {
	return len(h.dates) > 0 && h.dates[len(h.dates)-1] < t.Format(time.DateOnly)
}

// errDivision is wrapped by the error about a division that the file has not.
var errDivision = errors.New("no such division")

// readHolidays reads one division of a file in the format of holidaysURL.
func readHolidays(file, division string) (holidays, error) {
	data, err := plugin.ReadFile(file)
	if err != nil {
		return holidays{}, fmt.Errorf("that file %w", err)
	}
	return parseHolidays(data, division)
}

// parseHolidays is strict: a holiday that is missed would turn CRITICAL into
// WARNING, and nobody would notice.
func parseHolidays(data []byte, division string) (holidays, error) {
	var divisions map[string]struct {
		Events []struct{ Date string }
	}
	// Editors on Windows begin a file with a byte-order mark.
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if err := json.Unmarshal(data, &divisions); err != nil {
		return holidays{}, malformed(err)
	}
	if len(divisions) == 0 {
		return holidays{}, malformed(nil)
	}
	chosen, found := divisions[division]
	if !found {
		has := strings.Join(slices.Sorted(maps.Keys(divisions)), ", ")
		return holidays{}, fmt.Errorf("%w in that file, it has %s", errDivision, nagios.Clean(has, 80))
	}
	if len(chosen.Events) == 0 {
		return holidays{}, fmt.Errorf("no events in %s, get a new one from %s", marked(division), holidaysURL)
	}
	var h holidays
	for _, event := range chosen.Events {
		if _, err := time.Parse(time.DateOnly, event.Date); err != nil {
			return holidays{}, fmt.Errorf("%s is not a date, for example 2026-12-25", marked(event.Date))
		}
		h.dates = append(h.dates, event.Date)
	}
	slices.Sort(h.dates)
	return h, nil
}

// malformed says in plain words what encoding/json says in Go's.
func malformed(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("not JSON (byte %d), get a new one from %s", syntax.Offset, holidaysURL)
	}
	return errors.New("not in the format of " + holidaysURL)
}

// marked sets off what a file says from the words around it. Nagios does not let
// quotes through.
func marked(text string) string { return "[" + nagios.Clean(text, 30) + "]" }
