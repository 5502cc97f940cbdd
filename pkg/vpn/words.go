package vpn

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
)

// Headline says what was found, to follow the tunnel's name on line 1, as
// "down: 0 of 14 machines answer, both gateways do".
func (v Verdict) Headline() string {
	switch v.Cause {
	case Misuse, Failed:
		return "not checked: " + v.Reason.Error() + v.soFar()
	case RefusedBy:
		return "down: " + v.refusals()
	case NearDown:
		return "down on our side: near gateway silent, " + v.farCount()
	case ResolverDown:
		return "down: no far name has an address, " + v.whyUnresolved()
	case PeerDown:
		return "down at the far end: peer silent, " + v.farCount()
	case TunnelDown:
		return "down: " + v.farCount() + ", " + v.gateways()
	case Down:
		return "down: " + v.farCount() + ", add --peer to learn more"
	case Bypassed:
		return "bypassed: " + v.wrongWay()
	case BlackHole:
		return "up, but " + v.blackHole()
	case Degraded:
		return "degraded: " + v.excess() + v.alsoFailing()
	case Partial:
		return "up, but " + v.exceptions() + v.alsoFailing()
	case ServiceDown:
		return "up, but " + v.failures()
	}
	return "up: " + v.farCount() + v.quality()
}

func (v Verdict) soFar() string {
	if v.Cause == Misuse || v.FarTotal == 0 {
		return ""
	}
	return fmt.Sprintf(", %s so far", v.farCount())
}

// farCount is "3 of 14 machines answer", with what was needed where that is
// more than one.
func (v Verdict) farCount() string {
	if v.FarTotal == 1 {
		if v.FarUp == 1 {
			return "the only machine asked answers"
		}
		return "the only machine asked does not answer"
	}
	text := fmt.Sprintf("%d of %d machines %s", v.FarUp, v.FarTotal, verb(v.FarUp, "answers", "answer"))
	if v.FarUp > 0 && v.FarUp < v.Limits.MinFar {
		text += fmt.Sprintf(" of the %d needed", v.Limits.MinFar)
	}
	return text
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func (v Verdict) quality() string {
	if v.RTA <= 0 {
		return ""
	}
	return fmt.Sprintf(", loss %s, rta %s", percent(v.Loss), Milliseconds(v.RTA))
}

func (v Verdict) refusals() string {
	list := slices.DeleteFunc(v.refusing(), onlyAlive)
	if len(list) == 0 {
		return v.aliveCount()
	}
	reason := "refused"
	if err := list[0].Result.Reason(); err != nil {
		reason = err.Error()
	}
	if v.FarTotal == 1 {
		return "the only machine asked refuses: " + reason
	}
	return fmt.Sprintf("%s, %d %s: %s", v.farCount(), len(list), verb(len(list), "refuses", "refuse"), reason)
}

// onlyAlive tells whether a target answered nothing that it was asked, and yet
// said something.
func onlyAlive(f Finding) bool { return f.Result.Told.Alive() }

func (v Verdict) aliveCount() string {
	if v.FarTotal == 1 {
		return "the only machine asked is alive, but does not answer"
	}
	n := len(v.refusing())
	return fmt.Sprintf("%s, but %d %s alive", v.farCount(), n, verb(n, "is", "are"))
}

func (v Verdict) whyUnresolved() string {
	for _, f := range v.Findings {
		var err *probe.ResolveError
		if f.Target.Role == Far && errors.As(f.Result.Err, &err) {
			return err.What
		}
	}
	return "no far target was asked"
}

func (v Verdict) gateways() string {
	if near, _ := v.Role(Near); near > 0 {
		return "both gateways do"
	}
	return "the peer gateway does"
}

// excess says which limit was passed: the critical one where that is so.
func (v Verdict) excess() string {
	pair := v.Limits.Warning
	if v.State == nagios.Critical {
		pair = v.Limits.Critical
	}
	ms := milliseconds(v.RTA)
	loss, time := "loss "+percent(v.Loss), "rta "+Milliseconds(v.RTA)
	if pair.Loss.Alert(v.Loss) {
		loss += " (limit " + pair.Loss.String() + "%)"
	}
	if v.RTA > 0 && pair.RTA.Alert(ms) {
		time += " (limit " + pair.RTA.String() + " ms)"
	}
	if v.RTA <= 0 {
		return loss
	}
	return loss + ", " + time
}

// wrongWay says which way traffic takes in place of the tunnel.
func (v Verdict) wrongWay() string {
	var list []Finding
	for _, f := range v.Findings {
		if f.bypasses() {
			list = append(list, f)
		}
	}
	to := ""
	if len(list) < v.FarUp {
		to = fmt.Sprintf("to %d of them ", len(list))
	}
	return fmt.Sprintf("%s, but traffic %sleaves outside the tunnel, %s and not via %s",
		v.farCount(), to, list[0].OffWay, v.Limits.Via)
}

// exceptions names whole groups first, because a group that is silent as a
// whole is a route, a firewall or a subnet; then single machines.
func (v Verdict) exceptions() string {
	silent := v.failing(Far)
	var parts []string
	if groups := v.silentGroups(); len(groups) > 0 {
		parts = append(parts, verb(len(groups), "group ", "groups ")+strings.Join(groups, ", ")+" silent")
		silent = slices.DeleteFunc(silent, func(f Finding) bool { return slices.Contains(groups, f.Target.Group) })
	}
	if len(silent) > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d machines %s silent: %s", len(silent), v.FarTotal,
			verb(len(silent), "is", "are"), names(silent)))
	}
	if stuck := v.stuck(); len(stuck) > 0 {
		parts = append(parts, fmt.Sprintf("%s do not pass to %d of %d machines: %s",
			sizeOf(stuck[0].Result.MTU.Asked), len(stuck), v.FarTotal, names(stuck)))
	}
	var slow []Finding
	for _, f := range v.Findings {
		if f.Target.Role == Far && f.Answers && f.State != nagios.OK && !f.stuck() {
			slow = append(slow, f)
		}
	}
	if len(slow) > 0 {
		parts = append(parts, fmt.Sprintf("%d %s the limits: %s", len(slow), verb(len(slow), "is beyond", "are beyond"), names(slow)))
	}
	return strings.Join(parts, ", ")
}

// silentGroups are the groups of two machines or more of which none answers.
func (v Verdict) silentGroups() (groups []string) {
	answering, asked := map[string]int{}, map[string]int{}
	for _, f := range v.Findings {
		if g := f.Target.Group; g != "" {
			asked[g]++
			if f.Answers {
				answering[g]++
			}
		}
	}
	for _, f := range v.Findings {
		g := f.Target.Group
		if asked[g] > 1 && answering[g] == 0 && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	return groups
}

// maxNames bounds how many names line 1 gives; the long lines have them all.
const maxNames = 3

func names(list []Finding) string {
	var text []string
	for _, f := range list {
		if len(text) == maxNames {
			text = append(text, fmt.Sprintf("and %d more", len(list)-maxNames))
			break
		}
		text = append(text, f.Target.Name)
	}
	return strings.Join(text, ", ")
}

// failures names what the tunnel is for and does not work.
func (v Verdict) failures() string {
	for _, r := range []Role{Service, Replication, Public} {
		failing := v.failing(r)
		if len(failing) == 0 {
			continue
		}
		_, asked := v.Role(r)
		text := fmt.Sprintf("%d of %d %s targets %s: %s", len(failing), asked, r,
			verb(len(failing), "fails", "fail"), names(failing))
		if err := failing[0].Result.Reason(); err != nil && len(failing) == 1 {
			text += " (" + err.Error() + ")"
		}
		return text
	}
	return "nothing fails"
}

func (v Verdict) alsoFailing() string {
	for _, r := range []Role{Service, Replication, Public} {
		if len(v.failing(r)) > 0 {
			return ", and " + v.failures()
		}
	}
	return ""
}

// Advice says what to do, one step a line. There is none when all is well.
func (v Verdict) Advice() []string {
	const (
		ownChange = "Did we change the network configuration? Look at our own recent changes first."
		tickets   = "If not, open a ticket with each vendor, one for each end, and quote the lines above."
	)
	switch v.Cause {
	case RefusedBy:
		lines := []string{"Something at the far side answers, so look at the service before the VPN."}
		if !slices.ContainsFunc(v.refusing(), func(f Finding) bool { return !onlyAlive(f) }) {
			lines[0] = "The far side is alive and does not answer what it is asked: look at its firewall before the VPN."
		}
		if v.forbidden() {
			lines = append(lines, "Status 403 may mean that traffic leaves by another way than the VPN: check the route to the far side.")
		}
		return append(lines, ownChange, tickets)
	case NearDown:
		return []string{"This machine does not reach our own gateway: look at our network before the VPN.", ownChange}
	case ResolverDown:
		return []string{"Nothing could be asked by name: look at the resolver, or give addresses in place of names."}
	case PeerDown:
		return []string{ownChange, tickets, "Begin with the vendor of the far end: its gateway is silent on the internet."}
	case TunnelDown, Down:
		return []string{ownChange, tickets}
	case Bypassed:
		return []string{"The far side is reached in the clear or by another way: look at the routes of this machine and at the state of the tunnel.", ownChange, tickets}
	case BlackHole:
		return append(v.mendMTU(), ownChange, tickets)
	case Degraded:
		return []string{"The tunnel passes traffic, but badly: compare with the near and peer lines above.", ownChange, tickets}
	case Partial:
		return []string{"The tunnel passes traffic: look at the machines named, and for a whole group at its route, firewall or subnet."}
	case ServiceDown:
		return []string{"The tunnel passes traffic: look at the services named."}
	}
	return nil
}

func (v Verdict) forbidden() bool {
	return slices.ContainsFunc(v.refusing(), func(f Finding) bool {
		var status *probe.StatusError
		return errors.As(f.Result.Reason(), &status) && status.Code == http.StatusForbidden
	})
}
