package lab

import (
	"regexp"
	"strings"
)

// OnThread is for tests that enter namespaces of their own.
var OnThread = onThread

// Keys tells one set of an IPsec tunnel's keys from the next.
func (t *Tunnel) Keys() (string, error) {
	sas, err := t.near.(*ipsecEnd).charon.ask("--list-sas", "--child", "net")
	return strings.Join(regexp.MustCompile(`(in|out)  [0-9a-f]{8}`).FindAllString(sas, -1), " "), err
}
