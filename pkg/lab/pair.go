package lab

import "fmt"

// Pair is the small world: a near site with a host where the checks run, a far
// site with fourteen machines in three groups, a tunnel of one kind between them,
// and a web site beside.
type Pair struct {
	*World
	*VPN
}

// Addresses of the pair. The far machines are a1 to a5, b1 to b5 and c1 to c4, at
// 10.2.1.1 and so on; each is called a1.example and accepts connections to 5432.
const (
	PairHost    = "10.1.0.20"
	PairGateway = "10.1.0.1"     // the near gateway, before the tunnel
	PairPeer    = "198.51.100.1" // the far gateway, outside the tunnel
	PairWWW     = "203.0.113.80" // www.example, and alias.example, which its certificate lacks
)

// NewPair raises it. Without a kind of tunnel the two sites have nothing but the
// internet between them, which leads to the far 198.18.0.0/16 (RFC 2544) alone.
func NewPair(k Kind) (*Pair, error) {
	near := SiteConfig{
		Name: "near", Public: Addrs("192.0.2.1", "2001:db8:1::1"),
		Networks:     Prefixes("10.1.0.0/24", "fd00:1::/64"),
		GatewayAddrs: Addrs(PairGateway, "fd00:1::1"),
		HostAddrs:    Addrs(PairHost, "fd00:1::20"),
		HostPublic:   Addrs("192.0.2.20", "2001:db8:1::20"),
	}
	far := SiteConfig{
		Name: "far", Public: Addrs(PairPeer, "2001:db8:2::1"),
		Networks:     Prefixes("10.2.0.0/16", "fd00:2::/32"),
		GatewayAddrs: Addrs("10.2.0.254", "fd00:2::254"),
		Machines:     PairMachines(),
	}
	if k.ends == nil {
		far.Networks = Prefixes("198.18.0.0/16")
	}
	www := WebSite("www.example", Addrs(PairWWW)...)
	www.Machines[0].Aliases = []string{"alias.example"}
	w, err := NewWorld(k, www, Group{near, []SiteConfig{far}})
	if err != nil {
		return nil, err
	}
	return &Pair{w, w.VPNs[0]}, nil
}

// PairMachines are the fourteen of the far site.
func PairMachines() (list []Machine) {
	for n := range 14 {
		group, number := string('a'+rune(n/5)), n%5+1
		name := fmt.Sprint(group, number)
		list = append(list, Machine{
			Name: name, Group: group, Names: []string{name + ".example"}, TCP: []uint16{5432},
			Addrs: Addrs(fmt.Sprintf("10.2.%d.%d", n/5+1, number), fmt.Sprintf("fd00:2:%d::%d", n/5+1, number)),
		})
	}
	return list
}
