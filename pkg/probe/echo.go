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
	shared map[echoPath]*sharedEcho
}

type echoPath struct {
	family Family
	path   Path
}

// sharedEcho is one socket, and whose packets it has sent.
type sharedEcho struct {
	*echoSocket

	mu   sync.Mutex
	sent []echoOwner // by the numbers that the socket knows them by
}

// echoOwner is the look that a packet belongs to, and its number there.
type echoOwner struct {
	*look
	number int
}

func newEchoes(p *Prober) *echoes {
	return &echoes{prober: p, shared: map[echoPath]*sharedEcho{}}
}

// open gives the socket of a family and path.
func (e *echoes) open(f Family, path Path) (*sharedEcho, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := echoPath{f, path}
	if s := e.shared[key]; s != nil || e.closed {
		return s, nil
	}
	m, err := e.prober.modes.find(f)
	if err != nil {
		return nil, err
	}
	socket, err := openEchoSocket(f, path, m.privileged)
	if err != nil {
		return nil, err
	}
	s := &sharedEcho{echoSocket: socket}
	e.shared[key] = s
	e.prober.spawn(func() {
		if err := socket.listen(s.heard); err != nil {
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

// heard hands what became of a packet to its look.
func (s *sharedEcho) heard(e echoEvent) {
	s.mu.Lock()
	owner := s.sent[e.Seq]
	s.mu.Unlock()
	event := vpn.Event{Kind: vpn.Answered, At: owner.offset(e.At), Seq: owner.number, Took: e.At.Sub(e.Sent)}
	if e.Kind == echoError {
		event.Kind = vpn.ICMPError
		event.ICMP = &vpn.ICMPMessage{From: e.From, Type: e.Type, Code: e.Code, MTU: e.MTU}
	}
	owner.emit(event)
}

// add notes whose packet the next one is, and gives the socket's number for it.
func (s *sharedEcho) add(owner echoOwner) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, owner)
	return len(s.sent) - 1
}

// sendEchoes sends the packets of a look. What is heard of them is emitted by the
// goroutine of the socket, until the look is ended.
func (l *look) sendEchoes() {
	if f := l.refusal(); f != nil {
		l.refuse(f)
		return
	}
	var short shortage
	for i := 0; i < l.Packets; {
		err, pause := l.sendEcho(i), l.Spacing
		switch {
		case l.ctx.Err() != nil:
			return
		case short.mayPass(err):
			pause = nextTry
		case err != nil:
			f := icmpFault(err)
			if f.Code == vpn.NoPermission { // that will not change
				l.refuse(f)
				return
			}
			l.localError(i, f)
			i++
		default:
			short.over()
			i++
		}
		if i < l.Packets && !sleep(l.ctx, pause) {
			return
		}
	}
}

var errClosed = errors.New("the prober is closed")

// sendEcho sends the i-th packet of the look.
func (l *look) sendEcho(i int) error {
	s, err := l.echoes.open(familyFor(l.Addr), l.Path)
	if err != nil {
		return err
	}
	if s == nil {
		return errClosed
	}
	number := l.First + i
	request := echoRequest{To: l.Addr, Seq: s.add(echoOwner{l, number}), Bytes: l.bytesOf(i)}
	if l.Kind == vpn.Path {
		request.TTL = i + 1
	}
	return s.send(request, func(at time.Time) {
		l.emit(vpn.Event{Kind: vpn.Sent, At: l.offset(at), Seq: number})
	})
}

// bytesOf is the size of the i-th packet of the look: they rise evenly. 0 is the
// usual small size.
func (l *look) bytesOf(i int) int {
	if l.Kind != vpn.Sizes || l.Packets < 2 {
		return l.Bytes
	}
	return l.Bytes + (l.To-l.Bytes)*i/(l.Packets-1)
}
