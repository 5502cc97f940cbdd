package plugin

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"checkvpn/pkg/probe"
	"checkvpn/pkg/vpn"
)

// beat is how long the loop sleeps at most while something is asked, so that it
// notices when it did not run: after a pause it cannot be told otherwise for how
// long an answer has been waiting to be read. late is by how much it must be
// overdue for that: less is the usual unsteadiness of a busy machine.
const (
	beat = 100 * time.Millisecond
	late = 10 * time.Millisecond
	// catchUp is given to what came in during a pause to be read.
	catchUp = 50 * time.Millisecond
	// judgeShare is which part of the time judging may take, so that it does not
	// keep answers from being read.
	judgeShare = 10
)

// spareProcessors has the check cost little. It keeps to one processor: the work is
// mostly waiting, and more of them cost more and end no sooner. To shake hands over
// TLS is work, which must not keep the answers of others waiting.
//
// And it collects garbage from 16 MB on, not from 4: a check of a hundred targets
// makes about 4 MB of it, and then ends. One of a thousand would hold 15 MB for nothing.
func (p *plan) spareProcessors() {
	if len(p.Targets) <= 300 {
		debug.SetGCPercent(400)
	}
	if !slices.ContainsFunc(p.Targets, func(t vpn.Target) bool { return t.Endpoint.Scheme == vpn.HTTPS }) {
		runtime.GOMAXPROCS(1)
	}
}

// check asks everything and judges it: it is the one owner of the evidence. When
// ctx ends, the verdict is of what is known by then.
func check(ctx context.Context, p *plan, began time.Time, rec *recorder, show func(*vpn.Judge)) vpn.Verdict {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &loop{plan: p, began: began, record: rec, events: make(chan vpn.Event, 1024), judge: vpn.NewJudge(&p.Plan)}
	prober := probe.New(p.settings(l.now, func(e vpn.Event) {
		select {
		case l.events <- e:
		case <-ctx.Done():
		}
	}))
	defer prober.Close()
	for {
		before := l.now()
		rec.event(vpn.Event{Kind: vpn.Judged, Target: -1, At: before})
		wants, decided := l.judge.Step(before)
		if decided {
			v := l.judge.Verdict()
			nameSockets(&v, prober)
			return v
		}
		prober.Want(ctx, wants.Looks)
		show(l.judge)
		l.listen(ctx, wants.Wake, (l.now()-before)*(judgeShare-1))
	}
}

// nameSockets adds to the findings how echo requests were sent.
func nameSockets(v *vpn.Verdict, p *probe.Prober) {
	for i := range v.Findings {
		if f := &v.Findings[i]; f.Target.Endpoint.Scheme == vpn.ICMP && f.Addr.IsValid() {
			f.Privilege = p.Privilege(f.Addr)
		}
	}
}

// loop is one check under way.
type loop struct {
	plan   *plan
	began  time.Time
	events chan vpn.Event
	judge  *vpn.Judge
	record *recorder
	ended  bool // a signal was heard
}

func (l *loop) now() time.Duration { return time.Since(l.began) }

func (l *loop) add(e vpn.Event) {
	l.record.event(e)
	l.judge.Add(e)
}

// listen waits for an event, for the end of ctx or until a time, and at least as
// long as rest. It takes in everything that there is by then.
func (l *loop) listen(ctx context.Context, wake, rest time.Duration) {
	done := ctx.Done()
	if l.ended {
		done = nil
	}
	due := l.sleep(done, wake)
	if now := l.now(); now > due+late {
		time.Sleep(catchUp)
		now = l.now()
		l.add(vpn.Event{Kind: vpn.Paused, Target: -1, At: now, Took: now - due + beat})
	} else if rest > time.Millisecond {
		time.Sleep(min(rest, beat))
	}
	if ctx.Err() != nil && !l.ended {
		l.ended = true
		l.add(vpn.Event{Kind: vpn.Interrupted, Target: -1, At: l.now(), Fault: whyEnded(ctx)})
	}
	// What others can say by now is judged together, and not each event alone.
	runtime.Gosched()
	for {
		select {
		case e := <-l.events:
			l.add(e)
		default:
			return
		}
	}
}

// sleep ends at the first event, at the end of ctx or at a time. It gives the
// time at which it should have ended at the latest.
func (l *loop) sleep(done <-chan struct{}, wake time.Duration) (due time.Duration) {
	due = min(wake, l.now()+beat)
	timer := time.NewTimer(due - l.now())
	defer timer.Stop()
	select {
	case e := <-l.events:
		l.add(e)
	case <-done:
	case <-timer.C:
	}
	return due
}

var errSignal = errors.New("stopped by a signal")

func whyEnded(ctx context.Context) *vpn.Fault {
	return &vpn.Fault{Code: vpn.Signal, Words: context.Cause(ctx).Error()}
}

// onSignal ends the context at a signal that asks the program to stop. SIGQUIT
// and SIGABRT too, by which Go would print all that it does.
func onSignal(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT)
	go func() {
		select {
		case <-signals:
			cancel(errSignal)
		case <-ctx.Done():
		}
		signal.Stop(signals)
	}()
	return ctx, cancel
}
