package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	probing "github.com/prometheus-community/pro-bing"
)

// Echo requests are sent by pro-bing. What it measures is not used, because
// its statistics forget failed sends and its round-trip times follow the wall
// clock: this file counts and times each packet from its callbacks, which all
// run in the one goroutine that sends.
//
// An unprivileged datagram socket is tried first. It scales, and needs no
// capability, but net.ipv4.ping_group_range must include the process's group.
// Raw sockets are the fallback. Each of them receives a copy of every reply,
// so that only some are open at once.

// doubt is how long after the last packet of a clean first look its answers
// are awaited before the second look begins.
const doubt = 250 * time.Millisecond

// Spacing of the second look's packets: wider where the target has answered
// and a burst of loss should pass, narrow where it is only to be confirmed
// that it is silent.
const (
	spacingAnswered = 100 * time.Millisecond
	spacingSilent   = 30 * time.Millisecond
)

// maxRaw bounds the raw sockets that are open at once.
const maxRaw = 64

type icmpMode struct {
	privileged bool
	slots      chan struct{} // bounds raw sockets; nil for unprivileged ones
}

func (m icmpMode) String() string {
	if m.privileged {
		return "raw"
	}
	return "unprivileged"
}

// findMode opens a socket of each kind to find one that this process may have.
func findMode(f Family) (icmpMode, error) {
	domain, protocol := syscall.AF_INET, syscall.IPPROTO_ICMP
	if f == IPv6 {
		domain, protocol = syscall.AF_INET6, syscall.IPPROTO_ICMPV6
	}
	err := tryOpen(domain, syscall.SOCK_DGRAM, protocol)
	if err == nil {
		return icmpMode{}, nil
	}
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		if err = tryOpen(domain, syscall.SOCK_RAW, protocol); err == nil {
			return icmpMode{privileged: true, slots: make(chan struct{}, maxRaw)}, nil
		}
	}
	return icmpMode{}, err
}

func tryOpen(domain, kind, protocol int) error {
	fd, err := syscall.Socket(domain, kind|syscall.SOCK_CLOEXEC, protocol)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	return syscall.Close(fd)
}

// unable turns a failure to open a socket into our own fault with advice, and
// leaves every other error alone: those of bind, connect and send are evidence.
func unable(err error) error {
	var call *os.SyscallError
	if !errors.As(err, &call) || call.Syscall != "socket" {
		return nil
	}
	switch {
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return nil
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return &UnableError{
			What:   "no permission to send ICMP",
			Remedy: "include the group of this user in sysctl net.ipv4.ping_group_range, or setcap cap_net_raw+ep on this program",
		}
	}
	return &UnableError{What: "cannot open a socket: " + call.Err.Error()}
}

// askICMP takes the first look at one address and, where that leaves a doubt,
// the second.
func (p *Probe) askICMP(ctx context.Context, r *record) {
	find := p.prober.icmp4
	if r.addr.Is6() {
		find = p.prober.icmp6
	}
	mode, err := find()
	if own := unable(err); own != nil {
		p.note(func() { r.err = own })
		return
	} else if err != nil {
		p.note(func() {
			r.attempts = append(r.attempts, Attempt{At: p.prober.Now(), Outcome: Silent, Err: explain(err)})
			r.firstLook = 1
		})
		return
	}
	p.note(func() { r.privilege = mode.String() })
	if mode.slots != nil {
		select {
		case mode.slots <- struct{}{}:
			defer func() { <-mode.slots }()
		case <-ctx.Done():
			return
		}
	}

	awaitMTU := p.askMTU(ctx, r, mode)
	ctx, done := context.WithCancel(ctx)
	defer done()
	e := &echo{probe: p, record: r, mode: mode, done: done}
	first := make(chan struct{})
	sent := make(chan struct{})
	p.prober.spawn(func() {
		defer close(first)
		e.look(ctx, p.prober.set.Packets, p.prober.set.Interval, func() {
			p.note(func() { r.firstLook = len(r.attempts) })
			close(sent)
		})
	})
	if !e.clean(first, sent) && ctx.Err() == nil {
		spacing, quiet := e.beginSecond()
		if quiet {
			p.askWhy(ctx, r)
		}
		e.look(ctx, p.prober.set.MaxPackets-p.prober.set.Packets, spacing, func() {})
	}
	<-first
	done()
	p.note(func() { r.over = true })
	awaitMTU()
}

// echo is the pinging of one address.
type echo struct {
	probe  *Probe
	record *record
	mode   icmpMode
	done   context.CancelFunc // ends both looks
	second bool               // the second look has begun; under the probe's lock
}

// beginSecond begins the second look and gives its spacing. It is quiet where
// packets left this machine and nothing came back.
func (e *echo) beginSecond() (spacing time.Duration, quiet bool) {
	e.probe.note(func() {
		e.second = true
		spacing = spacingSilent
		if slices.ContainsFunc(e.record.attempts, Attempt.answered) {
			spacing = spacingAnswered
		}
		quiet = !slices.ContainsFunc(e.record.attempts, func(a Attempt) bool { return a.answered() || a.Err != nil })
	})
	return spacing, quiet
}

// clean waits until the first look is answered in full, or until a doubt
// remains.
func (e *echo) clean(first, sent <-chan struct{}) bool {
	select {
	case <-first:
	case <-sent:
		select {
		case <-first:
		case <-time.After(doubt):
		}
	}
	return e.probe.answeredAll(e.record)
}

// look makes count attempts, spacing apart, and waits for their answers. A
// pinger that fails is followed by another: a route or an interface may come
// back within the look.
func (e *echo) look(ctx context.Context, count int, spacing time.Duration, sent func()) {
	allSent := sync.OnceFunc(sent)
	for left := count; left > 0 && ctx.Err() == nil; {
		pg := &pinger{echo: e, count: left, spacing: spacing, allSent: allSent}
		left -= pg.run(ctx)
		if left > 0 {
			sleep(ctx, spacing)
		}
	}
	if ctx.Err() == nil {
		allSent()
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// pinger is one use of a pro-bing Pinger.
type pinger struct {
	*echo
	count   int
	spacing time.Duration
	allSent func()
	over    func() // nothing more is to come

	lib     *probing.Pinger
	made    int   // attempts, sent or failed; under the probe's lock
	packets []int // for each sequence number, the index of its attempt; likewise
}

// run sends until count attempts are made or sending fails, and returns how
// many were made when each of them is answered or has waited long enough.
// pro-bing itself returns later, when it next looks up from its socket.
func (pg *pinger) run(ctx context.Context) (made int) {
	over := make(chan struct{})
	pg.over = sync.OnceFunc(func() { close(over) })
	if path := pg.probe.path; path.Interface != "" {
		if _, err := net.InterfaceByName(path.Interface); err != nil {
			pg.onFailure(syscall.ENODEV)
			return 1
		}
	}
	pg.prepare()
	pg.probe.prober.spawn(func() {
		defer pg.over()
		if err := pg.lib.RunWithContext(ctx); err != nil && ctx.Err() == nil && pg.attempts() == 0 {
			pg.onFailure(err)
		}
	})
	select {
	case <-over:
	case <-ctx.Done():
	}
	pg.lib.Stop()
	return pg.attempts()
}

func (pg *pinger) prepare() {
	pg.lib = probing.New("")
	pg.lib.SetIPAddr(&net.IPAddr{IP: pg.record.addr.AsSlice(), Zone: pg.record.addr.Zone()})
	pg.lib.SetPrivileged(pg.mode.privileged)
	pg.lib.SetLogger(stopOnProhibited{pg})
	pg.lib.Count = pg.count
	pg.lib.Interval = pg.spacing
	pg.lib.RecordRtts, pg.lib.RecordTTLs = false, false
	if source := pg.probe.path.Source; source.IsValid() {
		pg.lib.Source = source.String()
	}
	pg.lib.InterfaceName = pg.probe.path.Interface
	pg.lib.SetTrafficClass(pg.probe.path.DSCP << 2)
	pg.lib.OnSend = func(*probing.Packet) { pg.guard(pg.onSend) }
	pg.lib.OnSendError = func(_ *probing.Packet, err error) { pg.guard(func() { pg.onFailure(err) }) }
	pg.lib.OnRecv = func(pkt *probing.Packet) { pg.guard(func() { pg.onReply(pkt, true) }) }
	pg.lib.OnDuplicateRecv = func(pkt *probing.Packet) { pg.guard(func() { pg.onReply(pkt, false) }) }
}

func (pg *pinger) attempts() (n int) {
	pg.probe.note(func() { n = pg.made })
	return n
}

func (pg *pinger) guard(f func()) { pg.probe.prober.guarded(f) }

func (pg *pinger) onSend() {
	now := pg.probe.prober.Now()
	pg.probe.note(func() {
		pg.packets = append(pg.packets, len(pg.record.attempts))
		pg.record.attempts = append(pg.record.attempts, Attempt{At: now})
		pg.made++
	})
	pg.attempted()
}

// onFailure notes an attempt that did not leave this machine.
func (pg *pinger) onFailure(err error) {
	if own := unable(err); own != nil {
		pg.probe.note(func() { pg.record.err = own })
		pg.done()
		return
	}
	now := pg.probe.prober.Now()
	pg.probe.note(func() {
		pg.record.attempts = append(pg.record.attempts, Attempt{At: now, Outcome: Silent, Err: explain(err)})
		pg.made++
	})
	pg.attempted()
}

// attempted lets the pinger wait, after its last attempt, only as long as a
// reply still counts. pro-bing itself would go on sending in place of what
// failed, and has no wait for a packet, only one for the whole run.
func (pg *pinger) attempted() {
	if pg.attempts() < pg.count {
		return
	}
	pg.allSent()
	if pg.settled() {
		pg.over()
		return
	}
	pg.lib.Count = len(pg.packets)
	time.AfterFunc(pg.probe.prober.set.Wait, pg.over)
}

func (pg *pinger) onReply(pkt *probing.Packet, first bool) {
	now := pg.probe.prober.Now()
	from, ok := netip.AddrFromSlice(pkt.IPAddr.IP)
	if !ok || from.Unmap() != pg.record.addr.WithZone("") {
		// Somebody else's. pro-bing has counted it, and would stop for it.
		if first {
			pg.lib.PacketsRecv--
		}
		return
	}
	nothingLeft := false
	pg.probe.note(func() {
		if pkt.Seq < 0 || pkt.Seq >= len(pg.packets) {
			return
		}
		a := &pg.record.attempts[pg.packets[pkt.Seq]]
		if took := now - a.At; a.Outcome == Pending && took < pg.probe.prober.set.Wait {
			a.Outcome, a.Took = Answered, took
		}
		nothingLeft = pg.second && !slices.ContainsFunc(pg.record.attempts, Attempt.unanswered)
	})
	switch {
	case nothingLeft:
		pg.done()
	case pg.attempts() >= pg.count && pg.settled():
		pg.over()
	}
}

// settled tells whether no packet of this pinger is still to be answered.
func (pg *pinger) settled() (yes bool) {
	pg.probe.note(func() {
		yes = !slices.ContainsFunc(pg.packets, func(i int) bool { return pg.record.attempts[i].Outcome == Pending })
	})
	return yes
}

// stopOnProhibited is the logger that pro-bing gets. It keeps everything off
// stderr, and it ends a loop that nothing else ends: where a route answers
// EACCES, pro-bing takes the target for a broadcast address and tries for
// ever, deaf to its context and its timeout. Its word about that is the only
// call that it makes from there, so the sending goroutine is ended here. Its
// deferred calls run, and the pinger stops as if it had been told to.
type stopOnProhibited struct{ pg *pinger }

func (l stopOnProhibited) Infof(string, ...any) {
	l.pg.guard(func() { l.pg.onFailure(syscall.EACCES) })
	runtime.Goexit()
}

func (l stopOnProhibited) Warnf(string, ...any)  {}
func (l stopOnProhibited) Debugf(string, ...any) {}
func (l stopOnProhibited) Errorf(string, ...any) {}
func (l stopOnProhibited) Fatalf(string, ...any) {}
