package plugin

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
	"checkvpn/pkg/terminal"
	"checkvpn/pkg/vpn"
)

const (
	defaultTimeout = 10 * time.Second
	// margin is kept free at the end of -t for judging and printing.
	margin = 300 * time.Millisecond
	// Replies count for at least minWait, and for extraWait more than the
	// critical round-trip time, so that a slow answer is seen to be slow.
	minWait   = 600 * time.Millisecond
	extraWait = 100 * time.Millisecond
	// manyTargets is from where on the figures of single targets are left out.
	manyTargets = 20

	maxPackets  = 1000
	maxInterval = 60_000 // milliseconds
	maxTimeout  = 3600   // seconds
)

// plan is what the arguments ask for, checked.
type plan struct {
	environment string
	targets     []vpn.Target
	limits      vpn.Limits
	settings    probe.Settings
	path        probe.Path // of what is behind the tunnel
	mtu         int        // bytes of whole IP packets that must pass to far targets; 0: not asked

	timeout   time.Duration
	onTimeout nagios.State
	explain   bool // tell what would be done, and do nothing
	hostCheck bool
	totals    bool // only the totals in the perfdata
	json      bool
	verbose   int
	screen    *terminal.Screen // that a person reads from; nil where nobody does
}

// makePlan checks every option, the tunnel's own included.
func makePlan(t Tunnel, o *options) (*plan, error) {
	p := &plan{explain: o.Explain, hostCheck: o.HostCheck, verbose: len(o.Verbose)}
	for _, step := range []func(Tunnel, *options) error{
		p.readTargets, p.readLimits, p.readPackets, p.readPath, p.readMTU, p.readTimeout, p.readOutput,
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
	roles := []struct {
		vpn.Role
		option string
		texts  Values
	}{
		{vpn.Far, "-H, --far", append(o.Far, o.Hostname...)},
		{vpn.Near, "--near", o.Near},
		{vpn.Peer, "--peer", o.Peer},
	}
	for _, r := range t.Roles {
		roles = append(roles, struct {
			vpn.Role
			option string
			texts  Values
		}{r.Role, "--" + string(r.Role), *r.Targets})
	}
	if len(roles[0].texts) == 0 {
		return errors.New("no target: name what is behind the tunnel, for example -H 10.3.11.6, or see -h")
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
			p.targets = append(p.targets, target)
		}
	}
	return nil
}

func (p *plan) readLimits(_ Tunnel, o *options) error {
	var err error
	if p.limits.Warning, err = nagios.ParsePair(o.Warning.text); err != nil {
		return BadValue("-w, --warning", o.Warning.text, err)
	}
	if p.limits.Critical, err = nagios.ParsePair(o.Critical.text); err != nil {
		return BadValue("-c, --critical", o.Critical.text, err)
	}
	if p.limits.Partial, err = nagios.ParseState(o.Partial.text); err == nil && p.limits.Partial == nagios.Unknown {
		err = errors.New("an outage is never UNKNOWN: want OK, WARNING or CRITICAL")
	}
	if err != nil {
		return BadValue("--partial", o.Partial.text, err)
	}
	minimum, err := vpn.ParseMinimum(o.MinFar.text)
	if err == nil {
		p.limits.MinFar, err = minimum.Of(len(o.Far) + len(o.Hostname))
	}
	if err != nil {
		return BadValue("-m, --min-far", o.MinFar.text, err)
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
	s := &p.settings
	var err error
	if s.Packets, err = number("-n, --packets", o.Packets.text, 1, maxPackets); err != nil {
		return err
	}
	s.MaxPackets = max(20, s.Packets)
	if o.MaxPackets.set {
		if s.MaxPackets, err = number("--max-packets", o.MaxPackets.text, 1, maxPackets); err != nil {
			return err
		}
	}
	if s.MaxPackets < s.Packets {
		return BadValue("--max-packets", o.MaxPackets.text, fmt.Errorf("less than the %d of -n, --packets", s.Packets))
	}
	ms, err := number("-i, --interval", o.Interval.text, 1, maxInterval)
	s.Interval = time.Duration(ms) * time.Millisecond

	s.Wait = minWait
	if rta, plain := p.limits.Critical.RTA.Number(); plain {
		// A limit beyond any -t is refused there; here it must not overflow.
		s.Wait = max(minWait, time.Duration(min(rta, 1000*maxTimeout)*float64(time.Millisecond))+extraWait)
	}
	s.Parallel = parallel()
	return err
}

// parallel is how many targets are asked at once, so that their sockets fit
// into the file descriptors of this process.
func parallel() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 64
	}
	const (
		reserved  = 12 // the standard streams, the poller, files that are read
		perTarget = 4  // both looks, who says why, big packets; the resolver comes before them
		most      = 1000
	)
	free := int(min(limit.Cur, reserved+perTarget*most)) - reserved
	return max(1, free/perTarget)
}

func (p *plan) readPath(_ Tunnel, o *options) error {
	switch {
	case o.IPv4 && o.IPv6:
		return errors.New("-4 and -6 exclude each other: give one of them, or neither")
	case o.IPv4:
		p.settings.Family = probe.IPv4
	case o.IPv6:
		p.settings.Family = probe.IPv6
	}
	if o.Source.set {
		addr, err := netip.ParseAddr(o.Source.text)
		if err != nil || addr.IsUnspecified() || addr.IsMulticast() {
			return BadValue("-s, --source", o.Source.text, errors.New("want an address of this machine"))
		}
		p.path.Source = addr.Unmap()
		if !p.settings.Family.Has(p.path.Source) {
			return BadValue("-s, --source", o.Source.text, errors.New("is of another address family than -4 or -6 asks for"))
		}
	}
	if o.Interface.set {
		if p.path.Interface = o.Interface.text; !isInterface(p.path.Interface) {
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
	case err == nil && (addr.IsUnspecified() || addr.IsMulticast()), err != nil && !isInterface(text):
		return errors.New("want an interface or an address of this machine, for example tun0")
	case err == nil:
		p.limits.Via.Source = addr.Unmap()
	default:
		p.limits.Via.Interface = text
	}
	return nil
}

// isInterface tells whether the kernel would take name for an interface. One
// that does not exist is no mistake: a dead VPN takes its interface with it.
func isInterface(name string) bool {
	return name != "" && len(name) <= 15 && name != "." && name != ".." && !strings.ContainsAny(name, "/ \t:")
}

// oneFamily refuses a target whose address can never be asked in this way.
func (p *plan) oneFamily() error {
	for _, t := range p.targets {
		addr := t.Endpoint.Addr
		if !addr.IsValid() {
			continue
		}
		option := "-H, --far"
		if t.Role != vpn.Far {
			option = "--" + string(t.Role)
		}
		if via := p.limits.Via.Source; t.Role == vpn.Far && via.IsValid() && via.Is4() != addr.Is4() {
			return BadValue(option, t.Endpoint.String(), fmt.Errorf("is of another address family than %s of --via", via))
		}
		if !p.settings.Family.Has(addr) {
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
	path := p.path
	switch r {
	case vpn.Far:
		path.Via, path.MTU = p.limits.Via, p.mtu
		return path
	case vpn.Service, vpn.Replication:
		return path
	}
	return probe.Path{}
}

func (p *plan) readTimeout(_ Tunnel, o *options) error {
	seconds, state, hasState := strings.Cut(o.Timeout.text, ":")
	n, err := strconv.ParseUint(seconds, 10, 32)
	if err != nil || n < 1 || n > maxTimeout {
		return BadValue("-t, --timeout", o.Timeout.text, fmt.Errorf("want 1 to %d seconds, for example 10 or 10:CRITICAL", maxTimeout))
	}
	p.timeout = time.Duration(n) * time.Second
	p.onTimeout = nagios.Unknown
	if hasState {
		if p.onTimeout, err = nagios.ParseState(state); err == nil && p.onTimeout == nagios.OK {
			err = errors.New("a timeout is never OK: want WARNING, CRITICAL or UNKNOWN")
		}
		if err != nil {
			return BadValue("-t, --timeout", o.Timeout.text, err)
		}
	}
	// Two attempts and a name to look up fit into -t, with time to spare.
	p.settings.Attempt = max(minWait, (p.timeout-margin)/3)
	return nil
}

func (p *plan) readOutput(_ Tunnel, o *options) error {
	switch o.Output.text {
	case "nagios":
	case "json":
		p.json = true
	default:
		return BadValue("-o, --output", o.Output.text, errors.New("want nagios or json"))
	}
	p.totals = len(p.targets) > manyTargets
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
	pinged := 0
	for _, t := range p.targets {
		if t.Endpoint.Scheme == probe.ICMP {
			pinged++
		}
	}
	if needs := p.settings.Quickest(probe.ICMP, pinged) + p.settings.Wait + margin; needs > p.timeout {
		return BadValue("-t, --timeout", o.Timeout.text, fmt.Errorf(
			"the packets of -n and -i and the wait for the last answer need %.1f s: give more time, or fewer packets", needs.Seconds()))
	}
	if needs := p.settings.FullSize() + margin; p.mtu > 0 && needs > p.timeout {
		return BadValue("-t, --timeout", o.Timeout.text, fmt.Errorf(
			"the packets of --mtu and the waits for their answers need %.1f s: give more time", needs.Seconds()))
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
