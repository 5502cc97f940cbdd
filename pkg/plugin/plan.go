package plugin

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
	"checkvpn/pkg/terminal"
	"checkvpn/pkg/vpn"
)

const (
	defaultTimeout = 10 * time.Second
	// margin is kept free at the end of -t for judging and printing.
	margin = 300 * time.Millisecond
	// manyTargets is from where on the figures of single targets are left out.
	manyTargets = 20

	maxPackets  = 1000
	maxInterval = 60_000 // milliseconds
	maxTimeout  = 3600   // seconds
)

// plan is what the arguments ask for, checked.
type plan struct {
	vpn.Plan
	environment string
	title       string     // a site's own name for the tunnel; empty for the plugin's
	siteImpact  string     // what an outage means there; empty for the plugin's words
	contacts    []string   // whom to call
	runbook     string     // a page with a section for each cause
	path        probe.Path // of what is behind the tunnel
	family      probe.Family
	resolver    probe.Resolver // nil is the system's
	status      statuses       // of http and https that are answers
	began       time.Time
	staffed     bool // what the impact may depend on

	timeout   time.Duration
	onTimeout nagios.State
	explain   bool // tell what would be done, and do nothing
	hostCheck bool
	totals    bool // only the totals in the perfdata
	output    form
	replay    string // a file to judge in place of the network
	verbose   int
	screen    *terminal.Screen // that a person reads from; nil if nobody does
}

// form is what is printed.
type form string

const (
	asNagios form = "nagios"
	asJSON   form = "json"
	asEvents form = "events"
	asPlan   form = "plan"
	asTicket form = "ticket"
)

// makePlan checks every option, the tunnel's own included.
func makePlan(t Tunnel, o *options) (*plan, error) {
	p := &plan{explain: o.Explain, hostCheck: o.HostCheck, verbose: len(o.Verbose)}
	for _, step := range []func(Tunnel, *options) error{
		p.readTargets, p.readLimits, p.readWords, p.readPackets, p.readPath, p.readStatus, p.readMTU, p.readTimeout, p.readOutput,
	} {
		if err := step(t, o); err != nil {
			return nil, err
		}
	}
	if t.Prepare != nil {
		if err := t.Prepare(); err != nil {
			return nil, err
		}
	}
	return p, p.fits(o)
}

func (p *plan) readTargets(t Tunnel, o *options) error {
	type given struct {
		vpn.Role
		option string
		texts  Values
	}
	roles := []given{
		{vpn.Far, "-H, --far", append(o.Far, o.Hostname...)},
		{vpn.Near, "--near", o.Near},
		{vpn.Peer, "--peer", o.Peer},
	}
	for _, r := range t.Roles {
		roles = append(roles, given{r.Role, "--" + r.Role.Name, *r.Targets})
	}
	if len(roles[0].texts) == 0 {
		return errors.New("no target: name what is behind the tunnel, for example -H 10.3.11.6, or see -h")
	}
	for _, role := range o.Without {
		if i := slices.IndexFunc(roles, func(r given) bool { return r.Name == role }); i > 0 {
			roles[i].texts = nil
			continue
		}
		var others []string
		for _, r := range roles[1:] {
			others = append(others, r.Name)
		}
		return BadValue("--without", role, fmt.Errorf("want a role that a check can do without: %s", strings.Join(others, ", ")))
	}
	names := map[string]bool{}
	for _, r := range roles {
		for _, text := range r.texts {
			target, err := vpn.ParseTarget(r.Role, text)
			if err != nil {
				return BadValue(r.option, text, err)
			}
			if names[target.Name] {
				return BadValue(r.option, text, fmt.Errorf("another target is named %s too: give each a name of its own, as in db1=10.3.11.13", target.Name))
			}
			names[target.Name] = true
			p.Targets = append(p.Targets, target)
		}
	}
	return nil
}

func (p *plan) readLimits(_ Tunnel, o *options) error {
	var err error
	if p.Limits.Warning, err = nagios.ParsePair(o.Warning.text); err != nil {
		return BadValue("-w, --warning", o.Warning.text, err)
	}
	if p.Limits.Critical, err = nagios.ParsePair(o.Critical.text); err != nil {
		return BadValue("-c, --critical", o.Critical.text, err)
	}
	if p.Limits.Partial, err = nagios.ParseState(o.Partial.text); err == nil && p.Limits.Partial == nagios.Unknown {
		err = errors.New("an outage is never UNKNOWN: want OK, WARNING or CRITICAL")
	}
	if err != nil {
		return BadValue("--partial", o.Partial.text, err)
	}
	minimum, err := vpn.ParseMinimum(o.MinFar.text)
	if err == nil {
		p.Limits.MinFar, err = minimum.Of(len(o.Far) + len(o.Hostname))
	}
	if err != nil {
		return BadValue("-m, --min-far", o.MinFar.text, err)
	}
	if o.MinPeer.set {
		if p.Limits.MinPeer, err = number("--min-peer", o.MinPeer.text, 0, maxPackets); err != nil {
			return err
		}
		peers := 0
		for _, t := range p.Targets {
			if t.Role == vpn.Peer {
				peers++
			}
		}
		if p.Limits.MinPeer > peers {
			return BadValue("--min-peer", o.MinPeer.text, fmt.Errorf("more than the number of peers, %d", peers))
		}
	}
	if p.environment = o.Environment.text; o.Environment.set && !isEnvironment(p.environment) {
		return BadValue("-E, --environment", p.environment, errors.New("want 1 to 32 letters, digits, dots, dashes or underscores"))
	}
	return nil
}

func isEnvironment(s string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return s != "" && len(s) <= 32 && strings.Trim(s, allowed) == ""
}

func (p *plan) readPackets(_ Tunnel, o *options) error {
	var err error
	if p.Packets, err = number("-n, --packets", o.Packets.text, 1, maxPackets); err != nil {
		return err
	}
	p.MaxPackets = p.Packets + vpn.LossPackets
	if o.MaxPackets.set {
		if p.MaxPackets, err = number("--max-packets", o.MaxPackets.text, 1, 2*maxPackets); err != nil {
			return err
		}
		if least := p.Packets + vpn.MinLossPackets; p.MaxPackets < least {
			return BadValue("--max-packets", o.MaxPackets.text, fmt.Errorf("want at least %d: that of -n and %d more, without which nothing can be said of doubtful hosts", least, vpn.MinLossPackets))
		}
	}
	ms, err := number("-i, --interval", o.Interval.text, 1, maxInterval)
	p.Interval = time.Duration(ms) * time.Millisecond
	p.Descriptors = freeDescriptors()
	return err
}

// enoughDescriptors tells whether Go's runtime can have the descriptors that it
// needs itself to wait for anything, and one more. Without them it would end the
// program with words on stderr and the exit code of CRITICAL.
func enoughDescriptors() error {
	for range 3 {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			return fmt.Errorf("no file descriptor is free: %w", err)
		}
		defer unix.Close(fd)
	}
	return nil
}

// freeDescriptors is how many file descriptors the looks may hold together. Those
// that are open already, and some for what else is opened, are not counted.
func freeDescriptors() int {
	const (
		reserved = 9    // echo sockets of two families and paths, the kernel's routes, files that are read
		most     = 4000 // beyond what -t could make use of
		unknown  = 64
	)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return unknown
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return unknown
	}
	return int(min(limit.Cur, most)) - len(open) - reserved
}

func (p *plan) readPath(_ Tunnel, o *options) error {
	switch {
	case o.IPv4 && o.IPv6:
		return errors.New("-4 and -6 exclude each other: give one of them, or neither")
	case o.IPv4:
		p.family = probe.IPv4
	case o.IPv6:
		p.family = probe.IPv6
	}
	if o.Source.set {
		addr, err := netip.ParseAddr(o.Source.text)
		if err != nil || addr.IsUnspecified() || addr.IsMulticast() {
			return BadValue("-s, --source", o.Source.text, errors.New("want an address of this host"))
		}
		p.path.Source = addr.Unmap()
		if !p.family.Has(p.path.Source) {
			return BadValue("-s, --source", o.Source.text, errors.New("is of another address family than -4 or -6 asks for"))
		}
	}
	if o.Interface.set {
		if p.path.Interface = o.Interface.text; !probe.IsInterfaceName(p.path.Interface) {
			return BadValue("-I, --interface", o.Interface.text, errors.New("want the name of an interface, for example tun0"))
		}
	}
	if o.Via.set {
		if err := p.readVia(o.Via.text); err != nil {
			return BadValue("--via", o.Via.text, err)
		}
	}
	if o.DSCP.set {
		n, err := number("--dscp", o.DSCP.text, 0, 63)
		if err != nil {
			return err
		}
		p.path.DSCP = uint8(n)
	}
	return p.oneFamily()
}

// readVia reads an address or the name of an interface.
func (p *plan) readVia(text string) error {
	addr, err := netip.ParseAddr(text)
	switch {
	case err == nil && (addr.IsUnspecified() || addr.IsMulticast()), err != nil && !probe.IsInterfaceName(text):
		return errors.New("want an interface or an address of this host, for example tun0")
	case err == nil:
		p.Limits.Via.Source = addr.Unmap()
	default:
		p.Limits.Via.Interface = text
	}
	return nil
}

// oneFamily refuses a target whose address can never be asked in this way.
func (p *plan) oneFamily() error {
	for _, t := range p.Targets {
		addr := t.Endpoint.Addr
		if !addr.IsValid() {
			continue
		}
		option := "-H, --far"
		if t.Role != vpn.Far {
			option = "--" + t.Role.Name
		}
		if via := p.Limits.Via.Source; t.Role.ThroughTunnel && via.IsValid() && via.Is4() != addr.Is4() {
			return BadValue(option, t.Endpoint.String(), fmt.Errorf("is of another address family than %s of --via", via))
		}
		if !p.family.Has(addr) {
			return BadValue(option, t.Endpoint.String(), errors.New("is of another address family than -4 or -6 asks for"))
		}
		if src := p.pathTo(t.Role).Source; src.IsValid() && src.Is4() != addr.Is4() {
			return BadValue(option, t.Endpoint.String(), fmt.Errorf("is of another address family than the source address %s", src))
		}
	}
	return nil
}

// pathTo is the way packets to a role are to leave: -s, -I and --dscp are for
// what is behind the tunnel.
func (p *plan) pathTo(r vpn.Role) probe.Path {
	if r.ThroughTunnel {
		return p.path
	}
	return probe.Path{}
}

// settings are what the prober needs to know.
func (p *plan) settings(now func() time.Duration, emit func(vpn.Event)) probe.Settings {
	return probe.Settings{Questions: p.questions(), Family: p.family, Resolver: p.resolver, Status: p.status.answer, Now: now, Emit: emit}
}

// questions are what each target is asked.
func (p *plan) questions() []probe.Question {
	list := make([]probe.Question, len(p.Targets))
	for i, t := range p.Targets {
		list[i] = probe.Question{Endpoint: t.Endpoint, Path: p.pathTo(t.Role), RefuseOwn: t.Role.ThroughTunnel}
	}
	return list
}

// families are those of the echo requests.
func (p *plan) families() []probe.Family { return probe.Families(p.family, p.questions()) }

func (p *plan) readTimeout(_ Tunnel, o *options) error {
	_, state, hasState := strings.Cut(o.Timeout.text, ":")
	var ok bool
	if p.timeout, ok = seconds(o.Timeout.text); !ok {
		return BadValue("-t, --timeout", o.Timeout.text, fmt.Errorf("want 1 to %d seconds, for example 10 or 10:CRITICAL", maxTimeout))
	}
	p.onTimeout = nagios.Unknown
	if hasState {
		var err error
		if p.onTimeout, err = nagios.ParseState(state); err == nil && p.onTimeout == nagios.OK {
			err = errors.New("a timeout is never OK: want WARNING, CRITICAL or UNKNOWN")
		}
		if err != nil {
			return BadValue("-t, --timeout", o.Timeout.text, err)
		}
	}
	p.End = p.timeout - margin
	return nil
}

func (p *plan) readOutput(_ Tunnel, o *options) error {
	p.output, p.replay = form(o.Output.text), o.Replay.text
	p.Routes = p.verbose >= 2 || p.output == asTicket || p.output == asEvents
	switch {
	case !slices.Contains([]form{asNagios, asJSON, asTicket, asEvents, asPlan}, p.output):
		return BadValue("-o, --output", o.Output.text, errors.New("want nagios, json, ticket, events or plan"))
	case o.Replay.set && p.replay == "":
		return BadValue("--replay", "", errors.New("want the name of a file"))
	}
	p.totals = len(p.Targets) > manyTargets
	if o.Perfdata.set {
		switch o.Perfdata.text {
		case "all":
			p.totals = false
		case "totals":
			p.totals = true
		default:
			return BadValue("--perfdata", o.Perfdata.text, errors.New("want all or totals"))
		}
	}
	return nil
}

// fits refuses what could not be finished in time, before anything is sent.
func (p *plan) fits(o *options) error {
	if needs := p.Plan.Quickest() + margin; needs > p.timeout {
		return BadValue("-t, --timeout", o.Timeout.text, fmt.Errorf(
			"the packets of -n and -i and the wait for the last answer need %.1f s: give more time, or fewer packets", needs.Seconds()))
	}
	return nil
}

// number reads a decimal number within bounds.
func number(option, text string, low, high int) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || int(n) < low || int(n) > high {
		return 0, BadValue(option, text, fmt.Errorf("want a number from %d to %d", low, high))
	}
	return int(n), nil
}
