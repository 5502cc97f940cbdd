package lab

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// NameServer answers a query, over UDP; nil is silence.
type NameServer func(query dnsmessage.Message) []byte

// SilentNames answers nothing.
func SilentNames(dnsmessage.Message) []byte { return nil }

// RefusedNames refuses each query.
var RefusedNames = Names(func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeRefused })

// Names answers with the query after a change.
func Names(change func(*dnsmessage.Message)) NameServer {
	return func(m dnsmessage.Message) []byte {
		m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
		change(&m)
		text, err := m.Pack()
		if err != nil {
			return nil
		}
		return text
	}
}

// Zone leads from the names of these sites' machines to their addresses; other names
// do not exist.
func Zone(sites []SiteConfig) NameServer {
	records := map[string][]netip.Addr{}
	for _, s := range sites {
		for _, m := range s.Machines {
			for _, name := range slices.Concat(m.Names, m.Aliases) {
				records[name+"."] = m.Addrs
			}
		}
	}
	return Names(func(m *dnsmessage.Message) {
		q := m.Questions[0]
		addresses, known := records[strings.ToLower(q.Name.String())]
		if !known {
			m.RCode = dnsmessage.RCodeNameError
		}
		AddAddresses(m, q.Name, addresses...)
	})
}

// AddAddresses adds those to the answers that are of the family asked for.
func AddAddresses(m *dnsmessage.Message, name dnsmessage.Name, addresses ...netip.Addr) {
	h := dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: 60, Type: m.Questions[0].Type}
	for _, a := range addresses {
		switch {
		case h.Type == dnsmessage.TypeA && a.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		case h.Type == dnsmessage.TypeAAAA && a.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
}

// DNS is a name server that runs.
type DNS struct {
	mu     sync.Mutex
	server NameServer
	delay  time.Duration
}

// ServeNames runs a name server at a node until the node is closed.
func (n *Node) ServeNames(address netip.Addr, s NameServer) (*DNS, error) {
	d := &DNS{server: s}
	at := netip.AddrPortFrom(address, 53).String()
	var udp net.PacketConn
	if err := n.Do(func() (err error) { udp, err = net.ListenPacket("udp", at); return err }); err != nil {
		return nil, err
	}
	n.Defer(udp)
	go func() {
		buffer := make([]byte, 4096)
		for {
			size, from, err := udp.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:size]) != nil || len(m.Questions) != 1 {
				continue
			}
			d.mu.Lock()
			server, delay := d.server, d.delay
			d.mu.Unlock()
			if answer := server(m); answer != nil {
				time.AfterFunc(delay, func() { udp.WriteTo(answer, from) })
			}
		}
	}()
	return d, nil
}

// Set changes the server, and how long it takes to answer.
func (d *DNS) Set(s NameServer, delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.server, d.delay = s, delay
}
