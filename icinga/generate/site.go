package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"checkvpn/pkg/hours"
	"checkvpn/pkg/plugin"
	"checkvpn/pkg/vpn"
)

// site is all that a file describes.
type site struct {
	file     string // its name, without folders
	plugins  string // where they are installed
	settings        // of all tunnels
	askers   []*asker
	gateways []*gateway
	tunnels  []*tunnel
}

// asker is a host from which tunnels are asked.
type asker struct {
	name, address string
	asked         string // here, where the daemon runs; as an endpoint of Icinga's; or by nrpe
	notify        []string
}

// gateway is a near gateway that several tunnels share: their common parent.
type gateway struct {
	name    string // NAME.ASKER
	title   string
	address string
	url     string
	tunnels []*tunnel
}

// tunnel is a section of options, and how it is monitored.
type tunnel struct {
	name string
	settings
	options map[string][]string // of its section, as they stand there
	targets []vpn.RecordedTarget

	asker   *asker
	standby *host    // a host behind another tunnel that asks, in place of an asker
	gateway *gateway // nil if its near gateway is not shared
	hosts   []*host  // behind it, gates before what is behind them
}

// host is a host behind a tunnel, or the gate of a group of them.
type host struct {
	name, address string
	label         string // NAME of the far target
	gate          *host  // what it lies behind; nil for the tunnel
	isGate        bool
	port          uint16 // what answers for it; 0 for an echo reply
	ports         []port
	downtime      hours.Hours // when it is stopped on purpose
}

// port is one to which data is replicated.
type port struct {
	what   string
	number uint16
}

// apart tells whether replication is asked by services of the hosts.
func (t *tunnel) apart() bool {
	return slices.ContainsFunc(t.hosts, func(h *host) bool { return len(h.ports) > 0 })
}

// readSite reads and checks a file. Its error has a line for each mistake.
func readSite(file, plugins string) (*site, error) {
	ini, err := plugin.ReadINI(file)
	if err != nil {
		return nil, fmt.Errorf("the file %w", err)
	}
	r := &reader{site: &site{file: filepath.Base(file), plugins: installed[0], settings: builtIn()}, options: map[string]map[string][]string{}}
	if slices.Contains(installed, plugins) {
		r.plugins = plugins
	}
	if err := ini.Lines(r.line); err != nil {
		r.fail("%w", err)
	}
	r.join()
	if len(r.mistakes) == 0 {
		r.plan(file, plugins)
	}
	for _, step := range []func(){r.makeHosts, r.makeGateways, r.unique} {
		if len(r.mistakes) == 0 {
			step()
		}
	}
	return r.site, errors.Join(r.mistakes...)
}

// reader makes a site of lines.
type reader struct {
	*site
	order    []string                       // of the sections
	options  map[string]map[string][]string // of each section for plugins
	sections []section                      // that are not for plugins
	mistakes []error
}

// section has keys in the order of the file.
type section struct {
	name, kind, of string
	lines          []plugin.Line
}

func (r *reader) fail(format string, args ...any) {
	r.mistakes = append(r.mistakes, fmt.Errorf(format, args...))
}

// line sorts a line into its section. Sections are read when all are known.
func (r *reader) line(l plugin.Line) error {
	kind, of, ours := plugin.Monitoring(l.Section)
	begins := l.Key == "" && !l.HasValue
	switch {
	case begins && slices.Contains(r.order, l.Section):
		r.fail("line %d: [%s] stands twice", l.Number, l.Section)
	case begins && !ours && isName(l.Section) != nil:
		r.fail("line %d: [%s]: %w", l.Number, l.Section, isName(l.Section))
	case begins && ours:
		r.sections = append(r.sections, section{name: l.Section, kind: kind, of: of})
	case begins:
		r.options[l.Section] = map[string][]string{}
	case l.Section == "":
		r.fail("line %d: %s stands before the first section", l.Number, l.Key)
		return nil
	case ours:
		for i := range r.sections {
			if r.sections[i].name == l.Section {
				r.sections[i].lines = append(r.sections[i].lines, l)
			}
		}
	case r.options[l.Section] != nil:
		r.options[l.Section][l.Key] = append(r.options[l.Section][l.Key], l.Value)
	}
	if begins {
		r.order = append(r.order, l.Section)
	}
	return nil
}

// join reads the sections that are not for plugins, defaults first.
func (r *reader) join() {
	for _, s := range r.sections {
		if s.kind == "monitoring" && s.of == "" {
			r.set(&r.settings, s, true)
		}
	}
	for _, s := range r.sections {
		if s.kind == "host" {
			r.host(s)
		}
	}
	for _, s := range r.sections {
		if s.kind == "monitoring" && s.of != "" {
			r.tunnel(s)
		}
	}
	for _, name := range r.order {
		if r.options[name] == nil || slices.ContainsFunc(r.tunnels, func(t *tunnel) bool { return t.name == name }) {
			continue
		}
		if guess := plugin.Nearest(strings.TrimSpace(name), []string{"monitoring"}); guess != "" {
			r.fail("[%s] is no section of a plugin, did you mean [%s]", name, guess)
			continue
		}
		r.fail("[%s] has no section [monitoring %s]: nobody would watch it", name, name)
	}
	if len(r.tunnels) == 0 && len(r.mistakes) == 0 {
		r.fail("no section [monitoring NAME]: nothing is to be watched")
	}
}

// set reads keys into settings.
func (r *reader) set(to *settings, s section, defaults bool) {
	seen := map[string]bool{}
	for _, l := range s.lines {
		k, known := keys[l.Key]
		switch {
		case !known:
			names := slices.Sorted(maps.Keys(keys))
			slices.Reverse(names) // of two that are as near, pages before pager: an s is soon lost
			r.unknown(s.name, l.Key, names)
			continue
		case defaults && k.oneTunnel:
			r.fail("[%s]: %s belongs into the section of one tunnel", s.name, l.Key)
			continue
		case seen[l.Key] && !k.repeats:
			r.fail("[%s]: %s stands twice", s.name, l.Key)
			continue
		case !seen[l.Key]:
			to.forget(l.Key)
		}
		seen[l.Key] = true
		if err := k.set(to, l.Value); err != nil {
			r.fail("[%s]: bad value %s for %s: %w", s.name, cmp.Or(l.Value, "(empty)"), l.Key, err)
		}
	}
}

func (r *reader) unknown(section, key string, names []string) {
	guess := ""
	if near := plugin.Nearest(key, names); near != "" {
		guess = ", did you mean " + near
	}
	r.fail("[%s]: unknown key %s%s", section, key, guess)
}

// host reads a section [host NAME].
func (r *reader) host(s section) {
	a := &asker{name: s.of, notify: r.notify}
	if err := isName(a.name); err != nil {
		r.fail("[%s]: %w", s.name, err)
	}
	values := map[string]string{}
	for _, l := range s.lines {
		if _, twice := values[l.Key]; twice {
			r.fail("[%s]: %s stands twice", s.name, l.Key)
		}
		values[l.Key] = l.Value
		switch l.Key {
		case "address":
			a.address = l.Value
		case "asked":
			if err := oneOf(&a.asked, l.Value, "here", "endpoint", "nrpe"); err != nil {
				r.fail("[%s]: bad value %s for asked: %w", s.name, l.Value, err)
			}
		case "notify":
			if err := addresses(&a.notify, l.Value); err != nil {
				r.fail("[%s]: bad value %s for notify: %w", s.name, l.Value, err)
			}
		default:
			r.unknown(s.name, l.Key, []string{"address", "asked", "notify"})
		}
	}
	for _, key := range []string{"address", "asked"} {
		if _, given := values[key]; !given {
			r.fail("[%s]: no key %s", s.name, key)
		}
	}
	if e, err := vpn.ParseEndpoint(a.address); a.address != "" && (err != nil || e.Scheme != vpn.ICMP || strings.Contains(a.address, "://")) {
		r.fail("[%s]: bad value %s for address: want the address or the name of a host", s.name, a.address)
	}
	r.askers = append(r.askers, a)
}

// tunnel reads a section [monitoring NAME].
func (r *reader) tunnel(s section) {
	t := &tunnel{name: s.of, settings: r.settings, options: r.options[s.of]}
	t.title = "VPN " + t.name
	if t.options == nil {
		guess := ""
		if near := plugin.Nearest(t.name, slices.Collect(maps.Keys(r.options))); near != "" {
			guess = ", did you mean [monitoring " + near + "]"
		}
		r.fail("[%s]: there is no section [%s] with the options of its plugin%s", s.name, s.of, guess)
		return
	}
	r.set(&t.settings, s, false)
	switch {
	case t.plugin == "":
		r.fail("[%s]: no key plugin: want office, dr or licensing", s.name)
	case t.pages && len(t.pager) == 0:
		r.fail("[%s]: pages = yes, and there is no pager", s.name)
	case t.runsOn == "":
		r.fail("[%s]: no key runs-on: the host from which the tunnel is asked", s.name)
	}
	r.tunnels = append(r.tunnels, t)
}

// plan has each plugin check its section, and say what it asks.
func (r *reader) plan(file, plugins string) {
	for _, t := range r.tunnels {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		out, err := exec.CommandContext(ctx, filepath.Join(plugins, "check_vpn_"+t.plugin), "--extra-opts="+t.name+"@"+file, "-o", "plan").Output()
		cancel()
		var header vpn.Header
		line, rest, _ := bytes.Cut(out, []byte("\n"))
		if json.Unmarshal(line, &header) != nil || header.Format != vpn.Format {
			said, cut := strings.CutSuffix(strings.TrimPrefix(string(line), "UNKNOWN: "), "...")
			if cut { // the next line has all of it
				line, _, _ = bytes.Cut(rest, []byte("\n"))
				said = string(line)
			}
			said = strings.TrimSuffix(said, ", in ["+t.name+"] of "+file)
			r.fail("[%s]: %s", t.name, cmp.Or(said, fmt.Sprint(err)))
			continue
		}
		t.targets = header.Targets
	}
}

// makeHosts makes the hosts behind each tunnel, and says from where it is asked.
func (r *reader) makeHosts() {
	for _, t := range r.tunnels {
		if i := slices.IndexFunc(r.askers, func(a *asker) bool { return a.name == t.runsOn }); i >= 0 {
			t.asker = r.askers[i]
			if t.settings.hosts {
				r.behind(t)
			}
		}
		for _, d := range t.downtime {
			for _, name := range d.hosts {
				i := slices.IndexFunc(t.hosts, func(h *host) bool { return h.label == name })
				if i < 0 {
					r.fail("[monitoring %s]: downtime of %s: there is no such host behind it", t.name, name)
					continue
				}
				t.hosts[i].downtime = append(t.hosts[i].downtime, d.hours...)
			}
		}
	}
	var names []string
	for _, a := range r.askers {
		names = append(names, a.name)
	}
	for _, t := range r.tunnels {
		for _, h := range t.hosts {
			names = append(names, h.name)
		}
	}
	for _, t := range r.tunnels {
		if t.asker != nil {
			continue
		}
		if t.standby = r.standby(t.runsOn); t.standby == nil {
			guess := ""
			if near := plugin.Nearest(t.runsOn, names); near != "" {
				guess = ", did you mean " + near
			}
			r.fail("[monitoring %s]: runs-on %s is neither a section [host %s] nor a host behind a tunnel%s", t.name, t.runsOn, t.runsOn, guess)
		}
	}
}

// standby is a host behind a tunnel, by its name.
func (r *reader) standby(name string) *host {
	for _, t := range r.tunnels {
		for _, h := range t.hosts {
			if h.name == name {
				return h
			}
		}
	}
	return nil
}

// behind makes hosts of a tunnel's far targets. A target whose name is its group
// is the gate of that group.
func (r *reader) behind(t *tunnel) {
	gates := map[string]*host{}
	var groups []string
	for _, target := range t.targets {
		if target.Role == vpn.Far.Name && target.Name == target.Group && target.Group != "" {
			h := r.newHost(t, target)
			h.isGate = true
			gates[target.Group] = h
			groups = append(groups, target.Group)
			t.hosts = append(t.hosts, h)
		}
	}
	for _, target := range t.targets {
		if target.Role != vpn.Far.Name || target.Name == target.Group && target.Group != "" {
			continue
		}
		h := r.newHost(t, target)
		if h.gate = gates[target.Group]; h.gate == nil && target.Group != "" {
			if near := plugin.Nearest(target.Group, groups); near != "" {
				r.fail("[%s]: the group %s of %s has no gate, did you mean %s", t.name, target.Group, target.Name, near)
			}
		}
		t.hosts = append(t.hosts, h)
	}
	r.replication(t)
}

// unique refuses two objects of one name.
func (r *reader) unique() {
	seen := map[string]bool{}
	name := func(name string) {
		if seen[name] {
			r.fail("two hosts would have the name %s: give one of them another", name)
		}
		seen[name] = true
	}
	for _, a := range r.askers {
		name(a.name)
	}
	for _, g := range r.gateways {
		name(g.name)
	}
	for _, t := range r.tunnels {
		name(t.name)
		for _, h := range t.hosts {
			name(h.name)
		}
	}
}

func (r *reader) newHost(t *tunnel, target vpn.RecordedTarget) *host {
	e, err := vpn.ParseEndpoint(target.URL)
	if err != nil {
		r.fail("[%s]: %s: %w", t.name, target.URL, err)
	}
	h := &host{label: cmp.Or(target.Name, e.Host), address: e.Host}
	if e.Scheme != vpn.ICMP && e.Scheme != vpn.IKE {
		h.port = e.Port
	}
	h.name = objectName(h.label) + "." + t.name
	return h
}

// objectName is a label without what neither daemon takes in a name.
func objectName(label string) string {
	return strings.Trim(strings.Map(func(c rune) rune {
		if isName("x"+string(c)) != nil {
			return '_'
		}
		return c
	}, label), "_")
}

// replication makes ports of hosts of the replication targets: of all of them,
// or of none if one belongs to no host.
func (r *reader) replication(t *tunnel) {
	ports := map[*host][]port{}
	for _, target := range t.targets {
		if target.Role != "replication" {
			continue
		}
		e, err := vpn.ParseEndpoint(target.URL)
		i := slices.IndexFunc(t.hosts, func(h *host) bool { return h.address == e.Host })
		for n, h := range t.hosts {
			if strings.HasPrefix(target.Name, h.label+".") && n != i {
				r.fail("[%s]: replication %s is named after the host %s, and has another address", t.name, target.Name, h.label)
			}
		}
		if err != nil || e.Scheme != vpn.TCP || i < 0 {
			return
		}
		what := strings.TrimPrefix(target.Name, t.hosts[i].label+".")
		ports[t.hosts[i]] = append(ports[t.hosts[i]], port{cmp.Or(what, fmt.Sprint(e.Port)), e.Port})
	}
	for h, list := range ports {
		h.ports = list
	}
}

// makeGateways finds the near gateways that are the only ones of several tunnels
// from one asker.
func (r *reader) makeGateways() {
	for _, t := range r.tunnels {
		var near []vpn.RecordedTarget
		for _, target := range t.targets {
			if target.Role == vpn.Near.Name {
				near = append(near, target)
			}
		}
		if t.asker == nil || len(near) != 1 {
			continue
		}
		i := slices.IndexFunc(r.gateways, func(g *gateway) bool { return g.url == near[0].URL && g.tunnels[0].asker == t.asker })
		if j := slices.IndexFunc(r.gateways, func(g *gateway) bool { return g.title == near[0].Name && g.tunnels[0].asker == t.asker }); j >= 0 && i != j {
			r.fail("[%s]: near %s is %s, and in [%s] it is %s", t.name, near[0].Name, near[0].URL, r.gateways[j].tunnels[0].name, r.gateways[j].url)
		}
		if i < 0 {
			e, err := vpn.ParseEndpoint(near[0].URL)
			if err != nil {
				r.fail("[%s]: %s: %w", t.name, near[0].URL, err)
				continue
			}
			i = len(r.gateways)
			label := cmp.Or(near[0].Name, e.Host)
			r.gateways = append(r.gateways, &gateway{name: objectName(label) + "." + t.asker.name, title: label, address: e.Host, url: near[0].URL})
		}
		r.gateways[i].tunnels = append(r.gateways[i].tunnels, t)
	}
	r.gateways = slices.DeleteFunc(r.gateways, func(g *gateway) bool { return len(g.tunnels) < 2 })
	for _, g := range r.gateways {
		for _, t := range g.tunnels {
			t.gateway = g
		}
		// They stand in command lines of NRPE and Nagios.
		for option, value := range g.tunnels[0].way() {
			if err := matches(value, `[\w.:@%/-]*`, "letters, digits and any of . : @ % / - _"); err != nil {
				r.fail("[%s]: bad value %s for %s: %w", g.tunnels[0].name, value, option, err)
			}
		}
	}
}

// far are what the check of a shared near gateway asks: the gateway, and some of
// what lies behind the tunnels. It is up when any of these answers, so that a
// gateway that drops pings does not silence the tunnels behind it.
func (g *gateway) far() (targets []string) {
	const most = 8
	each := max(1, most/len(g.tunnels))
	targets = append(targets, objectName(g.title)+"="+g.url)
	way := g.tunnels[0].way()
	for _, t := range g.tunnels {
		if !maps.Equal(t.way(), way) || len(targets) > most {
			continue
		}
		n := 0
		for _, target := range t.targets {
			if target.Role == vpn.Far.Name && n < each {
				n++
				targets = append(targets, fmt.Sprintf("%s.%d=%s", t.name, n, target.URL))
			}
		}
	}
	return targets
}

// way are the options by which packets of a tunnel leave.
func (t *tunnel) way() map[string]string {
	way := map[string]string{}
	for _, option := range []string{"source", "interface", "dscp", "ipv4", "ipv6"} {
		if values, given := t.options[option]; given {
			way[option] = values[len(values)-1]
		}
	}
	return way
}

// nrpe is the name of the NRPE command of a thing.
func nrpe(name string) string {
	return "check_vpn_" + strings.NewReplacer("-", "_", ".", "_").Replace(name)
}

// isIPv6 tells whether an address is one of IPv6.
func isIPv6(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && a.Is6()
}
