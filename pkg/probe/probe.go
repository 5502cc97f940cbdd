package probe

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"checkvpn/pkg/vpn"
)

// Path says how packets are to leave this host. The zero value leaves it to
// the kernel.
type Path struct {
	Source    netip.Addr // their source address
	Interface string     // the interface that they leave by
	DSCP      uint8      // their differentiated services code point, 0-63 (RFC 2474)
}

// Question is what one target is asked.
type Question struct {
	Endpoint vpn.Endpoint
	Path     Path
	// RefuseOwn tells that an address of this host itself is not asked, the
	// loopback range apart: its answer would say nothing of any way.
	RefuseOwn bool
}

// Settings are common to all looks of one check.
type Settings struct {
	Questions []Question            // by Look.Target
	Family    Family                // which addresses of a name are asked
	Resolver  Resolver              // looks names up; nil is the system's
	Status    func(status int) bool // tells which HTTP statuses are answers; nil: 200-299
	Now       func() time.Duration  // since the check began, by the monotonic clock
	// Emit is handed each event. It may be called from any goroutine, and does not
	// block for long.
	Emit func(vpn.Event)
}

// Prober carries out looks. Want and Close are for one goroutine.
type Prober struct {
	set         Settings
	permissions permissions
	pace        *pace
	echoes      *echoes
	routes      sharedRoutes
	looks       map[vpn.Look]*look // all that were ever started
	wanted      []vpn.Look         // last
	lists       int                // that differed, so far
}

// New makes a prober that asks nothing yet.
func New(set Settings) *Prober {
	if set.Status == nil {
		set.Status = func(status int) bool { return status >= 200 && status <= 299 }
	}
	p := &Prober{set: set, pace: newPace(), looks: make(map[vpn.Look]*look, len(set.Questions))}
	p.echoes = newEchoes(p)
	return p
}

// look is one vpn.Look that was started.
type look struct {
	vpn.Look
	*Prober
	Question
	list        int // the last that it was in
	ctx         context.Context
	end         context.CancelFunc
	leaveRoutes func() // it asks for no more routes
}

// Want starts the looks that are new, in their order, and ends those that are not
// among them any more. A look that has ended is not started again.
func (p *Prober) Want(ctx context.Context, looks []vpn.Look) {
	if slices.Equal(looks, p.wanted) {
		return
	}
	p.lists++
	for _, wanted := range looks {
		l := p.looks[wanted]
		if l == nil {
			l = p.start(ctx, wanted)
			p.looks[wanted] = l
		}
		l.list = p.lists
	}
	for _, before := range p.wanted {
		if l := p.looks[before]; l.list != p.lists {
			l.end()
		}
	}
	p.wanted = append(p.wanted[:0], looks...) // the list is the judge's
}

// Close ends all looks. It does not wait: pro-bing may take a tenth of a second
// to notice.
func (p *Prober) Close() {
	p.Want(context.Background(), nil)
	p.echoes.close()
}

// start begins a look in a goroutine of its own. Those of echo requests queue up
// here, in the order of the list.
func (p *Prober) start(ctx context.Context, asked vpn.Look) *look {
	l := &look{Look: asked, Prober: p}
	l.ctx, l.end = context.WithCancel(ctx)
	if asked.Target >= 0 && asked.Target < len(p.set.Questions) {
		l.Question = p.set.Questions[asked.Target]
	}
	turn := p.pace.queue(priceOf(asked))
	p.routes.join()
	l.leaveRoutes = sync.OnceFunc(p.routes.leave)
	p.spawn(func() {
		defer turn.over()
		defer l.leaveRoutes()
		if turn.wait(l.ctx); l.ctx.Err() == nil {
			l.run(turn.over)
		}
	})
	return l
}

// run carries the look out. It calls begun when the next look may begin.
func (l *look) run(begun func()) {
	switch l.Kind {
	case vpn.FirstLook, vpn.LossLook, vpn.Control:
		l.sendAll(func(i int, short *shortage) (int, error) { return l.ping(i, begun, short) })
	case vpn.Silence, vpn.Sizes, vpn.Path:
		begun()
		l.sendAll(func(i int, short *shortage) (int, error) { return l.sendEcho(i, short) })
	case vpn.Resolving:
		l.resolve()
	case vpn.Connect:
		l.connect()
	case vpn.AskRoute:
		l.askRoute()
	case vpn.Count:
		l.count()
	default:
		panic("no look is called " + string(l.Kind)) // the list is our own
	}
}

// sendAll sends the packets of a look by calls of send, each from the packet with
// the given number on. That gives how many have left or failed; if it gives an
// error with none, that is why.
func (l *look) sendAll(send func(from int, short *shortage) (made int, err error)) {
	if f := l.refusal(); f != nil {
		l.refuse(f)
		return
	}
	var short shortage
	for made := 0; made < l.Packets; {
		n, err := send(made, &short)
		made += n
		pause := l.Spacing
		switch {
		case l.ctx.Err() != nil:
			return
		case n > 0:
		case short.mayPass(err):
			pause = nextTry
		default:
			f := icmpFault(err)
			if f.Code == vpn.NoPermission { // that will not change
				l.refuse(f)
				return
			}
			l.localError(made, f)
			made++
		}
		if made < l.Packets && !sleep(l.ctx, pause) {
			return
		}
	}
}

// emit hands an event of the look over, unless the look has ended.
func (l *look) emit(e vpn.Event) {
	if l.ctx.Err() == nil {
		e.Target, e.Look, e.Addr = l.Target, l.Kind, l.Addr
		l.set.Emit(e)
	}
}

// localError says that the i-th packet of the look did not leave.
func (l *look) localError(i int, f *vpn.Fault) {
	l.emit(vpn.Event{Kind: vpn.LocalError, At: l.set.Now(), Seq: l.First + i, Fault: f})
}

// refuse says of every packet that it does not leave.
func (l *look) refuse(f *vpn.Fault) {
	for i := range max(1, l.Packets) {
		l.localError(i, f)
	}
}

// refusal is why the address may not be asked; nil if it may.
func (l *look) refusal() *vpn.Fault {
	defer l.leaveRoutes()
	if !l.RefuseOwn {
		return nil
	}
	own, err := retry(l.ctx, func() (bool, error) { return l.routes.ownAddress(l.Addr) })
	switch {
	case err != nil:
		return faultOf(err)
	case own:
		return &vpn.Fault{Code: vpn.OwnAddress, Words: l.Addr.String() + " is an address of this host itself", Own: true}
	}
	return nil
}

// offset is a time by the clock of the check.
func (p *Prober) offset(t time.Time) time.Duration { return p.set.Now() - time.Since(t) }

// spawn runs f in a goroutine whose panic ends as an event: it would else end the
// program with words on stderr and the exit code of CRITICAL.
func (p *Prober) spawn(f func()) { go p.guarded(f) }

func (p *Prober) guarded(f func()) {
	defer func() {
		if v := recover(); v != nil {
			p.set.Emit(vpn.Event{Kind: vpn.Panicked, At: p.set.Now(), Target: -1,
				Fault: &vpn.Fault{Code: vpn.Bug, Words: fmt.Sprintf("internal error: %v", v), Own: true}})
		}
	}()
	f()
}

// sleep waits, and tells whether the context is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
