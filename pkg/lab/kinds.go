package lab

// Kind is one of the kinds of tunnel that the lab can make.
type Kind struct {
	Name  string // wireguard, ipsec or openvpn
	Raise func(i *Internet, near, far *Site) (*Tunnel, error)
}

// Kinds are all of them. WireGuard needs no program; the others have Debian's
// openvpn, and strongswan-charon, strongswan-swanctl, libcharon-extra-plugins and
// libstrongswan-standard-plugins, which make tools installs.
func Kinds() []Kind {
	return []Kind{
		{"wireguard", (*Internet).WireGuard},
		{"ipsec", (*Internet).IPsec},
		{"openvpn", (*Internet).OpenVPN},
	}
}
