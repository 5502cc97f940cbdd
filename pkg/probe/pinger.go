package probe

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"time"

	probing "github.com/prometheus-community/pro-bing"

	"checkvpn/pkg/vpn"
)

// Echo requests that are measured are sent by pro-bing. All that one must know to
// live with it stands here, and nothing else knows it:
//
//   - Its statistics forget failed sends, and its round-trip times follow the wall
//     clock, which is carried in the packet. So each packet is counted and timed
//     from its callbacks, which all run in the one goroutine that sends and reads:
//     no answer is seen before its packet was.
//   - A first send that fails ends a Pinger, and so does a socket that cannot be
//     opened. So another follows for the packets that are left: a route or an
//     interface may come back meanwhile. A later send that fails is tried again
//     in place of the next packet: here it counts as a packet of its own.
//   - A route that answers EACCES makes it loop for ever, deaf to its context:
//     see stopOnProhibited.
//   - It counts answers from other addresses than the one that was asked, and
//     takes zeros for what is missing in a short one. It would stop for them.
//   - It has no wait for a packet, only one for the whole run: none is set.
//   - InterfaceName does not bind the socket, and a name that is gone is an error
//     without a number: so the interface is looked for beforehand.
//   - An Interval of 0 panics.
//   - To stop one may take a tenth of a second, and one more packet may leave.

// echoSize is how many bytes of ICMP are sent and must come back: the header,
// and a time and a UUID of pro-bing's.
const echoSize = 8 + 8 + 16

var errEnded = errors.New("the pinger has ended")

// ping uses one Pinger for the packets of a look from one on, and listens until
// each is answered or the look is ended. It gives how many of them were sent or
// failed; the error is why there was none. It calls begun when the first has left,
// or could not.
func (l *look) ping(first int, begun func(), short *shortage) (made int, err error) {
	next := l.pace.start(l.ctx)
	begun()
	defer next()
	pg := &pinger{look: l, made: first, begun: next, short: short}
	if err := pg.prepare(); err != nil {
		return 0, err
	}
	if err = pg.lib.RunWithContext(l.ctx); err == nil {
		err = errEnded
	}
	return pg.made - first, err
}

// pinger is one use of a pro-bing Pinger. Its fields belong to the goroutine of
// the callbacks until that has ended.
type pinger struct {
	*look
	lib   *probing.Pinger
	made  int          // packets of the look that were sent or failed
	sent  []sentPacket // by their sequence number
	begun func()       // lets the next pinger start
	short *shortage
}

type sentPacket struct {
	number   int // of the look's packets, from 0
	at       time.Duration
	answered bool
}

func (pg *pinger) prepare() error {
	privileged, err := pg.permissions.find(familyFor(pg.Addr))
	if err != nil {
		return err
	}
	pg.lib = probing.New("")
	pg.lib.SetIPAddr(&net.IPAddr{IP: pg.Addr.AsSlice(), Zone: pg.Addr.Zone()})
	pg.lib.SetPrivileged(privileged)
	pg.lib.SetLogger(stopOnProhibited{pg})
	pg.lib.Count = pg.Packets - pg.made
	pg.lib.Interval = max(pg.Spacing, time.Millisecond)
	pg.lib.RecordRtts, pg.lib.RecordTTLs = false, false
	pg.lib.SetTrafficClass(pg.Path.DSCP << 2)
	if pg.Path.Source.IsValid() {
		pg.lib.Source = pg.Path.Source.String()
	}
	if pg.Path.Interface != "" {
		link, err := linkNamed(pg.Path.Interface)
		if err != nil {
			return err
		}
		pg.lib.InterfaceName = link.Attrs().Name
	}
	pg.lib.OnSend = func(*probing.Packet) { pg.guarded(pg.onSend) }
	pg.lib.OnSendError = func(_ *probing.Packet, err error) { pg.guarded(func() { pg.onFailure(err) }) }
	pg.lib.OnRecv = func(pkt *probing.Packet) { pg.guarded(func() { pg.onReply(pkt, true) }) }
	pg.lib.OnDuplicateRecv = func(pkt *probing.Packet) { pg.guarded(func() { pg.onReply(pkt, false) }) }
	return nil
}

func (pg *pinger) onSend() {
	now := pg.set.Now()
	pg.short.over()
	pg.sent = append(pg.sent, sentPacket{number: pg.made, at: now})
	pg.emit(vpn.Event{Kind: vpn.Sent, At: now, Seq: pg.First + pg.made})
	pg.attempted()
}

// onFailure takes in that a packet did not leave this host. One that may leave
// a moment later is no failure yet: pro-bing tries it again.
func (pg *pinger) onFailure(err error) {
	if !pg.short.mayPass(err) {
		pg.localError(pg.made, icmpFault(err))
		pg.attempted()
	}
}

// attempted keeps pro-bing from sending more in place of what failed.
func (pg *pinger) attempted() {
	pg.begun()
	if pg.made++; pg.made == pg.Packets {
		pg.lib.Count = len(pg.sent)
		pg.stopIfAnswered()
	}
}

func (pg *pinger) onReply(pkt *probing.Packet, counted bool) {
	now := pg.set.Now()
	from, ok := netip.AddrFromSlice(pkt.IPAddr.IP)
	if !ok || from.Unmap() != pg.Addr.WithZone("") || pkt.Nbytes < echoSize {
		if counted {
			pg.lib.PacketsRecv--
		}
		return
	}
	if pkt.Seq < 0 || pkt.Seq >= len(pg.sent) || pg.sent[pkt.Seq].answered {
		return
	}
	p := &pg.sent[pkt.Seq]
	p.answered = true
	pg.emit(vpn.Event{Kind: vpn.Answered, At: now, Seq: pg.First + p.number, Took: now - p.at})
	pg.stopIfAnswered()
}

func (pg *pinger) stopIfAnswered() {
	waits := func(p sentPacket) bool { return !p.answered }
	if pg.made == pg.Packets && !slices.ContainsFunc(pg.sent, waits) {
		pg.lib.Stop()
	}
}

// stopOnProhibited is the logger that pro-bing gets. It keeps everything off
// stderr, and it ends a loop that nothing else ends: if a route answers EACCES,
// pro-bing takes the target for a broadcast address and tries for ever, deaf to
// its context. Its word about that is the only call that it makes from there, so
// the sending goroutine is ended here. Its deferred calls run, and the pinger
// stops as if it had been told to.
type stopOnProhibited struct{ pg *pinger }

func (l stopOnProhibited) Infof(string, ...any) {
	l.pg.guarded(func() { l.pg.onFailure(syscall.EACCES) })
	runtime.Goexit()
}

func (l stopOnProhibited) Warnf(string, ...any)  {}
func (l stopOnProhibited) Debugf(string, ...any) {}
func (l stopOnProhibited) Errorf(string, ...any) {}
func (l stopOnProhibited) Fatalf(string, ...any) {}
