package probe

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	probing "github.com/prometheus-community/pro-bing"
)

// Echo requests are sent by pro-bing. What it measures is not used, because
// its statistics forget failed sends and its round-trip times follow the wall
// clock: each packet is counted and timed from its callbacks, which all run in
// the one goroutine that sends.

// echoSize is how many bytes of ICMP are sent and must come back: the header,
// and a time and a UUID of pro-bing's.
const echoSize = 8 + 8 + 16

// pinger is one use of a pro-bing Pinger.
type pinger struct {
	*echo
	count   int
	spacing time.Duration
	sent    chan struct{} // closed when the last attempt is made
	over    chan struct{} // closed when nothing more is to come
	begun   func()        // the first attempt is made
	end     func()        // closes over

	lib     *probing.Pinger
	made    int   // attempts, sent or failed; under the probe's lock
	packets []int // for each sequence number, the index of its attempt; likewise
}

// start makes a pinger that sends, and goes on until each of its packets is
// answered or has waited long enough. pro-bing itself is done later, when it
// next looks up from its socket.
func (e *echo) start(ctx context.Context, count int, spacing time.Duration) *pinger {
	pg := &pinger{echo: e, count: count, spacing: spacing, sent: make(chan struct{}), over: make(chan struct{})}
	pg.prepare()
	pg.begun = e.probe.prober.pace.start(ctx)
	pg.end = sync.OnceFunc(func() {
		close(pg.over)
		pg.lib.Stop()
		pg.begun()
	})
	if path := e.probe.path; path.Interface != "" {
		if _, err := net.InterfaceByName(path.Interface); err != nil {
			pg.onFailure(syscall.ENODEV)
			pg.end()
			return pg
		}
	}
	e.probe.prober.spawn(func() {
		defer pg.end()
		if err := pg.lib.RunWithContext(ctx); err != nil && ctx.Err() == nil && pg.attempts() == 0 {
			pg.onFailure(err)
		}
	})
	return pg
}

// await waits until nothing more is to come. There may be no pinger.
func (pg *pinger) await(ctx context.Context) {
	if pg == nil {
		return
	}
	select {
	case <-pg.over:
	case <-ctx.Done():
	}
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
	pg.begun()
	if pg.attempts() < pg.count {
		return
	}
	close(pg.sent)
	if pg.settled() {
		pg.end()
		return
	}
	pg.lib.Count = len(pg.packets)
	time.AfterFunc(pg.probe.prober.set.Wait, pg.end)
}

func (pg *pinger) onReply(pkt *probing.Packet, first bool) {
	now := pg.probe.prober.Now()
	from, ok := netip.AddrFromSlice(pkt.IPAddr.IP)
	if !ok || from.Unmap() != pg.record.addr.WithZone("") || pkt.Nbytes < echoSize {
		// Somebody else's, or cut short: pro-bing takes zeros for what is
		// missing. It has counted it, and would stop for it.
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
		pg.end()
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
