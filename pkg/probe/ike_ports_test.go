package probe

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestIKEBothPorts(t *testing.T) {
	d := ikeDialer("127.0.0.1")
	nobody := func([]byte, int) [][]byte { return nil }
	marked := func(request []byte, _ int) [][]byte {
		return [][]byte{append([]byte{0, 0, 0, 0}, cookie([8]byte(request[4:]))...)}
	}
	at := func(n int) func([]byte, int) [][]byte {
		return func(request []byte, before int) [][]byte {
			if before < n {
				return nil
			}
			return [][]byte{noProposal([8]byte(request))}
		}
	}
	listen := func(f func([]byte, int) [][]byte) uint16 { return ikeResponder(t, "127.0.0.1:0", f) }
	for _, test := range []struct {
		name          string
		plain, marked uint16
		answer        string
		refused       bool
	}{
		{"first answers", listen(at(0)), closedPort(t, "127.0.0.1"), "NO_PROPOSAL_CHOSEN", false},
		{"second answers", listen(nobody), listen(marked), "COOKIE", false},
		{"second refuses, first answers late", listen(at(1)), closedPort(t, "127.0.0.1"), "NO_PROPOSAL_CHOSEN", false},
		{"second refuses", listen(nobody), closedPort(t, "127.0.0.1"), "", true},
		{"first refuses", closedPort(t, "127.0.0.1"), listen(marked), "", true},
	} {
		began := time.Now()
		r, err := d.askIKEPorts(within5s(t), test.plain, test.marked)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("%s: only after %v", test.name, took)
		}
		if r.answer != test.answer || refused(err) != test.refused || (err == nil) == test.refused {
			t.Errorf("%s: got %q, %v", test.name, r.answer, err)
		}
	}
	// The second port's exchange is timed from its own beginning.
	if r, err := d.askIKEPorts(within5s(t), listen(nobody), listen(marked)); err != nil || r.took <= 0 || r.took > 4*time.Second {
		t.Errorf("took %v", r.took)
	}
	ctx := ends(t, 400*ms)
	if r, err := d.askIKEPorts(ctx, listen(nobody), listen(nobody)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("both silent: got %q, %v", r.answer, err)
	}
	short := ends(t, 600*ms)
	if r, err := d.askIKEPorts(short, listen(nobody), closedPort(t, "127.0.0.1")); !refused(err) {
		t.Errorf("the end comes soon after a refusal: got %q, %v", r.answer, err)
	}
}

// A panic in a goroutine of its own does not end the program.
func TestIKEPanic(t *testing.T) {
	panics := make(chan any, 2)
	d := &dialer{guarded: func(f func()) {
		defer func() { panics <- recover() }()
		(*dialer)(nil).askIKE(t.Context(), 9, false)
	}}
	if _, _, err := threeOf(d.tryIKE(within5s(t), ikePort)); err != errDialerFailed {
		t.Errorf("got %v", err)
	}
	if <-panics == nil {
		t.Error("no panic")
	}
}
