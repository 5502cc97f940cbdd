package lab

import (
	"bytes"
	"errors"
	"net/netip"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Internet is a relay that passes IP packets between sites by their
// destination address. A packet to an address that no site has vanishes.
type Internet struct {
	authority *authority
	stop      chan struct{}
	running   sync.WaitGroup

	mu      sync.Mutex
	seed    uint64
	sites   []*Site
	tunnels []*Tunnel
	routes  map[netip.Prefix]*Site
	paths   map[[2]*Site]*path
}

// NewInternet returns an internet without sites.
func NewInternet() (*Internet, error) {
	ca, err := newAuthority()
	if err != nil {
		return nil, err
	}
	return &Internet{
		authority: ca,
		stop:      make(chan struct{}),
		seed:      1,
		routes:    make(map[netip.Prefix]*Site),
		paths:     make(map[[2]*Site]*path),
	}, nil
}

// CA returns the certificate, in PEM, of the authority that signs the
// certificates of the lab's HTTPS servers.
func (i *Internet) CA() []byte { return i.authority.pem }

// Set changes the conditions for packets from one site to another, one way.
func (i *Internet) Set(from, to *Site, c Conditions) { i.path(from, to).set(c) }

// SetBoth changes the conditions between two sites, both ways. A delay counts
// each way.
func (i *Internet) SetBoth(a, b *Site, c Conditions) {
	i.Set(a, b, c)
	i.Set(b, a, c)
}

// Seed begins the random sequences of loss and jitter anew. The same seed gives
// the same sequence on each way.
func (i *Internet) Seed(seed uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.seed = seed
	for _, p := range i.paths {
		p.seed(seed)
	}
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
	select {
	case <-i.stop:
	default:
		close(i.stop)
	}
	i.running.Wait()
	return err
}

// connect adds a site and begins to read its packets.
func (i *Internet) connect(s *Site, routes []netip.Prefix) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sites = append(i.sites, s)
	for _, r := range routes {
		i.routes[r.Masked()] = s
	}
	i.running.Go(func() { i.read(s) })
}

// read passes on what a site sends, until its device is closed.
func (i *Internet) read(s *Site) {
	buffer := make([]byte, 65536)
	for {
		n, err := s.wire.Read(buffer)
		if err != nil {
			return
		}
		p := packet(buffer[:n])
		if to := i.route(s, p.destination()); to != nil {
			i.path(s, to).send(bytes.Clone(p))
		}
	}
}

func (i *Internet) route(from *Site, a netip.Addr) *Site {
	i.mu.Lock()
	defer i.mu.Unlock()
	for prefix, site := range i.routes {
		if prefix.Contains(a) {
			return site
		}
	}
	for _, t := range i.tunnels {
		if to := t.around(from, a); to != nil {
			return to
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
		p = newPath(from, to, i.seed)
		i.paths[key] = p
		i.running.Go(func() { p.deliver(i.stop) })
	}
	return p
}
