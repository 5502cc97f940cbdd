package lab

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// DNSMode is how a name server behaves.
type DNSMode int

// A name server that works, and three that do not.
const (
	DNSAnswers DNSMode = iota
	DNSSilent          // answers nothing
	DNSRefuses         // answers "refused"
	DNSGarbage         // answers what is no DNS message
)

// DNS is a small name server, over UDP.
type DNS struct {
	conn    net.PacketConn
	records map[string][]netip.Addr

	mu    sync.Mutex
	mode  DNSMode
	delay time.Duration
}

// ServeDNS runs a name server at the site's gateway, on one of its addresses.
// The records lead from names, without a final dot, to addresses; other names do
// not exist.
func (s *Site) ServeDNS(address netip.Addr, records map[string][]netip.Addr) (*DNS, error) {
	d := &DNS{records: records}
	err := s.Gateway.Do(func() (err error) {
		d.conn, err = net.ListenPacket("udp", netip.AddrPortFrom(address, 53).String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("name server at %s: %w", s.Name, err)
	}
	go d.serve()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.services = append(s.services, d.conn)
	return d, nil
}

// Set changes how the server behaves, and how long it takes to answer.
func (d *DNS) Set(mode DNSMode, delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mode, d.delay = mode, delay
}

func (d *DNS) serve() {
	buffer := make([]byte, 4096)
	for {
		n, from, err := d.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		d.mu.Lock()
		mode, delay := d.mode, d.delay
		d.mu.Unlock()
		if answer := d.answer(buffer[:n], mode); answer != nil {
			time.AfterFunc(delay, func() { d.conn.WriteTo(answer, from) })
		}
	}
}

// answer returns the answer to a query, or nil for none.
func (d *DNS) answer(query []byte, mode DNSMode) []byte {
	var m dnsmessage.Message
	if mode == DNSSilent || m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	if mode == DNSGarbage {
		return []byte("garbage")
	}
	m.Response, m.RecursionAvailable = true, true
	m.Additionals = nil
	if mode == DNSRefuses {
		m.RCode = dnsmessage.RCodeRefused
	} else {
		d.fill(&m)
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}

// fill answers the question from the records.
func (d *DNS) fill(m *dnsmessage.Message) {
	q := m.Questions[0]
	addresses, known := d.records[strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))]
	if !known {
		m.RCode = dnsmessage.RCodeNameError
		return
	}
	for _, a := range addresses {
		header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: dnsmessage.ClassINET, TTL: 60}
		switch {
		case q.Type == dnsmessage.TypeA && a.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
}
