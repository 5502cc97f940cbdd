package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"checkvpn/pkg/hours"
)

// printIcinga prints three lists that vpn-tree.conf makes objects of. A setting
// of all tunnels stands in VpnDefaults, and in a tunnel where it differs.
func printIcinga(b *bytes.Buffer, s *site) {
	w := &dsl{b: b}
	fmt.Fprintf(b, `/* What is monitored: made of %s by
 *   check-vpn-generate icinga >vpn-tunnels.conf
 * Edit that file, not this one; or keep this one, and never make it again.
 * vpn-tree.conf makes the objects, and refuses what it does not know.
 */

`, s.file)
	w.begin("const VpnDefaults = {")
	w.settings(builtIn(), s.settings, true)
	w.end("}\n")
	w.begin("/* Where tunnels are asked. */\nconst VpnHosts = [")
	for _, a := range s.askers {
		w.line(dictionary([]string{"name = " + quote(a.name), address(a.address), "asked = " + quote(a.asked), "notify = " + literal(a.notify)}) + ",")
	}
	w.end("]\n")
	w.begin("/* Near gateways that several tunnels share. Up when any of these answers. */\nconst VpnGateways = [")
	for _, g := range s.gateways {
		w.begin("{")
		w.value("name", g.name)
		w.value("title", "Gateway "+g.name)
		w.line(address(g.address))
		w.value("runs_on", g.tunnels[0].asker.name)
		w.value("plugin", g.tunnels[0].plugin)
		w.begin("vars = {")
		w.value("vpn_host_far", g.far())
		w.value("vpn_host_title", gatewayTitle(g))
		w.value("vpn_host_impact", gatewayImpact)
		w.value("vpn_host_partial", "OK")
		for _, option := range slices.Sorted(maps.Keys(g.tunnels[0].way())) {
			if value := g.tunnels[0].way()[option]; value != "" {
				w.value("vpn_host_"+option, value)
			} else {
				w.value("vpn_host_"+option, true)
			}
		}
		w.end("}")
		w.value("nrpe_command", nrpe(g.name)+"_host")
		w.end("},")
	}
	w.end("]\n")
	w.begin("const VpnTunnels = [")
	for _, t := range s.tunnels {
		w.tunnel(s, t)
	}
	w.end("]\n")
	fmt.Fprint(b, `
/* In whatever order the files are loaded, the last makes it. */
if (globals.contains("VpnOptions") && globals.contains("VpnMake")) {
  VpnMake()
}
`)
}

const gatewayImpact = "The VPNs behind it carry nothing"

// gatewayTitle is that of the check of a gateway, as short as the plugins take it.
func gatewayTitle(g *gateway) string {
	title := "gateway " + g.title
	return title[:min(len(title), 30)]
}

func (w *dsl) tunnel(s *site, t *tunnel) {
	w.begin("{")
	w.value("name", t.name)
	w.value("title", t.title)
	w.value("plugin", t.plugin)
	w.value("runs_on", t.runsOn)
	if t.gateway != nil {
		w.value("gateway", t.gateway.name)
	}
	w.line("vars = " + dictionary([]string{"vpn_extra_opts = " + quote(t.name)}))
	w.value("nrpe_command", nrpe(t.name))
	w.settings(s.settings, t.settings, false)
	if len(t.hosts) > 0 {
		w.begin("hosts = [")
		for _, h := range t.hosts {
			w.host(h)
		}
		w.end("]")
	}
	w.end("},")
}

func (w *dsl) host(h *host) {
	d := []string{"name = " + quote(h.name), address(h.address)}
	if h.isGate {
		d = append(d, "gate = true")
	}
	if h.gate != nil {
		d = append(d, "behind = "+quote(h.gate.name))
	}
	if h.port != 0 {
		d = append(d, fmt.Sprintf("port = %d", h.port))
	}
	if len(h.ports) > 0 {
		var ports []string
		for _, p := range h.ports {
			ports = append(ports, fmt.Sprintf("%s = %d", quote(p.what), p.number))
		}
		d = append(d, "replication = "+dictionary(ports))
	}
	if len(h.downtime) > 0 {
		d = append(d, "downtime = "+dictionary(ranges(h.downtime)))
	}
	w.line(dictionary(d) + ",")
}

// settings prints what differs, or all.
func (w *dsl) settings(from, s settings, all bool) {
	set := func(name string, old, value any) {
		if all || fmt.Sprint(old) != fmt.Sprint(value) {
			w.value(name, value)
		}
	}
	set("notify", from.notify, s.notify)
	set("pager", from.pager, s.pager)
	set("pages", from.pages, s.pages)
	if all || fmt.Sprint(from.hours, from.zone) != fmt.Sprint(s.hours, s.zone) {
		w.line("hours = " + dictionary(ranges(s.hours)))
		w.value("zone", s.zone)
		w.value("clock", clock(s.zone))
	}
	set("holidays", from.holidays, s.holidays)
	set("owner", from.owner, s.owner)
	set("notes_url", from.notesURL, s.notesURL)
	set("check", from.check, s.check)
	set("retry", from.retry, s.retry)
	set("attempts", from.attempts, s.attempts)
	set("lasts", from.lasts, s.lasts)
	set("host_check", from.hostCheck, s.hostCheck)
	set("host_retry", from.hostRetry, s.hostRetry)
	set("host_attempts", from.hostAttempts, s.hostAttempts)
	set("settled", from.settled, s.settled)
	if all || fmt.Sprint(from.resync) != fmt.Sprint(s.resync) {
		var kinds []string
		for _, r := range s.resync {
			kinds = append(kinds, quote(r.what)+" = "+seconds(r.after))
		}
		w.line("resync = " + dictionary(kinds))
	}
}

// clock is the time of day in a zone at two moments, of a winter and of a summer:
// whether the daemon's own clock shows the same.
func clock(zone string) []string {
	if zone == "" {
		return nil
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		panic(err) // it was loaded before
	}
	var shown []string
	for _, moment := range []int64{winter, summer} {
		shown = append(shown, time.Unix(moment, 0).In(location).Format("15:04"))
	}
	return shown
}

// Noon UTC of 15 January and of 15 July 2026: as in vpn-tree.conf.
const (
	winter = 1768478400
	summer = 1784116800
)

// dsl prints Icinga's configuration language.
type dsl struct {
	b     *bytes.Buffer
	depth int
}

func (w *dsl) line(text string) {
	fmt.Fprintf(w.b, "%s%s\n", strings.Repeat("  ", w.depth), text)
}

func (w *dsl) begin(text string) {
	for line := range strings.Lines(text) {
		w.line(strings.TrimRight(line, "\n"))
	}
	w.depth++
}

func (w *dsl) end(text string) {
	w.depth--
	w.line(strings.TrimSuffix(text, "\n"))
	if strings.HasSuffix(text, "\n") {
		w.b.WriteString("\n")
	}
}

func (w *dsl) value(key string, value any) {
	w.line(key + " = " + literal(value))
}

func address(address string) string {
	if isIPv6(address) {
		return "address6 = " + quote(address)
	}
	return "address = " + quote(address)
}

// dictionary is one in a line.
func dictionary(entries []string) string {
	return strings.ReplaceAll("{ "+strings.Join(entries, ", ")+" }", "{  }", "{ }")
}

// ranges are hours as Icinga's time periods have them. A night that ends on the
// next day is one range there.
func ranges(h hours.Hours) (days []string) {
	for day, spans := range byDay(h) {
		var texts []string
		for _, s := range spans {
			texts = append(texts, clockTime(s.From)+"-"+clockTime(s.To))
		}
		if len(texts) > 0 {
			days = append(days, weekdays[day]+" = "+quote(strings.Join(texts, ",")))
		}
	}
	return days
}

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// byDay sorts hours by the day on which they begin.
func byDay(h hours.Hours) (days [7][]hours.Span) {
	for _, s := range h {
		for day, on := range s.Days {
			if on {
				days[day] = append(days[day], s)
			}
		}
	}
	return days
}

// clockTime is a minute as HH:MM; one of the next day as that of its clock.
func clockTime(minute int) string {
	if minute > 24*60 {
		minute -= 24 * 60
	}
	return fmt.Sprintf("%02d:%02d", minute/60, minute%60)
}

func literal(value any) string {
	switch v := value.(type) {
	case string:
		return quote(v)
	case bool, int:
		return fmt.Sprint(v)
	case time.Duration:
		return seconds(v)
	case []string:
		var items []string
		for _, item := range v {
			items = append(items, quote(item))
		}
		return strings.TrimSpace("[ " + strings.Join(items, ", ") + " ]")
	}
	panic(fmt.Sprintf("no literal for %T", value))
}

// seconds is a duration in the largest unit that divides it.
func seconds(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d%unit.length == 0 {
			return strconv.Itoa(int(d/unit.length)) + unit.name
		}
	}
	return strconv.Itoa(int(d/time.Second)) + "s"
}

// quote makes a string of text; what text may have, isPlain and its like say.
func quote(text string) string { return strconv.Quote(text) }
