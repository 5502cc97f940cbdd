package icinga_test

import (
	"testing"
	"time"
)

// TestOutages cuts real tunnels under a real Icinga 2 and counts what it tells.
func TestOutages(t *testing.T) {
	t.Parallel()
	alone(t)
	var outages []*outage
	add := func(name, kind string) *outage {
		o := &outage{name: name, kind: kind, number: 101 + len(outages)}
		outages = append(outages, o)
		return o
	}
	dr, licensing := add("dr-cut", "dr"), add("licensing-cut", "licensing")
	late, flapping, group := add("dr-late", "dr"), add("dr-flapping", "dr"), add("dr-group", "dr")
	office := []*outage{add("office", "office"), add("office-acked", "office"), add("office-sticky", "office")}

	w := newWorld(t, outages)
	n := newInstance(t, w, 5665, outages)
	// The same without the dependencies: so that the count can fail.
	naive := newInstance(t, w, 5666, []*outage{dr}, "dependencies.conf")
	awaitHealth(t, n)
	awaitHealth(t, naive)
	heard, heardNaively := n.listen(t), naive.listen(t)

	// When the naive one has told of all machines, each has had the time to
	// complain.
	complained := make(chan struct{})
	t.Run("outages", func(t *testing.T) {
		scenario := func(o *outage, play func(*scene)) {
			t.Run(o.name, func(t *testing.T) {
				t.Parallel()
				play(&scene{t, w, n, o, heard, complained})
			})
		}
		scenario(dr, (*scene).cut)
		scenario(licensing, (*scene).cut)
		scenario(late, (*scene).cutAndComeBackLate)
		scenario(flapping, (*scene).flap)
		scenario(group, (*scene).loseGroup)
		for _, o := range office {
			scenario(o, (*scene).officeHoursEnd)
		}
		t.Run("without dependencies", func(t *testing.T) {
			t.Parallel()
			defer close(complained)
			count := 0
			eventually(t, "each machine is told of", limit, func() bool {
				count = len(heardNaively.of(t, func(n notification) bool { return n.Type == "PROBLEM" }))
				return count > len(groups)*machinesOfGroup
			})
			t.Logf("without dependencies.conf: %d problems", count)
		})
	})
}

// awaitHealth waits until everything is up and known to be.
func awaitHealth(t *testing.T, n *icinga2) {
	t.Helper()
	var bad []string
	began := time.Now()
	for ; time.Since(began) < limit; time.Sleep(time.Second) {
		if bad = n.bad(t, func(string) bool { return true }); len(bad) == 0 {
			return
		}
	}
	t.Fatalf("%s is not well after %v: %d, %q", n.name, limit, len(bad), bad[:min(len(bad), 10)])
}

// bad are the hosts and services that are not OK, or not yet checked.
func (n *icinga2) bad(t *testing.T, match func(name string) bool) (list []string) {
	t.Helper()
	for _, kind := range []string{"hosts", "services"} {
		for name, c := range n.objects(t, kind) {
			if match(name) && !c.hard(0) {
				list = append(list, name)
			}
		}
	}
	return list
}
