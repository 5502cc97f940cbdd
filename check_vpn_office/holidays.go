package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"checkvpn/pkg/nagios"
)

// maxHolidays bounds what is read of a file of holidays, in bytes. The
// published one has some 20 KiB.
const maxHolidays = 1 << 20

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

// readHolidays reads one division of a file in the format of holidaysURL. Its
// errors name the file without its folder, to leave room on the first line.
func readHolidays(file, division string) (holidays, error) {
	data, err := readRegular(file)
	if err == nil {
		var h holidays
		if h, err = parseHolidays(data, division); err == nil {
			return h, nil
		}
	}
	return holidays{}, fmt.Errorf("%s: %w", nagios.Clean(filepath.Base(file), 60), err)
}

// readRegular opens without blocking, because a pipe that nobody writes to
// would hang the check. It does not trust the size that a file claims: those
// below /proc claim none.
func readRegular(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxHolidays+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if len(data) > maxHolidays {
		return nil, errors.New("larger than 1 MiB, get a new one from " + holidaysURL)
	}
	return data, nil
}

// withoutPath leaves what the kernel said.
func withoutPath(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
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
		return holidays{}, fmt.Errorf("no division %s, it has %s", marked(division), nagios.Clean(has, 80))
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
