package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
	"checkvpn/pkg/vpn"
)

// settleEvery is how often it is asked whether waiting can still change
// anything: less often where there are so many targets that this takes more
// than a settleShare of the time.
const (
	settleEvery = 25 * time.Millisecond
	settleShare = 20
)

// Why a run ended before all was known.
var (
	errTime   = errors.New("the time of -t ran out")
	errSignal = errors.New("stopped by a signal")
)

// limitProcessors keeps to one of them: the work is mostly waiting, and more cost
// more and end no sooner. To shake hands over TLS is work, which must not keep
// the answers of others waiting.
func (p *plan) limitProcessors() {
	if !slices.ContainsFunc(p.targets, func(t vpn.Target) bool { return t.Endpoint.Scheme == probe.HTTPS }) {
		runtime.GOMAXPROCS(1)
	}
}

// check asks everything, judges, and makes the output. When ctx ends, what is
// known by then is printed.
func check(ctx context.Context, t Tunnel, p *plan, began time.Time) output {
	ctx, cancel := context.WithDeadlineCause(ctx, began.Add(p.timeout-margin), errTime)
	defer cancel()

	r := newRun(p)
	show, stop := watch(p, began)
	err := r.ask(ctx, show)
	erase := stop()
	for _, p := range r.probes {
		p.NoteRoute()
	}
	verdict := vpn.Judge(p.limits, r.evidence())
	var bug *panicError
	switch cutShort := verdict.Cause == vpn.Failed && err != nil; {
	case errors.As(err, &bug):
		verdict = verdict.Failed(err, nagios.Unknown)
	case cutShort && errors.Is(err, errTime):
		verdict = verdict.Failed(err, p.onTimeout)
	case cutShort:
		verdict = verdict.Failed(err, nagios.Unknown)
	}
	out := speak(t, p, verdict, began)
	out.before = erase
	return out
}

// panicError is what some goroutine of the run panicked with.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("internal error: %v", e.value) }

// onSignal ends the context at a signal that asks the program to stop.
func onSignal(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
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

// run is one asking of all targets.
type run struct {
	plan     *plan
	enough   bool // what is pending is not waited for
	probes   []*probe.Probe
	panicked chan error
}

func newRun(p *plan) *run {
	r := &run{plan: p, panicked: make(chan error, 1)}
	p.settings.Panic = func(value any) {
		select {
		case r.panicked <- &panicError{value}:
		default:
		}
	}
	prober := probe.NewProber(p.settings)
	for _, t := range p.targets {
		r.probes = append(r.probes, prober.New(t.Endpoint, p.pathTo(t.Role)))
	}
	return r
}

// ask returns when everything is known, when nothing that is pending can
// change the verdict, or, with the cause, when ctx ends or something panics.
// What is known meanwhile is shown.
func (r *run) ask(outer context.Context, show func([]vpn.Observation)) error {
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	var asking sync.WaitGroup
	for _, p := range r.probes {
		asking.Add(1)
		go func() {
			defer asking.Done()
			p.Run(ctx)
		}()
	}
	all := make(chan struct{})
	go func() {
		asking.Wait()
		close(all)
	}()
	tick := time.NewTimer(settleEvery)
	defer tick.Stop()
	for {
		select {
		case <-all:
			return context.Cause(outer)
		case err := <-r.panicked:
			return err
		case <-outer.Done():
			return context.Cause(outer)
		case began := <-tick.C:
			if r.plan.screen != nil {
				show(r.evidence())
			}
			if r.firstLookOver() && vpn.Settled(r.plan.limits, r.evidence(), r.plan.settings.Wait) {
				r.enough = true
				return nil
			}
			tick.Reset(max(settleEvery, settleShare*time.Since(began)))
		}
	}
}

// firstLookOver tells whether the verdict may be settled. It spares most of the
// judging: with a thousand targets that would take a large part of the time.
func (r *run) firstLookOver() bool {
	for i, p := range r.probes {
		if !r.plan.targets[i].Role.Behind() && !p.FirstLookOver() {
			return false
		}
	}
	return true
}

func (r *run) evidence() []vpn.Observation {
	evidence := make([]vpn.Observation, len(r.probes))
	for i, p := range r.probes {
		evidence[i] = vpn.Observation{Target: r.plan.targets[i], Result: p.Result()}
		if r.enough {
			evidence[i].Result.FirstLookOver = true
		}
	}
	return evidence
}
