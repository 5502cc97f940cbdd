package lab

import "net/netip"

// Addrs are addresses for the configuration of a site. It panics where a text is
// none.
func Addrs(texts ...string) []netip.Addr {
	all := make([]netip.Addr, len(texts))
	for i, s := range texts {
		all[i] = netip.MustParseAddr(s)
	}
	return all
}

// Prefixes are networks, likewise.
func Prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, s := range texts {
		all[i] = netip.MustParsePrefix(s)
	}
	return all
}
