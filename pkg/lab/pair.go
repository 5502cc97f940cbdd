package lab

import (
	"errors"
	"fmt"
	"net/netip"
)

// Pair is the small world: a near site with a host where the checks run, a far
// site with fourteen machines in three groups, a tunnel of one kind between them,
// and a web site beside.
type Pair struct {
	*Internet
	Near, Far, WWW *Site
	Tunnel         *Tunnel    // nil if there is none
	DNS            *DNS       // the near host's name server
	Zone           NameServer // what it answers as a rule
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
func NewPair(k Kind) (_ *Pair, err error) {
	i, err := NewInternet()
	if err != nil {
		return nil, err
	}
	p := &Pair{Internet: i}
	defer func() {
		if err != nil {
			err = errors.Join(err, i.Close())
		}
	}()
	if err := p.addSites(k.Raise == nil); err != nil {
		return nil, err
	}
	if k.Raise != nil {
		if p.Tunnel, err = k.Raise(i, p.Near, p.Far); err != nil {
			return nil, err
		}
	}
	www := Addrs(PairWWW)
	records := map[string][]netip.Addr{"www.example": www, "alias.example": www}
	for _, m := range p.Far.Machines {
		records[m.Names[0]] = m.Addrs[:1]
	}
	gateway := p.Near.GatewayAddrs[0]
	p.Zone = Zone(records)
	if p.DNS, err = p.Near.Gateway.ServeNames(gateway, p.Zone); err != nil {
		return nil, err
	}
	return p, p.Near.SetResolver(gateway)
}

func (p *Pair) addSites(plain bool) (err error) {
	if p.Near, err = p.AddSite(SiteConfig{
		Name: "near", Public: Addrs("192.0.2.1", "2001:db8:1::1"),
		Networks:     Prefixes("10.1.0.0/24", "fd00:1::/64"),
		GatewayAddrs: Addrs(PairGateway, "fd00:1::1"),
		HostAddrs:    Addrs(PairHost, "fd00:1::20"),
		HostPublic:   Addrs("192.0.2.20", "2001:db8:1::20"),
	}); err != nil {
		return err
	}
	far := SiteConfig{
		Name: "far", Public: Addrs(PairPeer, "2001:db8:2::1"),
		Networks:     Prefixes("10.2.0.0/16", "fd00:2::/32"),
		GatewayAddrs: Addrs("10.2.0.254", "fd00:2::254"),
		Machines:     PairMachines(),
	}
	if plain {
		far.Networks = Prefixes("198.18.0.0/16")
	}
	if p.Far, err = p.AddSite(far); err != nil {
		return err
	}
	p.WWW, err = p.AddSite(SiteConfig{
		Name: "www", Public: Addrs("203.0.113.81"), Networks: Prefixes(PairWWW + "/32"),
		Machines: []Machine{{Name: "www", Addrs: Addrs(PairWWW), Names: []string{"www.example"}, HTTP: []uint16{80}, HTTPS: []uint16{443}}},
	})
	return err
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
