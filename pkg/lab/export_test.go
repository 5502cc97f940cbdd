package lab

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// OnThread is for tests that enter namespaces of their own.
var OnThread = onThread

// Sent counts the packets that the relay has judged on the way from one site to
// another, since it was last seeded.
func (i *Internet) Sent(from, to *Site) int {
	p := i.path(from, to)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

// Installed is what a kind of tunnel says that needs a file from a package.
func Installed(path, pkg string) error {
	return Kind{needs: []program{{path, pkg}}}.Installed()
}

// Keys tells one set of the near end's keys from the next.
func (t *Tunnel) Keys() (string, error) {
	switch e := t.near.(type) {
	case *wireGuardEnd:
		state, err := e.device.IpcGet()
		return handshakeLines.FindString(state), err
	case *ipsecEnd:
		sas, err := e.charon.ask("--list-sas", "--child", "net")
		return strings.Join(regexp.MustCompile(`(in|out)  [0-9a-f]{8}`).FindAllString(sas, -1), " "), err
	case *openVPNEnd:
		said, _ := e.daemon.since(0)
		return strconv.Itoa(strings.Count(said, "Control Channel:")), nil
	}
	return "", errors.ErrUnsupported
}
