package plugin

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"checkvpn/pkg/vpn"
)

// fault is why a check cannot begin, and its cause.
type fault struct {
	cause  vpn.Cause
	err    error
	asJSON bool // as a file may ask for, too
}

// prepare reads the arguments and the files that they name, and makes the plan.
// A file may lie where reading never ends, as on a server that is gone, so the
// time of -t bounds this too.
func prepare(ctx context.Context, t Tunnel, args []string, began time.Time) (*plan, *fault) {
	type result struct {
		plan  *plan
		fault *fault
	}
	ready := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if v := recover(); v != nil {
				r = result{fault: &fault{cause: vpn.Failed, err: &panicError{v}}}
			}
			ready <- r
		}()
		r.plan, r.fault = makeReady(t, args)
	}()
	limit := time.NewTimer(time.Until(began.Add(timeoutOf(args) - margin)))
	defer limit.Stop()
	select {
	case r := <-ready:
		return r.plan, r.fault
	case <-ctx.Done():
		return nil, &fault{cause: vpn.Failed, err: context.Cause(ctx)}
	case <-limit.C:
		return nil, &fault{cause: vpn.Failed, err: fmt.Errorf("%w while files were read", errTime)}
	}
}

func makeReady(t Tunnel, args []string) (*plan, *fault) {
	opts, err := parse(t, args)
	if err != nil {
		return nil, &fault{cause: vpn.Misuse, err: err}
	}
	p, err := makePlan(t, opts)
	if err != nil {
		return nil, &fault{cause: vpn.Misuse, err: err, asJSON: opts.Output.text == "json"}
	}
	return p, nil
}

// timeoutOf is the time of -t on the command line, as far as it can be seen
// before the files are read; else the usual one.
func timeoutOf(args []string) time.Duration {
	limit := defaultTimeout
	for i, arg := range args {
		value, found := strings.CutPrefix(arg, "--timeout=")
		switch {
		case found:
		case arg == "-t" || arg == "--timeout":
			if i+1 < len(args) {
				value = args[i+1]
			}
		default:
			value, _ = strings.CutPrefix(arg, "-t")
		}
		seconds, _, _ := strings.Cut(value, ":")
		if n, err := strconv.ParseUint(seconds, 10, 32); err == nil && n >= 1 && n <= maxTimeout {
			limit = time.Duration(n) * time.Second
		}
	}
	return limit
}
