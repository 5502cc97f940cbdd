package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"checkvpn/pkg/hours"
	"checkvpn/pkg/vpn"
)

// printNagios prints the objects of Nagios, and of Icinga 1. What does not depend
// on the site stands in vpn-templates.cfg and vpn-commands.cfg.
func printNagios(b *bytes.Buffer, s *site) {
	w := &cfg{b}
	w.comment(`What is monitored: made of `+s.file+` by
  check-vpn-generate nagios >vpn-tunnels.cfg
Edit that file, not this one.`, s.clock())
	w.contacts(s)
	w.periods(s)
	w.comment(`Where tunnels are asked. Nagios tells of no service on a host that is not UP, so
these are DOWN only when nobody can ask: pings may be filtered.`)
	for _, a := range s.askers {
		w.asker(s, a)
	}
	if len(s.gateways) > 0 {
		w.comment(`Near gateways that several tunnels share. Up when any of what they ask answers.`)
	}
	for _, g := range s.gateways {
		w.gateway(s, g)
	}
	for _, t := range s.tunnels {
		w.comment(t.title)
		w.tunnel(s, t)
	}
}

// nagiosRefuses says what of a site Nagios cannot have. Icinga 2 can.
func nagiosRefuses(s *site) error {
	var mistakes []error
	fail := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	zone, described := s.pageZone()
	services := map[string]bool{}
	for _, t := range s.tunnels {
		host, _ := t.where()
		for _, title := range []string{t.title, pageOf(t.title), clockOf(t)} {
			if services[host+" "+title] {
				fail("[monitoring %s]: title %s: there is another service %s on %s", t.name, t.title, title, host)
				break
			}
			services[host+" "+title] = true
		}
		if t.pages && t.zone != zone {
			fail("[monitoring %s]: hours in the zone %q, and those of %s in %q: Nagios has one clock", t.name, t.zone, described, zone)
		}
		if t.standby != nil && !s.isMade(t.standby) {
			fail("[monitoring %s]: runs-on %s: Nagios makes hosts only of what it asks here", t.name, t.standby.name)
		}
		for _, h := range t.hosts {
			whats := map[string]bool{}
			for _, p := range h.ports {
				if whats[objectName(p.what)] {
					fail("[%s]: replication of %s to %s stands twice", t.name, p.what, h.label)
				}
				whats[objectName(p.what)] = true
			}
		}
	}
	return errors.Join(mistakes...)
}

// pageZone is the time zone of the first tunnel that pages, and which that is.
func (s *site) pageZone() (zone, tunnel string) {
	for _, t := range s.tunnels {
		if t.pages {
			return t.zone, t.name
		}
	}
	return "", ""
}

// clock is what the daemon must be told of the time.
func (s *site) clock() string {
	if zone, _ := s.pageZone(); zone != "" {
		return "The hours are those of " + zone + ": nagios.cfg must have use_timezone=" + zone + "."
	}
	return ""
}

// isMade tells whether Nagios has an object for a host behind a tunnel.
func (s *site) isMade(h *host) bool {
	return slices.ContainsFunc(s.tunnels, func(t *tunnel) bool { return t.hasTree() && slices.Contains(t.hosts, h) })
}

// hasTree tells whether what is behind a tunnel is made: where it can be asked.
func (t *tunnel) hasTree() bool {
	return t.asker != nil && t.asker.asked == "here" && len(t.hosts) > 0
}

// where is the host that asks a tunnel, and its address.
func (t *tunnel) where() (host, address string) {
	if t.standby != nil {
		return t.standby.nagiosName(), t.standby.address
	}
	return t.asker.name, t.asker.address
}

// nagiosName is the name of a host behind a tunnel.
func (h *host) nagiosName() string {
	if h.isGate {
		return "vpn_gateway_" + h.name
	}
	return h.name
}

// settledName is the host between a parent and what is behind it.
func settledName(parent string) string { return "settled." + parent }

func (w *cfg) contacts(s *site) {
	w.comment(`Who is told: a contact for each address.`)
	known := map[string]bool{}
	add := func(template, key string, addresses []string) {
		for _, a := range addresses {
			if name := contact(template, a); !known[name] {
				known[name] = true
				w.define("contact", "use", template, "contact_name", name, key, a)
			}
		}
	}
	for _, a := range s.askers {
		add("vpn-mail", "email", a.notify)
	}
	for _, t := range s.tunnels {
		add("vpn-mail", "email", t.notify)
		if t.pages || len(t.resync) > 0 {
			add("vpn-pager", "pager", t.pager)
		}
	}
}

// contact is the name of that of an address, without what Nagios does not take.
func contact(template, address string) string {
	return template + " " + strings.Map(func(c rune) rune {
		if strings.ContainsRune("~%^*?()#", c) {
			return '_'
		}
		return c
	}, address)
}

// contacts are the names of several, for a list.
func contacts(template string, addresses ...[]string) string {
	var names []string
	for _, a := range slices.Concat(addresses...) {
		if name := contact(template, a); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// periods prints when the pager may ring, and when hosts are not stopped on purpose.
func (w *cfg) periods(s *site) {
	printed := map[string]bool{}
	for _, t := range s.tunnels {
		if name := outOfHours(s, t); t.pages && !printed[name] {
			if len(printed) == 0 {
				w.comment(`Nights, weekends and bank holidays: a date goes before a weekday.`)
			}
			printed[name] = true
			week := days(t.hours, false)
			for _, date := range t.holidays {
				week = append(week, date, "00:00-24:00")
			}
			w.define("timeperiod", append([]string{"timeperiod_name", name, "alias", "Out of office hours"}, week...)...)
		}
	}
}

// outOfHours is the name of a tunnel's period: one for all that have the same.
func outOfHours(s *site, t *tunnel) string {
	if fmt.Sprint(t.hours, t.holidays) == fmt.Sprint(s.hours, s.holidays) {
		return "vpn-out-of-hours"
	}
	return "vpn-out-of-hours " + t.name
}

// days are hours, or all others, as periods of Nagios have them: nights end at
// midnight there.
func days(h hours.Hours, within bool) (week []string) {
	const day = 24 * 60
	for weekday, name := range weekdays {
		include := func(minute int) bool {
			// 2 January 2000 was a Sunday.
			return minute < day && h.Include(time.Date(2000, 1, 2+weekday, 0, minute, 0, 0, time.UTC)) == within
		}
		var ranges []string
		from := -1
		for minute := range day + 1 {
			switch in := include(minute); {
			case in && from < 0:
				from = minute
			case !in && from >= 0:
				ranges = append(ranges, clockTime(from)+"-"+clockTime(minute))
				from = -1
			}
		}
		week = append(week, name, strings.Join(ranges, ","))
	}
	return week
}

func (w *cfg) asker(s *site, a *asker) {
	check := "vpn_here"
	if a.asked != "here" {
		check = "vpn_nrpe_alive"
	}
	w.define("host", "use", "vpn-host", "host_name", a.name, "alias", "Monitoring host "+a.name, "address", a.address,
		"check_command", check, "max_check_attempts", strconv.Itoa(s.hostAttempts),
		"check_interval", minutes(s.hostCheck), "retry_interval", minutes(s.hostRetry), "contacts", contacts("vpn-mail", a.notify))
}

// often are the intervals of what others lie behind: it is the first to know.
func often(t *tunnel) []string {
	return []string{"check_interval", minutes(t.hostCheck / 3), "retry_interval", minutes(t.hostRetry / 3)}
}

func (w *cfg) gateway(s *site, g *gateway) {
	first := g.tunnels[0]
	asker := first.asker
	check := "vpn_gateway_host!" + first.plugin + "!" + strings.Join(g.args(), " ")
	if asker.asked != "here" {
		check = nrpeCommand(asker.address, nrpe(g.name)+"_host")
	}
	var notify, pager [][]string
	var tunnels, dependent []string
	period := ""
	for _, t := range g.tunnels {
		notify = append(notify, t.notify)
		tunnels = append(tunnels, t.name)
		dependent = append(dependent, t.title)
		if t.pages {
			pager = append(pager, t.pager)
			period = outOfHours(s, t)
			dependent = append(dependent, pageOf(t.title))
		}
	}
	mail := contacts("vpn-mail", notify...)
	w.define("host", slices.Concat([]string{"use", "vpn-gateway", "host_name", g.name, "alias", "Gateway " + g.name, "address", g.address,
		"parents", asker.name, "check_command", check}, often(first), []string{"first_notification_delay", minutes(first.hostCheck), "contacts", mail,
		"notes", "The near gateway of " + strings.Join(tunnels, ", ") + ". While it is down they carry nothing, and tell nobody.", "notes_url", first.notesURL})...)
	settled := "settled: gateway " + g.name
	w.define("service", "use", "vpn-settled-service", "host_name", asker.name, "service_description", settled,
		"check_command", settledCommand(g.name, first.settled), "contacts", mail)
	w.define("servicedependency", "host_name", asker.name, "service_description", settled,
		"dependent_host_name", asker.name, "dependent_service_description", strings.Join(dependent, ","),
		"execution_failure_criteria", "n", "notification_failure_criteria", "w,u,c")
	if len(pager) > 0 {
		w.define("service", "use", "vpn-page", "host_name", asker.name, "service_description", pageOf("gateway "+g.name),
			"check_command", "vpn_mirror_host!$HOSTSTATEID:"+g.name+"$!$HOSTOUTPUT:"+g.name+"$",
			"first_notification_delay", minutes(first.hostCheck),
			"contacts", contacts("vpn-pager", pager...), "notification_period", period, "notes_url", first.notesURL)
	}
}

// pageOf is the name of the service that pages for another.
func pageOf(title string) string { return "page: " + title }

func nrpeCommand(address, command string) string { return "vpn_nrpe!" + address + "!" + command }

func settledCommand(parent string, settled time.Duration) string {
	return fmt.Sprintf("vpn_settled!$HOSTSTATEID:%s$!$HOSTDURATIONSEC:%[1]s$!%d", parent, int(settled.Seconds()))
}

// what a tunnel that is down means for people.
var meaning = map[string]string{
	"office":    "Down in office hours: little is lost. Out of hours: responders at home reach only one of monitoring or vCloud Director.",
	"dr":        "Down: DR hosts appear unreachable and data replication pauses. Ask first whether we changed the network, then open a ticket with each vendor.",
	"licensing": "Down: Licensing hosts appear unreachable. Applying for a licence goes on over the internet. Ask first whether we changed the network, then open a ticket with each vendor.",
}

func (w *cfg) tunnel(s *site, t *tunnel) {
	host, address := t.where()
	local := t.asker != nil && t.asker.asked == "here"
	check, hostCheck := "vpn!"+t.plugin+"!"+t.name, "vpn_host!"+t.plugin+"!"+t.name
	switch {
	case !local:
		check, hostCheck = nrpeCommand(address, nrpe(t.name)), nrpeCommand(address, nrpe(t.name)+"_host")
	case t.hasTree() && t.apart(): // each host tells by itself, and so does replication to it
		check += "!--partial=OK --without=replication"
	case t.hasTree():
		check += "!--partial=OK"
	}
	notes := meaning[t.plugin]
	if t.owner != "" {
		notes += " Owner: " + t.owner + "."
	}
	mail := contacts("vpn-mail", t.notify)
	// Counted from the last good check, so that it has lasted since the first bad one.
	delay := minutes(t.check + t.lasts)
	w.define("service", "use", "vpn-service", "host_name", host, "service_description", t.title, "check_command", check,
		"max_check_attempts", strconv.Itoa(t.attempts), "check_interval", minutes(t.check), "retry_interval", minutes(t.retry),
		"first_notification_delay", delay, "contacts", mail, "notes", notes, "notes_url", t.notesURL)
	if t.pages {
		soft := t.check + time.Duration(t.attempts)*t.retry // the tunnel's own state is hard by then
		w.define("service", "use", "vpn-page", "host_name", host, "service_description", pageOf(t.title),
			"check_command", fmt.Sprintf("vpn_mirror!$SERVICESTATEID:%s:%s$!$SERVICEOUTPUT:%[1]s:%[2]s$", host, t.title),
			"first_notification_delay", minutes(max(t.check+t.lasts, soft)),
			"contacts", contacts("vpn-pager", t.pager), "notification_period", outOfHours(s, t), "notes_url", t.notesURL)
	}
	if t.hasTree() || len(t.resync) > 0 {
		parent := host
		if t.gateway != nil {
			parent = t.gateway.name
		}
		w.define("host", slices.Concat([]string{"use", "vpn-tunnel", "host_name", t.name, "alias", t.title, "address", t.peer(),
			"parents", parent, "check_command", hostCheck}, often(t), []string{"contacts", mail, "notes_url", t.notesURL})...)
	}
	if len(t.resync) > 0 {
		w.resync(t, host, mail)
	}
	if t.hasTree() {
		w.behind(t, mail)
	}
}

// peer is the address of a tunnel's host, which is only shown.
func (t *tunnel) peer() string {
	for _, target := range t.targets {
		if target.Role == vpn.Peer.Name {
			if e, err := vpn.ParseEndpoint(target.URL); err == nil {
				return e.Host
			}
		}
	}
	return ""
}

// clockOf is the name of the service that is the clock of an outage.
func clockOf(t *tunnel) string { return "replication over " + t.name }

// resync prints the clock of an outage, which tells when three quarters of the
// shortest time have passed.
func (w *cfg) resync(t *tunnel, host, mail string) {
	shortest := slices.MinFunc(t.resync, func(a, b resync) int { return int(a.after - b.after) })
	var kinds []string
	for _, r := range t.resync {
		kinds = append(kinds, r.what+" after "+seconds(r.after))
	}
	to := mail
	if len(t.pager) > 0 {
		to += "," + contacts("vpn-pager", t.pager)
	}
	w.define("service", "use", "vpn-resync", "host_name", host, "service_description", clockOf(t),
		"check_command", fmt.Sprintf("vpn_resync!$HOSTSTATEID:%s$!$SERVICESTATEID:%s:%s$!%[1]s!%[4]s!%[5]d",
			t.name, host, t.title, shortest.what, int(shortest.after.Seconds())),
		"check_interval", minutes(t.check), "retry_interval", minutes(t.check),
		"first_notification_delay", minutes(shortest.after/4*3), "contacts", to,
		"notes", "A standby needs a full copy of the data when the VPN is down for too long: "+strings.Join(kinds, ", ")+". Tell the owners of the databases.",
		"notes_url", t.notesURL)
}

// behind prints the hosts behind a tunnel, and the replication to them.
func (w *cfg) behind(t *tunnel, mail string) {
	settled := func(parent string) {
		w.define("host", "use", "vpn-settled", "host_name", settledName(parent), "alias", parent+", up for "+seconds(t.settled),
			"parents", parent, "check_command", settledCommand(parent, t.settled), "contacts", mail)
	}
	settled(t.name)
	for _, h := range t.hosts {
		template, alias, parent, delay, period := "vpn-host", objectName(h.label)+" of "+t.name, t.name, "", ""
		intervals := []string{"check_interval", minutes(t.hostCheck), "retry_interval", minutes(t.hostRetry), "max_check_attempts", strconv.Itoa(t.hostAttempts)}
		if h.isGate {
			// It may be seen down before the tunnel is.
			template, alias, intervals, delay = "vpn-gateway", "Gateway "+alias, often(t), minutes(t.hostCheck)
		}
		if h.gate != nil {
			parent = h.gate.nagiosName()
		}
		check := "vpn_ping"
		if h.port != 0 {
			check = fmt.Sprintf("vpn_tcp!%d", h.port)
		}
		if len(h.downtime) > 0 {
			period = "vpn-not-stopped " + h.name
			w.define("timeperiod", append([]string{"timeperiod_name", period, "alias", alias + ": not stopped on purpose"}, days(h.downtime, false)...)...)
		}
		name := h.nagiosName()
		w.define("host", slices.Concat([]string{"use", template, "host_name", name, "alias", alias, "address", h.address,
			"parents", settledName(parent), "check_command", check}, intervals,
			[]string{"first_notification_delay", delay, "contacts", mail, "notification_period", period, "notes_url", t.notesURL})...)
		if slices.ContainsFunc(t.hosts, func(other *host) bool { return other.gate == h }) {
			settled(name)
		}
		for _, p := range h.ports {
			w.define("service", "use", "vpn-replication", "host_name", name, "service_description", objectName(p.what)+" replication to "+h.name,
				"check_command", fmt.Sprintf("vpn_tcp!%d", p.number), "max_check_attempts", strconv.Itoa(t.hostAttempts+3),
				"check_interval", minutes(t.hostCheck), "retry_interval", minutes(t.hostRetry),
				"contacts", mail, "notification_period", period, "notes_url", t.notesURL)
		}
	}
}

// minutes is a duration in Nagios' unit, rounded up to a thousandth.
func minutes(d time.Duration) string {
	thousandths := (d*1000 + time.Minute - 1) / time.Minute
	return strconv.FormatFloat(float64(thousandths)/1000, 'f', -1, 64)
}

// cfg prints Nagios' object configuration.
type cfg struct{ b *bytes.Buffer }

// comment prints paragraphs, and an empty line.
func (w *cfg) comment(paragraphs ...string) {
	for _, text := range paragraphs {
		for line := range strings.Lines(text) {
			fmt.Fprintf(w.b, "# %s\n", strings.TrimRight(line, "\n"))
		}
	}
	w.b.WriteString("\n")
}

// define prints an object of keys and values; a key without a value is left out.
func (w *cfg) define(kind string, pairs ...string) {
	width := 0
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			width = max(width, len(pair[0]))
		}
	}
	fmt.Fprintf(w.b, "define %s {\n", kind)
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			fmt.Fprintf(w.b, "    %-*s  %s\n", width, pair[0], pair[1])
		}
	}
	w.b.WriteString("}\n\n")
}
