package probe

import (
	"errors"
	"sync"
	"time"

	"checkvpn/pkg/vpn"
)

// Looks by the echo socket of our own: it is told who says what of which packet.
// One socket for each family and path serves all of them. It is opened when it
// is first needed, and closed with the prober.

type echoes struct {
	prober *Prober

	mu     sync.Mutex
	closed bool
	shared map[echoPath]*echoSocket
}

type echoPath struct {
	family Family
	path   Path
}

func newEchoes(p *Prober) *echoes {
	return &echoes{prober: p, shared: map[echoPath]*echoSocket{}}
}

var errClosed = errors.New("the prober is closed")

// open gives the socket of a family and path.
func (e *echoes) open(f Family, path Path) (*echoSocket, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := echoPath{f, path}
	switch {
	case e.closed:
		return nil, errClosed
	case e.shared[key] != nil:
		return e.shared[key], nil
	}
	privileged, err := e.prober.permissions.find(f)
	if err != nil {
		return nil, err
	}
	s, err := openEchoSocket(f, path, privileged)
	if err != nil {
		return nil, err
	}
	e.shared[key] = s
	e.prober.spawn(func() {
		if err := s.listen(); err != nil {
			panic(err) // nothing more would be heard, and that must not look like silence
		}
	})
	return s, nil
}

func (e *echoes) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for _, s := range e.shared {
		s.Close()
	}
}

// sendEcho sends the i-th packet of the look. What is heard of it is emitted by
// the goroutine that hears it, until the look is ended.
func (l *look) sendEcho(i int, short *shortage) (made int, err error) {
	s, err := l.echoes.open(familyFor(l.Addr), l.Path)
	if err != nil {
		return 0, err
	}
	r := echoRequest{To: l.Addr, Bytes: l.BytesOf(i)}
	if l.Kind == vpn.Path {
		r.TTL = i + 1
	}
	var left time.Time
	r.heard = func(kind vpn.Kind, at time.Time, said *vpn.ICMPMessage) {
		if kind == vpn.Sent {
			left = at
		}
		l.emit(vpn.Event{Kind: kind, At: l.offset(at), Seq: l.First + i, Took: at.Sub(left), ICMP: said})
	}
	if err := s.send(r); err != nil {
		return 0, err
	}
	short.over()
	return 1, nil
}
