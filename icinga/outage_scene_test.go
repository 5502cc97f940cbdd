package icinga_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"checkvpn/pkg/lab"
)

// scene is one outage under test.
type scene struct {
	*testing.T
	world      *world
	icinga     *icinga2
	outage     *outage
	heard      *told
	complained <-chan struct{}
}

// mine tells whether a host, or host!service, belongs to the tunnel.
func (s *scene) mine(name string) bool {
	host, _, _ := strings.Cut(name, "!")
	return name == s.outage.service() || host == s.outage.name || strings.HasSuffix(host, "."+s.outage.name)
}

func (s *scene) set(c lab.Conditions) { s.world.SetBoth(s.world.near, s.outage.far, c) }

// down cuts the tunnel and waits until its service is in a hard state, until that is
// told, and until all behind it have had the time to complain.
func (s *scene) down(state float64) {
	s.Helper()
	s.set(lab.Conditions{Cut: true})
	s.awaitService(state, "cut")
	s.awaitTold(fmt.Sprintf("PROBLEM %s %v", s.outage.service(), state))
	s.waitForComplaints()
}

func (s *scene) waitForComplaints() {
	s.Helper()
	select {
	case <-s.complained:
	case <-time.After(2 * limit):
		s.Fatal("the other machines have not complained")
	}
}

// awaitService prints how long it takes.
func (s *scene) awaitService(state float64, since string) {
	s.Helper()
	took := eventually(s.T, fmt.Sprintf("%s hard %v", s.outage.service(), state), limit, func() bool {
		return s.icinga.object(s.T, "services", s.outage.service()).hard(state)
	})
	s.Logf("%.0f s from %s to hard state %v", took.Seconds(), since, state)
}

// unreachable are the names of machines, and of their services, that Icinga
// holds to be down and unreachable.
func (s *scene) unreachable(match func(name string) bool) (hosts, services int) {
	s.Helper()
	for name, c := range s.icinga.objects(s.T, "hosts") {
		if match(name) && c.hard(1) && !c.Reachable {
			hosts++
		}
	}
	for name, c := range s.icinga.objects(s.T, "services") {
		if match(name) && strings.Contains(name, "!postgresql") && c.State != 0 && !c.Reachable {
			services++
		}
	}
	return hosts, services
}

// mustBeUnreachable waits for all machines of so many groups, and a service in
// each: the last checks may be under way.
func (s *scene) mustBeUnreachable(groups int, match func(name string) bool) {
	s.Helper()
	replicated := groups
	if s.outage.kind != "dr" {
		replicated = 0
	}
	eventually(s.T, fmt.Sprintf("%d groups unreachable", groups), limit, func() bool {
		hosts, services := s.unreachable(match)
		return hosts == groups*machinesOfGroup && services == replicated
	})
}

// isMachine tells machines from gates.
func (s *scene) isMachine(name string) bool {
	host, _, _ := strings.Cut(name, "!")
	machine, tunnel, _ := strings.Cut(host, ".")
	return tunnel == s.outage.name && len(machine) > 1
}

// allWell waits until all behind the tunnel are up and believed again, and a
// while longer: nobody may complain after that.
func (s *scene) allWell() {
	s.Helper()
	var bad []string
	began := time.Now()
	for {
		if bad = s.icinga.bad(s.T, s.mine); len(bad) == 0 {
			break
		}
		if time.Since(began) > limit {
			s.Fatalf("not well after %v: %q", limit, bad)
		}
		time.Sleep(time.Second)
	}
	time.Sleep(quiet)
}

// told is all that was told of this tunnel.
func (s *scene) told() []string {
	s.Helper()
	return s.heard.of(s.T, func(n notification) bool { return s.mine(strings.TrimSuffix(n.Host+"!"+n.Service, "!")) })
}

func (s *scene) mustHaveTold(want ...string) {
	s.Helper()
	if got := s.told(); !slices.Equal(got, want) {
		s.Errorf("told %q, want %q", got, want)
		s.heard.log(s.T, s.outage.name)
	}
}

// awaitTold waits until that much has been told, and compares it.
func (s *scene) awaitTold(want ...string) {
	s.Helper()
	eventually(s.T, fmt.Sprintf("told %q", want), limit, func() bool { return len(s.told()) >= len(want) })
	s.mustHaveTold(want...)
}

// state is what the service says of a dead tunnel: the public way to licences is
// fine, so licensing is no more than WARNING.
func (s *scene) state() float64 {
	if s.outage.kind == "licensing" {
		return 1
	}
	return 2
}

func (s *scene) mustHaveToldOnce() {
	s.Helper()
	s.mustHaveTold(fmt.Sprintf("PROBLEM %s %v", s.outage.service(), s.state()), fmt.Sprintf("RECOVERY %s 0", s.outage.service()))
}

func (s *scene) cut() {
	s.down(s.state())
	s.mustBeUnreachable(len(groups), s.isMachine)
	s.set(lab.Conditions{})
	s.awaitService(0, "restore")
	s.allWell()
	s.mustHaveToldOnce()
}

// cutAndComeBackLate: the machines come back one after another.
func (s *scene) cutAndComeBackLate() {
	for _, group := range groups {
		must(s.T, s.outage.far.StopGroup(group))
	}
	s.down(s.state())
	s.set(lab.Conditions{})
	machines := s.outage.machines()
	for _, m := range machines {
		time.Sleep(staggered / time.Duration(len(machines)))
		must(s.T, s.outage.far.StartMachine(m.Name))
	}
	s.awaitService(0, "the last machine's return")
	s.allWell()
	s.mustHaveToldOnce()
}

// flap: the tunnel comes and goes before it stays.
func (s *scene) flap() {
	s.down(s.state())
	for range 2 {
		s.set(lab.Conditions{})
		time.Sleep(8 * time.Second)
		s.set(lab.Conditions{Cut: true})
		time.Sleep(5 * time.Second)
	}
	s.set(lab.Conditions{})
	s.awaitService(0, "the last restore")
	s.allWell()
	s.mustHaveToldOnce()
}

// loseGroup: the gate of a group tells, the tunnel and the machines do not.
func (s *scene) loseGroup() {
	const group = "b"
	gate := group + "." + s.outage.name
	must(s.T, s.outage.far.StopGroup(group))
	s.waitForComplaints()
	s.mustBeUnreachable(1, func(name string) bool { return s.isMachine(name) && strings.HasPrefix(name, group) })
	s.awaitTold("PROBLEM " + gate + " 2")
	must(s.T, s.outage.far.StartGroup(group))
	s.allWell()
	s.mustHaveTold("PROBLEM "+gate+" 2", "RECOVERY "+gate+" 0")
}

// officeHoursEnd: the office closes during an outage. That is told, once; a
// plain acknowledgement does not stop it, a sticky one does.
func (s *scene) officeHoursEnd() {
	service := s.outage.service()
	want := []string{"PROBLEM " + service + " 1"}
	s.set(lab.Conditions{Cut: true})
	s.awaitService(1, "cut")
	s.awaitTold(want...)
	sticky := s.outage.name == "office-sticky"
	if s.outage.name != "office" {
		s.icinga.must(s.T, http.MethodPost, "actions/acknowledge-problem", map[string]any{
			"type": "Service", "service": service, "author": "day shift", "comment": "seen", "sticky": sticky,
		}, nil)
	}
	closes := s.closeOffice(service)
	if got := s.icinga.checkNow(s.T, "services", service); time.Now().Before(closes) && got.State != 1 {
		s.Errorf("before the office closes: %+v", got.Result)
	}
	time.Sleep(time.Until(closes))
	s.awaitService(2, "the office's closing")
	if sticky {
		time.Sleep(2 * quiet) // twice what it takes the others
	} else {
		want = append(want, "PROBLEM "+service+" 2")
		s.awaitTold(want...)
	}
	s.set(lab.Conditions{})
	s.awaitService(0, "restore")
	s.awaitTold(append(want, "RECOVERY "+service+" 0")...)
}

// closeOffice has the office close at a full minute, and returns when that is.
// The clock of the checks is real; the time zone is one where it is about noon.
func (s *scene) closeOffice(service string) time.Time {
	now := time.Now().UTC()
	offset := now.Hour() - 12
	closes := now.Add(20*time.Second + time.Minute).Truncate(time.Minute)
	hours := closes.Add(-time.Duration(offset) * time.Hour).Format("15:04")
	s.icinga.must(s.T, http.MethodPost, "objects/services/"+url.PathEscape(service), map[string]any{"attrs": map[string]any{
		"vars.vpn_office_hours": "Mon-Sun 00:00-" + hours, "vars.vpn_timezone": fmt.Sprintf("Etc/GMT%+d", offset),
	}}, nil)
	return closes
}

// nearGatewayDies: it tells once, and none of the tunnels behind it does.
func (s *scene) nearGatewayDies(others []*outage) {
	const gateway = "gateway.monitoring-near"
	ours := func(n notification) bool {
		return n.Host == gateway || slices.ContainsFunc(others, func(o *outage) bool { return n.Service == "VPN "+o.name })
	}
	told := func() []string { return s.heard.of(s.T, ours) }
	must(s.T, s.world.near.StopInside())
	eventually(s.T, "the gateway is told", limit, func() bool { return len(told()) > 0 })
	for _, o := range others {
		eventually(s.T, o.name+" is down", limit, func() bool { return s.icinga.object(s.T, "services", o.service()).hard(2) })
	}
	time.Sleep(3 * quiet) // three times what they wait before they tell
	must(s.T, s.world.near.StartInside())
	for _, o := range others {
		eventually(s.T, o.name+" is back", limit, func() bool { return s.icinga.object(s.T, "services", o.service()).hard(0) })
	}
	want := []string{"PROBLEM " + gateway + " 2", "RECOVERY " + gateway + " 0"}
	eventually(s.T, "the recovery is told", limit, func() bool { return len(told()) >= len(want) })
	time.Sleep(quiet)
	if got := told(); !slices.Equal(got, want) {
		s.Errorf("told %q, want %q", got, want)
	}
}

// hoursEndInAnOutage: mail at once, and one page when the office hours end. They
// must not end before there is mail, so a busy machine gets later ones.
func (s *scene) hoursEndInAnOutage() {
	for port, soon := s.icinga.port+1, 75*time.Second; ; port, soon = port+1, 2*soon {
		hours, end := hoursUntil(soon, time.Local)
		o := *s.outage
		o.extra = "pages = yes\npager = oncall@example.org\nhours = " + hours + "\n"
		s.icinga = newInstance(s.T, s.world, port, []*outage{&o})
		awaitHealth(s.T, s.icinga)
		s.heard = s.icinga.listen(s.T)
		s.set(lab.Conditions{Cut: true})
		eventually(s.T, "mail", limit, func() bool { return len(s.told()) > 0 })
		if time.Until(end) > 3*time.Second {
			s.hoursEnd(end)
			return
		}
		if soon > limit {
			s.Fatal("the machine is too busy to cut the tunnel before the hours end")
		}
		s.set(lab.Conditions{})
	}
}

func (s *scene) hoursEnd(end time.Time) {
	service := s.outage.service()
	mail, page := "PROBLEM "+service+" 2", "PAGE PROBLEM "+service+" 2"
	time.Sleep(time.Until(end.Add(-2 * time.Second)))
	s.mustHaveTold(mail)
	s.awaitTold(mail, page)
	time.Sleep(quiet)
	s.set(lab.Conditions{})
	eventually(s.T, "all have heard", limit, func() bool { return len(s.told()) >= 4 })
	got := s.told()
	slices.Sort(got[2:])
	if want := []string{mail, page, "PAGE RECOVERY " + service + " 0", "RECOVERY " + service + " 0"}; !slices.Equal(got, want) {
		s.Errorf("told %q, want %q", got, want)
	}
}

// dataGetsOld: the clock of replication is told, to the pager too.
func (s *scene) dataGetsOld() {
	service, clock := s.outage.service(), "monitoring-near!resync "+s.outage.name
	s.set(lab.Conditions{Cut: true})
	want := []string{"PROBLEM " + service + " 2", "PAGE PROBLEM " + clock + " 2", "PROBLEM " + clock + " 2"}
	sorted := func() []string {
		got := s.heard.of(s.T, func(n notification) bool { return strings.HasSuffix(n.Service, " "+s.outage.name) })
		slices.Sort(got[min(1, len(got)):])
		return got
	}
	eventually(s.T, "the clock is told", limit, func() bool { return len(sorted()) >= len(want) })
	if got := sorted(); !slices.Equal(got, want) {
		s.Errorf("told %q, want %q", got, want)
	}
	if text := s.icinga.object(s.T, "services", clock).Result.Output; !regexp.MustCompile(`^CRITICAL: replication over clock needs a full resync: postgresql at \d\d:\d\d on \w{3} \d\d \w{3}, unless`).MatchString(text) {
		s.Errorf("said %s", text)
	}
	s.set(lab.Conditions{})
	eventually(s.T, "the recovery is told", limit, func() bool { return len(sorted()) >= 6 })
}

// plannedNight: a host that is stopped on purpose is told by nobody, and a tunnel
// that dies meanwhile is told once.
func (s *scene) plannedNight() {
	const stopped = "a0"
	must(s.T, s.outage.far.StopMachine(stopped))
	host := stopped + "." + s.outage.name
	eventually(s.T, host+" is down", limit, func() bool { return s.icinga.object(s.T, "hosts", host).hard(1) })
	time.Sleep(2 * quiet)
	s.mustHaveTold()
	s.set(lab.Conditions{Cut: true})
	s.awaitTold("PROBLEM " + s.outage.service() + " 2")
	s.set(lab.Conditions{})
	s.awaitTold("PROBLEM "+s.outage.service()+" 2", "RECOVERY "+s.outage.service()+" 0")
	time.Sleep(settled + quiet)
	s.mustHaveToldOnce()
}
