package lab_test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"checkvpn/pkg/lab"
)

// pair is the small world for a test.
type pair struct {
	*lab.Pair
	kind lab.Kind
}

// Addresses of the pair.
const (
	one    = "10.2.1.1"
	one6   = "fd00:2:1::1"
	other  = "10.2.2.1" // of another group
	nobody = "10.2.0.99"
	peer   = lab.PairPeer
	peer6  = "2001:db8:2::1"
)

// newPair makes one for a test. Such tests mostly wait, so they run side by side.
func newPair(t *testing.T) *pair { return newPairOver(t, lab.Kinds()[0]) }

func newPairOver(t *testing.T, kind lab.Kind) *pair {
	t.Helper()
	t.Parallel()
	p, err := lab.NewPair(kind)
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return &pair{p, kind}
}

// overEach runs a test over each kind of tunnel.
func overEach(t *testing.T, test func(*testing.T, *pair)) {
	t.Parallel()
	for _, kind := range lab.Kinds() {
		t.Run(kind.Name, func(t *testing.T) { test(t, newPairOver(t, kind)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// alive is what fping says of addresses. Its exit code is 0 if all answer, and 1 if
// some do not.
func alive(t *testing.T, n *lab.Node, options string, all ...string) string {
	t.Helper()
	r, err := n.Run(exec.Command("/usr/bin/fping", append(strings.Fields(options), all...)...))
	must(t, err)
	if r.Code > 1 {
		t.Fatalf("fping: exit code %d: %s", r.Code, r.Stderr)
	}
	return r.Stdout
}

func mustAnswer(t *testing.T, n *lab.Node, all ...string) {
	t.Helper()
	if silent := alive(t, n, "-u -r9 -B1 -t2000", all...); silent != "" {
		t.Fatalf("silent: %s", silent)
	}
}

func mustBeSilent(t *testing.T, n *lab.Node, all ...string) {
	t.Helper()
	if answer := alive(t, n, "-a -r0 -t300", all...); answer != "" {
		t.Fatalf("not silent: %s", answer)
	}
}

// passes tells whether an IPv4 packet of so many bytes passes unbroken.
func passes(t *testing.T, n *lab.Node, to string, bytes int) bool {
	t.Helper()
	return alive(t, n, "-a -r2 -B1 -t500 -M -b"+strconv.Itoa(bytes-28), to) != ""
}
