// Package probe asks one target one question: does it answer an echo request,
// a connection, a request for a page? It says for each packet or attempt what
// happened, when by a monotonic clock, and why it failed. It knows nothing of
// states and thresholds.
package probe

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Settings are common to all the probes of one run.
type Settings struct {
	Packets    int           // echo requests in the first look
	MaxPackets int           // in both looks together
	Interval   time.Duration // between the echo requests of the first look
	Wait       time.Duration // how long after its packet a reply counts
	Attempt    time.Duration // how long one attempt of tcp, http or https may take
	Family     Family        // which addresses of a name are asked
	Resolver   Resolver      // looks names up; nil is the system's
	Parallel   int           // how many addresses are asked, and names looked up, at once; 0 is 256
	// Panic is called with what a goroutine of the run panicked with. Nil lets
	// the program crash.
	Panic func(value any)
}

// Path says how packets are to leave this machine. The zero value leaves it to
// the kernel.
type Path struct {
	Source    netip.Addr // their source address
	Interface string     // the interface that they leave by
	DSCP      uint8      // their differentiated services code point, 0-63 (RFC 2474)
	Via       Via        // the way that they must leave by; the route is asked where it is set
	MTU       int        // bytes of a whole IP packet that must pass in one piece, icmp only; 0 asks for nothing
}

// Prober makes the probes of one run. It holds what they share: the clock's
// beginning, the bound on concurrency and the way to send echo requests.
type Prober struct {
	set     Settings
	began   time.Time
	pace    *pace
	lookups chan struct{}
	icmp4   func() (icmpMode, error)
	icmp6   func() (icmpMode, error)

	searches atomic.Int32 // for the largest packet that passes, begun
}

// NewProber begins a run: all times in results count from now.
func NewProber(set Settings) *Prober {
	if set.Resolver == nil {
		set.Resolver = &net.Resolver{PreferGo: true}
	}
	if set.Parallel <= 0 {
		set.Parallel = 256
	}
	return &Prober{
		set:     set,
		began:   time.Now(),
		pace:    newPace(set.Parallel),
		lookups: make(chan struct{}, set.Parallel),
		icmp4:   sync.OnceValues(func() (icmpMode, error) { return findMode(IPv4) }),
		icmp6:   sync.OnceValues(func() (icmpMode, error) { return findMode(IPv6) }),
	}
}

// FirstLook is how long the first look at an endpoint may take once its name
// is resolved.
func (p *Prober) FirstLook(s Scheme) time.Duration {
	if s == ICMP {
		return time.Duration(p.set.Packets-1)*p.set.Interval + p.set.Wait
	}
	return p.set.Attempt
}

// secondLook is how long it may take to look again, at the most.
func (p *Prober) secondLook(s Scheme) time.Duration {
	if s == ICMP {
		return doubt + time.Duration(p.set.MaxPackets-p.set.Packets)*spacingAnswered
	}
	return doubt + p.set.Attempt
}

// Now is the time since the run began, by the monotonic clock.
func (p *Prober) Now() time.Duration { return time.Since(p.began) }

// spawn runs f in a goroutine whose panic ends in Settings.Panic, because a
// panic in a goroutine would else end the program with words on stderr and the
// exit code of CRITICAL.
func (p *Prober) spawn(f func()) {
	go p.guarded(f)
}

func (p *Prober) guarded(f func()) {
	if p.set.Panic != nil {
		defer func() {
			if v := recover(); v != nil {
				p.set.Panic(v)
			}
		}()
	}
	f()
}

// Probe asks one endpoint, once. Run does it; Result may be called meanwhile.
type Probe struct {
	prober   *Prober
	endpoint Endpoint
	path     Path

	mu       sync.Mutex
	records  []*record // one for each address, in the order of the resolver
	err      error
	resolved time.Duration
}

// record is what is known of one address.
type record struct {
	addr      netip.Addr
	attempts  []Attempt
	firstLook int        // how many attempts were the first look; 0 while it sends
	over      bool       // no attempt will follow
	privilege string     // how echo requests are sent
	err       error      // why nothing could be asked
	told      *ToldError // why it is silent, as somebody said
	routes    []Route
	mtu       *MTU // nil where it is not asked for
	bigLater  bool // big packets are not part of the first look: it found nobody
}

// New makes a probe of an endpoint; it sends nothing yet.
func (p *Prober) New(e Endpoint, path Path) *Probe {
	return &Probe{prober: p, endpoint: e, path: path}
}

// Run asks, and returns when all is known or when ctx ends.
func (p *Probe) Run(ctx context.Context) {
	p.prober.guarded(func() { p.run(ctx) })
}

func (p *Probe) run(ctx context.Context) {
	addrs, err := p.resolve(ctx)
	if err != nil && ctx.Err() != nil {
		return // cut short: the name might still have been resolved
	}
	p.mu.Lock()
	if !p.endpoint.Addr.IsValid() {
		p.resolved = p.prober.Now()
	}
	p.err = err
	for _, addr := range addrs {
		p.records = append(p.records, &record{addr: addr})
	}
	records := p.records
	p.mu.Unlock()

	// One address that answers in full is enough: the others stop then.
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	var asked sync.WaitGroup
	askOne := func(r *record) {
		p.ask(ctx, r)
		p.note(func() { r.over = true })
		if p.answeredAll(r) {
			enough()
		}
	}
	if len(records) == 1 { // a goroutine of its own would cost memory
		askOne(records[0])
		return
	}
	for _, r := range records {
		asked.Add(1)
		p.prober.spawn(func() {
			defer asked.Done()
			askOne(r)
		})
	}
	asked.Wait()
}

// ask puts the question of the endpoint's scheme to one address.
func (p *Probe) ask(ctx context.Context, r *record) {
	if p.endpoint.Scheme == ICMP {
		p.askICMP(ctx, r)
		return
	}
	leave := p.prober.pace.sit(ctx)
	defer leave()
	if ctx.Err() != nil {
		return
	}
	p.noteRoute(r)
	p.askConnection(ctx, r)
}

// Result is what is known now.
func (p *Probe) Result() Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.result()
}

func (p *Probe) result() Result {
	now := p.prober.Now()
	results := make([]Result, len(p.records))
	for i, r := range p.records {
		results[i] = p.resultOf(r, now)
	}
	if len(results) == 0 {
		return Result{Err: p.err, FirstLookOver: p.err != nil, Resolved: p.resolved}
	}
	best := slices.MaxFunc(results, betterAnswered)
	for _, r := range results {
		over := r.FirstLookOver || best.complete()
		best.FirstLookOver = best.FirstLookOver && over
	}
	return best
}

// FirstLookOver is that of the Result, and costs far less.
func (p *Probe) FirstLookOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.records) == 1 {
		return p.firstLookOver(p.records[0], p.prober.Now())
	}
	return p.result().FirstLookOver
}

// resultOf is the result for one address. An echo request that has waited
// long enough is silent from then on, whoever still listens.
func (p *Probe) resultOf(r *record, now time.Duration) Result {
	res := Result{
		Addr:      r.addr,
		Attempts:  slices.Clone(r.attempts),
		Err:       r.err,
		Left:      p.left(r),
		Resolved:  p.resolved,
		Routes:    slices.Clone(r.routes),
		MTU:       r.mtu,
		Privilege: r.privilege,
	}
	for i := range res.Attempts {
		if a := &res.Attempts[i]; a.Outcome == Pending && p.tooOld(*a, now) {
			a.Outcome = Silent
		}
	}
	res.FirstLookOver = p.firstLookOver(r, now)
	if r.told != nil && res.Outcome() <= Silent {
		res.tell(r.told, p.endpoint.Scheme)
	}
	return res
}

// tooOld tells whether an answer would come too late to count.
func (p *Probe) tooOld(a Attempt, now time.Duration) bool {
	return p.endpoint.Scheme == ICMP && now-a.At >= p.prober.set.Wait
}

func (p *Probe) firstLookOver(r *record, now time.Duration) bool {
	switch {
	case r.err != nil:
		return true
	case r.firstLook == 0, r.mtu != nil && r.mtu.Outcome == Pending && !r.bigLater:
		return false
	}
	return !slices.ContainsFunc(r.attempts[:r.firstLook], func(a Attempt) bool {
		return a.Outcome == Pending && !p.tooOld(a, now)
	})
}

// left is how many attempts may still follow.
func (p *Probe) left(r *record) int {
	most := 2
	if p.endpoint.Scheme == ICMP {
		most = p.prober.set.MaxPackets
	}
	if r.over {
		return 0
	}
	return max(0, most-len(r.attempts))
}

// complete tells that the first look is over and everything was answered.
func (r Result) complete() bool {
	return r.FirstLookOver && r.Err == nil && r.count(Answered) == len(r.Attempts)
}

// betterAnswered orders the results for the addresses of one name: the one
// that says most about the way comes last, and of equals the earlier one wins.
// Those that are asked when another has answered in full are cut short.
func betterAnswered(a, b Result) int {
	if a.complete() != b.complete() {
		if a.complete() {
			return 1
		}
		return -1
	}
	if a.Outcome() != b.Outcome() {
		return int(a.Outcome()) - int(b.Outcome())
	}
	return a.Received()*max(1, b.Sent()) - b.Received()*max(1, a.Sent())
}

// answeredAll tells whether no doubt remains. Big packets see to their own.
func (p *Probe) answeredAll(r *record) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	small := *r
	small.mtu = nil
	return p.resultOf(&small, p.prober.Now()).complete()
}

// note changes a record under the probe's lock.
func (p *Probe) note(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}
