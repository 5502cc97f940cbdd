package plugin

import (
	"context"
	"errors"
	"fmt"
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
func prepare(ctx context.Context, t Tunnel, args []string, limit time.Time) (*plan, *fault) {
	type result struct {
		plan  *plan
		fault *fault
	}
	ready := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if v := recover(); v != nil {
				r = result{fault: &fault{cause: vpn.Failed, err: fmt.Errorf("internal error: %v", v)}}
			}
			ready <- r
		}()
		r.plan, r.fault = makeReady(t, args)
	}()
	end := time.NewTimer(time.Until(limit))
	defer end.Stop()
	select {
	case r := <-ready:
		return r.plan, r.fault
	case <-ctx.Done():
		return nil, &fault{cause: vpn.Failed, err: context.Cause(ctx)}
	case <-end.C:
		return nil, &fault{cause: vpn.Failed, err: errors.New("the time of -t ran out while files were read")}
	}
}

func makeReady(t Tunnel, args []string) (*plan, *fault) {
	opts, inJSON, err := parse(t, args)
	if err != nil {
		return nil, &fault{cause: vpn.Misuse, err: err, asJSON: inJSON}
	}
	p, err := makePlan(t, opts)
	if err != nil {
		return nil, &fault{cause: vpn.Misuse, err: err, asJSON: opts.Output.text == "json"}
	}
	return p, nil
}
