package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a zone must be known wherever this runs

	"checkvpn/pkg/hours"
)

// settings are what a site says of a tunnel beside the options of its plugin:
// in [monitoring] for all tunnels, and in [monitoring NAME] for one.
type settings struct {
	plugin   string // office, dr or licensing
	title    string // what a chat or a pager shows of the service
	runsOn   string // the host from which the tunnel is asked
	owner    string // who mends it
	notesURL string
	hosts    bool // make a host of each far target

	notify, pager []string // addresses of mail
	pages         bool
	hours         hours.Hours // when the pager stays quiet
	zone          string      // of the hours; empty for the clock of the daemon
	holidays      []string    // YYYY-MM-DD: days without such hours

	check, retry, lasts    time.Duration // of the tunnel's service
	hostCheck, hostRetry   time.Duration // of the hosts behind it
	settled                time.Duration // how long a gateway is up before what is behind it is believed
	attempts, hostAttempts int
	resync                 []resync
	downtime               []downtime
}

// resync is how long data of a kind can wait before a standby needs a full copy.
type resync struct {
	what  string
	after time.Duration
}

// downtime is when hosts are stopped on purpose.
type downtime struct {
	hosts []string
	hours hours.Hours
}

// builtIn are the settings of a file that says nothing.
func builtIn() settings {
	office, err := hours.Parse("Mon-Fri 09:30-17:30")
	if err != nil {
		panic(err)
	}
	return settings{
		hosts: true, hours: office, notify: []string{"root@localhost"},
		check: time.Minute, retry: 30 * time.Second, attempts: 2, lasts: time.Minute,
		hostCheck: time.Minute, hostRetry: 30 * time.Second, hostAttempts: 3, settled: 90 * time.Second,
	}
}

// key is one that may stand in a section of settings. The first value in a
// section takes the place of what was set before; a key that repeats adds to it.
type key struct {
	repeats   bool
	oneTunnel bool // makes no sense for all tunnels
	set       func(s *settings, value string) error
}

// keys are all there are.
var keys = map[string]key{
	"plugin":  {set: func(s *settings, v string) error { return oneOf(&s.plugin, v, "office", "dr", "licensing") }},
	"title":   {oneTunnel: true, set: (*settings).setTitle},
	"runs-on": {set: func(s *settings, v string) error { s.runsOn = v; return isName(v) }},
	"owner":   {set: func(s *settings, v string) error { s.owner = v; return isPlain(v) }},
	"notes-url": {set: func(s *settings, v string) error {
		s.notesURL = v
		return matches(v, `https?://[^\s"'$;<>|\\!]+`, "a URL")
	}},
	"hosts":  {set: func(s *settings, v string) error { return yesOrNo(&s.hosts, v) }},
	"notify": {set: func(s *settings, v string) error { return addresses(&s.notify, v) }},
	"pager":  {set: func(s *settings, v string) error { return addresses(&s.pager, v) }},
	"pages":  {set: func(s *settings, v string) error { return yesOrNo(&s.pages, v) }},
	"hours":  {set: (*settings).setHours},
	"holidays": {repeats: true, set: func(s *settings, v string) error {
		for _, date := range list(v) {
			if _, err := time.Parse(time.DateOnly, date); err != nil {
				return fmt.Errorf("%s is not a date, for example 2026-12-25", date)
			}
			s.holidays = append(s.holidays, date)
		}
		return nil
	}},
	"check":         {set: func(s *settings, v string) error { return duration(&s.check, v) }},
	"retry":         {set: func(s *settings, v string) error { return duration(&s.retry, v) }},
	"attempts":      {set: func(s *settings, v string) error { return number(&s.attempts, v) }},
	"lasts":         {set: func(s *settings, v string) error { return duration(&s.lasts, v) }},
	"host-check":    {set: func(s *settings, v string) error { return duration(&s.hostCheck, v) }},
	"host-retry":    {set: func(s *settings, v string) error { return duration(&s.hostRetry, v) }},
	"host-attempts": {set: func(s *settings, v string) error { return number(&s.hostAttempts, v) }},
	"settled":       {set: func(s *settings, v string) error { return duration(&s.settled, v) }},
	"resync":        {repeats: true, set: (*settings).addResync},
	"downtime":      {repeats: true, oneTunnel: true, set: (*settings).addDowntime},
}

// forget empties what a key that repeats adds to.
func (s *settings) forget(key string) {
	switch key {
	case "holidays":
		s.holidays = nil
	case "resync":
		s.resync = nil
	case "downtime":
		s.downtime = nil
	}
}

// What a title may have: a chat or a pager filters the rest.
const titleChars = `(\w|\s|\-|/|\[|\]|:|\.)+`

func (s *settings) setTitle(v string) error {
	s.title = v
	if len(v) > 60 {
		return errors.New("want at most 60 characters")
	}
	return matches(v, titleChars, "letters, digits, blanks and any of - / [ ] : . _")
}

// setHours reads HOURS, and the name of a time zone behind them.
func (s *settings) setHours(v string) (err error) {
	s.zone = ""
	if before, last, found := cutLast(v, " "); found && !strings.Contains(last, ":") {
		if _, err := time.LoadLocation(last); err != nil || last == "Local" {
			return fmt.Errorf("%s is not a time zone, for example Europe/London", last)
		}
		v, s.zone = before, last
	}
	s.hours, err = hours.Parse(v)
	return err
}

// addResync reads WHAT DURATION, with commas between several.
func (s *settings) addResync(v string) error {
	for _, item := range list(v) {
		what, after, _ := strings.Cut(item, " ")
		r := resync{what: what}
		if err := duration(&r.after, strings.TrimSpace(after)); err != nil {
			return fmt.Errorf("want WHAT and a duration, for example postgresql 21h: %w", err)
		}
		if err := isName(what); err != nil {
			return err
		}
		s.resync = append(s.resync, r)
	}
	return nil
}

// addDowntime reads HOST[,HOST...] HOURS.
func (s *settings) addDowntime(v string) error {
	names, when, _ := strings.Cut(v, " ")
	h, err := hours.ParseNights(when)
	if err == nil && len(h) == 0 {
		err = errors.New("want HOST,HOST DAYS HH:MM-HH:MM, for example bouncer-4 Mon-Fri 19:00-04:00")
	}
	s.downtime = append(s.downtime, downtime{hosts: list(names), hours: h})
	return err
}

func list(text string) (items []string) {
	for item := range strings.SplitSeq(text, ",") {
		items = append(items, strings.TrimSpace(item))
	}
	return items
}

func cutLast(text, sep string) (before, after string, found bool) {
	i := strings.LastIndex(text, sep)
	if i < 0 {
		return text, "", false
	}
	return strings.TrimSpace(text[:i]), text[i+len(sep):], true
}

func oneOf(to *string, v string, values ...string) error {
	*to = v
	if !slices.Contains(values, v) {
		return fmt.Errorf("want one of %s", strings.Join(values, ", "))
	}
	return nil
}

func yesOrNo(to *bool, v string) error {
	*to = v == "yes"
	if v != "yes" && v != "no" {
		return errors.New("want yes or no")
	}
	return nil
}

func number(to *int, v string) (err error) {
	if *to, err = strconv.Atoi(v); err != nil || *to < 1 || *to > 100 {
		return errors.New("want a number from 1 to 100")
	}
	return nil
}

// duration reads a whole number of seconds, minutes, hours or days: 90s, 1m, 21h,
// 3d.
func duration(to *time.Duration, v string) error {
	unit, known := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[v[max(0, len(v)-1):]]
	n, err := strconv.Atoi(v[:max(0, len(v)-1)])
	if !known || err != nil || n < 1 || n > 10_000 {
		return errors.New("want a whole number and a unit, for example 90s, 1m, 21h or 3d")
	}
	*to = time.Duration(n) * unit
	return nil
}

func addresses(to *[]string, v string) error {
	*to = list(v)
	for _, a := range *to {
		if err := matches(a, `[^\s"'`+"`"+`$;<>|\\!&,=-][^\s"'`+"`"+`$;<>|\\!&,=]*@[^\s"'`+"`"+`$;<>|\\!&,=@]+`, "addresses of mail, with commas between them"); err != nil {
			return err
		}
	}
	return nil
}

// isName tells whether text can be the name of an object in both daemons.
func isName(text string) error {
	return matches(text, `[A-Za-z0-9][A-Za-z0-9._-]*`, "letters, digits, dots, dashes and underscores")
}

// isPlain tells whether text can stand in the files of both daemons.
func isPlain(text string) error {
	return matches(text, `[^"'`+"`"+`$;<>|\\!&]+`, "text without any of \" ' ` $ ; < > | \\ ! &")
}

func matches(text, pattern, want string) error {
	if !regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(text) {
		return fmt.Errorf("want %s", want)
	}
	return nil
}
