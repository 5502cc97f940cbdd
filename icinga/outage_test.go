package icinga_test

import (
	"testing"
	"time"
)

// TestOutages cuts real tunnels under a real Icinga 2 and counts what it tells.
func TestOutages(t *testing.T) {
	t.Parallel()
	var outages []*outage
	add := func(name, kind string) *outage {
		o := &outage{name: name, kind: kind, number: 101 + len(outages), always: true}
		outages = append(outages, o)
		return o
	}
	dr, licensing := add("dr-cut", "dr"), add("licensing-cut", "licensing")
	late, flapping, group := add("dr-late", "dr"), add("dr-flapping", "dr"), add("dr-group", "dr")
	office := []*outage{add("office", "office"), add("office-acked", "office"), add("office-sticky", "office")}

	w := newWorld(t, outages)
	n := newInstance(t, w, 5665, outages)
	// The same without the dependencies: so that the count can fail.
	naive := newInstance(t, w, 5666, []*outage{dr}, "vpn-dependencies.conf")
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
			t.Logf("without vpn-dependencies.conf: %d problems", count)
		})
	})
}

// TestSettings has what a site can set: a shared near gateway, hours of the pager,
// the clock of replication, hosts that are stopped on purpose.
func TestSettings(t *testing.T) {
	t.Parallel() // beside the outages too: it mostly waits
	outages := []*outage{
		{name: "shared-a", kind: "office", number: 101},
		{name: "shared-b", kind: "office", number: 102},
		{name: "hours", kind: "office", number: 103, apart: true},
		{name: "clock", kind: "office", number: 104, apart: true, extra: "pager = oncall@example.org\nresync = postgresql 50s\n"},
		{name: "planned", kind: "dr", number: 105, apart: true, extra: "downtime = a0 Sun-Sat 00:00-12:00,Sun-Sat 12:00-24:00\n"},
	}
	complained := make(chan struct{})
	close(complained)
	// The gateway is that of all tunnels in its world, so it dies in one of its own.
	scenes := map[string]func(*scene){
		"shared-a": func(s *scene) { s.nearGatewayDies(outages[:2]) },
		"hours":    (*scene).hoursEndInAnOutage,
		"clock":    (*scene).dataGetsOld,
		"planned":  (*scene).plannedNight,
	}
	for name, outages := range map[string][]*outage{"shared": outages[:2], "apart": outages[2:]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, outages)
			n := newInstance(t, w, 5667, outages)
			awaitHealth(t, n)
			heard := n.listen(t)
			for _, o := range outages {
				if play := scenes[o.name]; play != nil {
					t.Run(o.name, func(t *testing.T) {
						t.Parallel()
						play(&scene{t, w, n, o, heard, complained})
					})
				}
			}
		})
	}
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
