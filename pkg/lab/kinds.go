package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Kind is one of the kinds of tunnel that the lab can make.
type Kind struct {
	Name  string // wireguard, ipsec or openvpn
	Raise func(i *Internet, near, far *Site) (*Tunnel, error)

	needs []program
}

// Kinds are all of them. WireGuard needs no program; the others do.
func Kinds() []Kind {
	return []Kind{
		{"wireguard", (*Internet).WireGuard, nil},
		{"ipsec", (*Internet).IPsec, ipsecPrograms},
		{"openvpn", (*Internet).OpenVPN, openVPNPrograms},
	}
}

// Packages returns the Debian packages that the kind needs.
func (k Kind) Packages() []string { return packages(k.needs) }

// Installed gives an error that says how to get what is missing, if anything is.
func (k Kind) Installed() error { return installed(k.needs) }

// program is a file that a kind of tunnel needs, and the Debian package that
// has it.
type program struct{ path, pkg string }

func installed(programs []program) error {
	var missing []program
	for _, p := range programs {
		if _, err := os.Stat(p.path); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%s is not there: apt-get install -y --no-install-recommends %s",
		missing[0].path, strings.Join(packages(missing), " "))
}

func packages(programs []program) []string {
	var names []string
	for _, p := range programs {
		names = append(names, p.pkg)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
