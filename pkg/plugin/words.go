package plugin

import (
	"errors"
	"fmt"
	"strings"

	"checkvpn/pkg/nagios"
)

// A site's own words. They stand in output that daemons and pagers read, so they
// must be fit for that as they are: what would be changed or cut is refused.
const (
	maxTitle   = 30 // characters
	maxImpact  = 60
	maxContact = 120
	maxRunbook = 200
)

func (p *plan) readWords(_ Tunnel, o *options) error {
	for _, w := range []struct {
		option string
		value  Value
		limit  int
		to     *string
	}{
		{"--title", o.Title, maxTitle, &p.title},
		{"--impact", o.Impact, maxImpact, &p.siteImpact},
		{"--runbook", o.Runbook, maxRunbook, &p.runbook},
	} {
		if err := checkWords(w.option, w.value.text, w.limit); w.value.set && err != nil {
			return err
		}
		*w.to = w.value.text
	}
	for _, contact := range o.Contact {
		if err := checkWords("--contact", contact, maxContact); err != nil {
			return err
		}
	}
	p.contacts = o.Contact
	if o.Runbook.set && !isPage(p.runbook) {
		return BadValue("--runbook", p.runbook, errors.New("want a page without a blank or a #, for example https://docs.example.org/vpn"))
	}
	return nil
}

func checkWords(option, text string, limit int) error {
	switch {
	case text == "" || len(text) > limit:
		return BadValue(option, text, fmt.Errorf("want 1 to %d characters", limit))
	case nagios.Clean(text, limit) != text:
		return BadValue(option, text, errors.New("want printable ASCII, single blanks, and none of ` ~ $ & | \" ' < > and the semicolon"))
	}
	return nil
}

func isPage(s string) bool {
	return (strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")) && !strings.ContainsAny(s, " #") && len(s) > len("https://")
}
