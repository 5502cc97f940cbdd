package lab

import (
	"fmt"
	"net/netip"
	"strings"
)

// The sites at the ends of the seven tunnels. Inner IPv4 addresses are those of
// GOV.UK in 2017; inner IPv6 and all public addresses are made up, the latter
// from the ranges for documentation (RFC 5737, RFC 3849).

// newMachine answers pings and accepts connections at these ports.
func newMachine(name, v4 string, ports ...uint16) Machine {
	return Machine{Name: name, Addrs: both(v4), TCP: ports}
}

// environment is one of the three copies of GOV.UK.
type environment struct {
	name   string
	number int    // 3 in the inner network 10.3
	domain string // of its machines
}

var environments = []environment{
	{"integration", 1, "integration.publishing.service.gov.uk"},
	{"staging", 2, "staging.publishing.service.gov.uk"},
	{"production", 3, "publishing.service.gov.uk"},
}

// Ports of the databases.
const (
	postgreSQL = 5432
	mySQL      = 3306
	mongoDB    = 27017

	ssh = 22
	nfs = 2049
)

func wwwSite() SiteConfig {
	addresses := Addrs("203.0.113.80", "2001:db8:80::80")
	return SiteConfig{
		Name:     "www",
		Public:   Addrs("203.0.113.81", "2001:db8:81::1"),
		Networks: single(addresses...),
		Machines: []Machine{{Name: "www", Addrs: addresses, Names: []string{"www.gov.uk"}, HTTP: []uint16{80}, HTTPS: []uint16{443}}},
	}
}

func officeSite() SiteConfig {
	return SiteConfig{
		Name:         "office",
		Public:       Addrs("192.0.2.10", "2001:db8:10::1"),
		Networks:     networks("192.168.19.0"),
		GatewayAddrs: both("192.168.19.1"),
		HostAddrs:    both("192.168.19.20"),
		HostPublic:   Addrs("192.0.2.20", "2001:db8:10::20"),
	}
}

func carrenzaSite() SiteConfig {
	const domain = "management.publishing.service.gov.uk"
	return SiteConfig{
		Name:         "carrenza",
		Public:       Addrs("198.51.100.10", "2001:db8:20::1"),
		Networks:     networks("10.3.0.0"),
		GatewayAddrs: both("10.3.0.1"),
		Machines: []Machine{
			{Name: "monitoring-1", Addrs: both("10.3.0.20"), Names: []string{"monitoring-1." + domain}, HTTPS: []uint16{443}},
			{Name: "vcloud-director", Addrs: both("10.3.0.30"), Names: []string{"vcloud-director." + domain}, HTTPS: []uint16{443}},
		},
	}
}

// liveSite has the primaries, from which data is replicated to DR.
func (e environment) liveSite() SiteConfig {
	return SiteConfig{
		Name:     "live-" + e.name,
		Public:   Addrs(fmt.Sprintf("198.51.100.%d", 100+e.number), fmt.Sprintf("2001:db8:10%d::1", e.number)),
		Networks: networks(e.addr(0, 0), e.addr(3, 0)),
		Machines: []Machine{
			newMachine("mongo-1", e.addr(3, 6), mongoDB),
			newMachine("postgresql-primary-1", e.addr(3, 12), postgreSQL),
			newMachine("asset-master-1", e.addr(3, 20), nfs, ssh),
			newMachine("whitehall-mysql-master-1", e.addr(3, 30), mySQL),
			newMachine("mysql-master-1", e.addr(3, 90), mySQL),
		},
		GatewayAddrs: both(e.addr(0, 1)),
		HostAddrs:    both(e.addr(0, 20)),
		HostPublic:   Addrs(fmt.Sprintf("198.51.100.%d", 120+e.number), fmt.Sprintf("2001:db8:10%d::20", e.number)),
	}
}

// drSite has four gateways, each a machine in its own group. They are machines
// so that they can be stopped; the site's real gateway has an address beside.
func (e environment) drSite() SiteConfig {
	machine := func(group, name string, network, host int, ports ...uint16) Machine {
		fqdn := fmt.Sprintf("%s.%s.%s", name, strings.TrimSuffix(group, "_dr"), e.domain)
		return Machine{Name: name, Group: group, Addrs: both(e.addr(network, host)), Names: []string{fqdn}, TCP: ports}
	}
	gate := func(group string, network int) Machine {
		return Machine{Name: group, Group: group, Addrs: both(e.addr(network, 1))}
	}
	slave, bouncers := 2, []int{3, 4}
	if e.name == "production" {
		slave, bouncers = 3, []int{4, 5, 6}
	}
	c := SiteConfig{
		Name:         "dr-" + e.name,
		Public:       Addrs(fmt.Sprintf("203.0.113.%d", 10+e.number), fmt.Sprintf("2001:db8:20%d::1", e.number)),
		Networks:     networks(e.addr(9, 0), e.addr(11, 0), e.addr(12, 0), e.addr(13, 0)),
		GatewayAddrs: both(e.addr(9, 254)),
		Machines: []Machine{
			gate("router_dr", 9),
			gate("backend_dr", 11),
			gate("api_dr", 12),
			gate("redirector_dr", 13),
			machine("backend_dr", "mongo-4", 11, 6, mongoDB),
			machine("backend_dr", "postgresql-standby-2", 11, 13, postgreSQL),
			machine("backend_dr", "asset-slave-2", 11, 21, ssh),
			machine("backend_dr", fmt.Sprintf("whitehall-mysql-slave-%d", slave), 11, 31, mySQL),
			machine("backend_dr", "transition-postgresql-slave-2", 11, 61, postgreSQL),
			machine("backend_dr", fmt.Sprintf("mysql-slave-%d", slave), 11, 91, mySQL),
			machine("backend_dr", "transition-postgresql-standby-2", 11, 161, postgreSQL),
			machine("api_dr", "api-mongo-4", 12, 21, mongoDB),
			machine("api_dr", "performance-mongo-4", 12, 31, mongoDB),
			machine("api_dr", "api-postgresql-standby-2", 12, 41, postgreSQL),
			machine("router_dr", "router-backend-4", 9, 10, mongoDB),
		},
	}
	for i, number := range bouncers {
		c.Machines = append(c.Machines, machine("redirector_dr", fmt.Sprintf("bouncer-%d", number), 13, 4+i))
	}
	return c
}

// licensingSite has the same inner addresses in every environment.
func (e environment) licensingSite() SiteConfig {
	return SiteConfig{
		Name:         "licensing-" + e.name,
		Public:       Addrs(fmt.Sprintf("203.0.113.%d", 20+e.number), fmt.Sprintf("2001:db8:30%d::1", e.number)),
		Networks:     networks("10.5.0.0"),
		GatewayAddrs: both("10.5.0.254"),
		Machines: []Machine{
			newMachine("gateway", "10.5.0.1"),
			newMachine("licensify-lb-1", "10.5.0.101"), newMachine("licensify-lb-2", "10.5.0.102"),
			newMachine("licensing-frontend-1", "10.5.0.12"), newMachine("licensing-frontend-2", "10.5.0.13"),
			newMachine("licensing-backend-1", "10.5.0.14"), newMachine("licensing-backend-2", "10.5.0.15"),
			newMachine("licensing-mongo-1", "10.5.0.16"), newMachine("licensing-mongo-2", "10.5.0.17"), newMachine("licensing-mongo-3", "10.5.0.18"),
		},
	}
}

// addr is an inner IPv4 address of the environment.
func (e environment) addr(network, host int) string {
	return fmt.Sprintf("10.%d.%d.%d", e.number, network, host)
}

// both is an inner address in IPv4, and in IPv6 with the same digits: 10.3.11.6
// and fd00:3:11::6.
func both(v4 string) []netip.Addr {
	a := netip.MustParseAddr(v4)
	b := a.As4()
	return []netip.Addr{a, netip.MustParseAddr(fmt.Sprintf("fd00:%d:%d::%d", b[1], b[2], b[3]))}
}

// networks are the inner networks of these addresses, in both families.
func networks(v4 ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range v4 {
		a := both(s)
		all = append(all, netip.PrefixFrom(a[0], 24), netip.PrefixFrom(a[1], 64))
	}
	return all
}
