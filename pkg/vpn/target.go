package vpn

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Role is what a target stands for: the option that named it. Plugins declare
// further ones. Far, Near and Peer decide what broke; all others what it means.
type Role struct {
	Name          string `json:"name"`           // of the option, without dashes
	ThroughTunnel bool   `json:"through_tunnel"` // packets to it pass the tunnel
}

// The roles that every tunnel has.
var (
	Far  = Role{"far", true}   // behind the tunnel: does traffic pass?
	Near = Role{"near", false} // the near gateway, before the tunnel
	Peer = Role{"peer", false} // the far gateway's public address, outside the tunnel
)

func (r Role) String() string { return r.Name }

// IsGateway tells whether a role is that of a gateway: it lives if only it says no.
func (r Role) IsGateway() bool { return r == Near || r == Peer }

// Target is one thing to ask, and why it is asked.
type Target struct {
	Role     Role
	Name     string // unique among all targets; the URL as written where none was given
	Group    string // of far targets that share a fate, as a subnet does; may be empty
	URL      string // as it was written
	Endpoint Endpoint
}

// FullName is the name, with the group before it if there is one.
func (t Target) FullName() string {
	if t.Group == "" {
		return t.Name
	}
	return t.Group + "/" + t.Name
}

// IsFarPinged tells whether the loss of packets to a target is measured.
func (t Target) IsFarPinged() bool { return t.Role == Far && t.Endpoint.Scheme == ICMP }

const (
	alphanumeric = letters + digits
	maxLabel     = 64 // characters
)

// isLabel tells whether s has the form of names and groups.
func isLabel(s string) bool {
	return s != "" && len(s) <= maxLabel && strings.Contains(alphanumeric, s[:1]) && strings.Trim(s, alphanumeric+"._-") == ""
}

// ParseTarget reads [NAME[/GROUP]=]URL. Text before the first = that is no
// name belongs to the URL. A group is for far targets alone.
func ParseTarget(role Role, s string) (Target, error) {
	t := Target{Role: role, Name: s}
	url := s
	if before, after, found := strings.Cut(s, "="); found {
		name, group, grouped := strings.Cut(before, "/")
		if isLabel(name) && (!grouped || isLabel(group)) {
			t.Name, t.Group, url = name, group, after
		}
	}
	if t.Group != "" && role != Far {
		return Target{}, errors.New("has a group, which is for far targets only")
	}
	t.URL = url
	var err error
	t.Endpoint, err = ParseEndpoint(url)
	return t, err
}

// Minimum is how many far targets must answer for the tunnel to count as up:
// a number, or a share of all of them. The zero value is one.
type Minimum struct {
	n       int
	percent bool
}

// ParseMinimum reads N, or N% with N from 1 to 100.
func ParseMinimum(s string) (Minimum, error) {
	digits, percent := strings.CutSuffix(s, "%")
	n, err := strconv.ParseUint(digits, 10, 31)
	switch {
	case err != nil:
		return Minimum{}, errors.New("want a number or a percentage, for example 3 or 50%")
	case n == 0:
		return Minimum{}, errors.New("at least one far target must answer")
	case percent && n > 100:
		return Minimum{}, errors.New("no more than 100% can answer")
	}
	return Minimum{int(n), percent}, nil
}

// Of gives the minimum among total far targets, a share rounded up. Asking for
// more than there are is an error.
func (m Minimum) Of(total int) (int, error) {
	switch {
	case m.percent:
		return int(math.Ceil(float64(m.n) * float64(total) / 100)), nil
	case m.n > total:
		return 0, fmt.Errorf("more than the number of far targets, %d", total)
	}
	return max(m.n, 1), nil
}
