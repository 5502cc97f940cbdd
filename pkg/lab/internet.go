package lab

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Internet is a relay that passes IP packets between sites by their
// destination address. A packet to an address that no site has vanishes.
type Internet struct {
	authority *Authority
	readers   sync.WaitGroup

	mu      sync.Mutex
	sites   []*Site
	tunnels []*Tunnel
	routes  map[netip.Prefix]*Site
	paths   map[[2]*Site]*path
}

// NewInternet returns an internet without sites.
func NewInternet() (*Internet, error) {
	ca, err := NewAuthority()
	if err != nil {
		return nil, err
	}
	return &Internet{authority: ca, routes: make(map[netip.Prefix]*Site), paths: make(map[[2]*Site]*path)}, nil
}

// CA returns the certificate, in PEM, of the authority that signs the
// certificates of the lab's HTTPS servers.
func (i *Internet) CA() []byte { return i.authority.PEM }

// Set changes the conditions for packets from one site to another, one way.
func (i *Internet) Set(from, to *Site, c Conditions) {
	p := i.path(from, to)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conditions, p.sent = c, 0
}

// SetBoth changes the conditions between two sites, both ways. A delay counts
// each way.
func (i *Internet) SetBoth(a, b *Site, c Conditions) {
	i.Set(a, b, c)
	i.Set(b, a, c)
}

// Close takes down the tunnels and the sites and everything in them.
func (i *Internet) Close() error {
	i.mu.Lock()
	tunnels, sites := i.tunnels, i.sites
	i.tunnels, i.sites = nil, nil
	i.mu.Unlock()

	// The kernel takes its time over each device, so all at once.
	var tunnelsDown, sitesDown errgroup.Group
	for _, t := range tunnels {
		tunnelsDown.Go(t.Close)
	}
	err := tunnelsDown.Wait()
	for _, s := range sites {
		sitesDown.Go(s.close)
	}
	err = errors.Join(err, sitesDown.Wait())
	i.readers.Wait() // nobody sends after them
	for _, p := range i.paths {
		close(p.queue)
	}
	clear(i.paths)
	return err
}

// connect adds a site and begins to read its packets.
func (i *Internet) connect(s *Site) {
	networks := slices.DeleteFunc(slices.Clone(s.Networks), func(n netip.Prefix) bool { return n.Addr().IsPrivate() })
	i.lead(s, slices.Concat(single(s.Public...), single(s.HostPublic...), networks))
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sites = append(i.sites, s)
	i.readers.Go(func() { i.read(s) })
}

// lead leads networks to a site, or nowhere.
func (i *Internet) lead(to *Site, networks []netip.Prefix) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, n := range networks {
		i.routes[n.Masked()] = to
	}
}

// read passes on what a site sends, until its device is closed.
func (i *Internet) read(s *Site) {
	buffer := make([]byte, 65536)
	for {
		n, err := s.wire.Read(buffer)
		if err != nil {
			return
		}
		p, ok := ParsePacket(bytes.Clone(buffer[:n]))
		if to := i.route(p.To); ok && to != nil {
			i.path(s, to).send(p)
		}
	}
}

func (i *Internet) route(to netip.Addr) *Site {
	i.mu.Lock()
	defer i.mu.Unlock()
	for prefix, site := range i.routes {
		if prefix.Contains(to) && site != nil {
			return site
		}
	}
	return nil
}

// path returns the way between two sites. It is made when first needed.
func (i *Internet) path(from, to *Site) *path {
	i.mu.Lock()
	defer i.mu.Unlock()
	key := [2]*Site{from, to}
	p := i.paths[key]
	if p == nil {
		p = &path{from: from, to: to, queue: make(chan underway, 4096)}
		i.paths[key] = p
		go p.deliver()
	}
	return p
}
