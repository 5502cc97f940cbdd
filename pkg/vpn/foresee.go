package vpn

import (
	"errors"
	"net/netip"
	"time"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/probe"
)

// Foresee gives a verdict for everything that can be found of these targets,
// from well to not checked. Each is judged from evidence made up for it, where
// packets are sent to each icmp target, and big ones of mtu bytes where that is
// not 0. Only what Judge makes of the evidence can stand here; the figures in
// the words are examples.
func Foresee(l Limits, targets []Target, packets, mtu int) []Verdict {
	f := &foresight{limits: l, targets: targets, packets: packets, mtu: mtu}
	f.passing()
	f.dead()
	f.add(Misuse, func(t Target) probe.Result {
		if t.Endpoint.Scheme == probe.ICMP {
			return probe.Result{Err: probe.NoPermission(), FirstLookOver: true}
		}
		return f.well(t)
	})
	return f.verdicts
}

// foresight makes evidence up.
type foresight struct {
	limits       Limits
	targets      []Target
	packets, mtu int
	rta          time.Duration // of what answers; well, where any time is
	lost         int           // of packets, of what answers
	verdicts     []Verdict
}

// fate is what becomes of a target.
type fate func(Target) probe.Result

// add keeps the verdict where it has the cause that the evidence was made up
// for: the others cannot be found of these targets.
func (f *foresight) add(want Cause, of fate) bool {
	evidence := make([]Observation, len(f.targets))
	for i, t := range f.targets {
		evidence[i] = Observation{t, of(t)}
	}
	v := Judge(f.limits, evidence)
	if v.Cause != want {
		return false
	}
	f.verdicts = append(f.verdicts, v)
	return true
}

// passing are the verdicts on a tunnel that carries traffic.
func (f *foresight) passing() {
	for _, f.rta = range exampleTimes {
		if f.add(Up, f.well) {
			break
		}
	}
	good := f.rta
	for _, state := range []nagios.State{nagios.Warning, nagios.Critical} {
		f.degraded(state)
		f.rta, f.lost = good, 0
	}

	first, group := f.targets[0], f.someGroup()
	f.add(Partial, f.but(func(t Target) bool { return t == first }, f.silent))
	f.add(Partial, f.but(func(t Target) bool { return group != "" && t.Group == group }, f.silent))
	for _, r := range []Role{Service, Replication, Public} {
		one := f.first(r)
		f.add(ServiceDown, f.but(func(t Target) bool { return t == one }, f.silent))
		f.add(ServiceDown, f.but(is(r), f.silent))
	}
	f.add(BlackHole, f.but(is(Far), func(t Target) probe.Result {
		result := f.well(t)
		if result.MTU != nil {
			result.MTU.Outcome = probe.Silent
		}
		return result
	}))
	f.add(Bypassed, f.but(is(Far), func(t Target) probe.Result {
		result := f.well(t)
		result.Routes = []probe.Route{{Interface: "another interface"}}
		return result
	}))
}

// exampleTimes are tried in turn for one that the limits take for well, or not.
var exampleTimes = []time.Duration{
	20 * time.Millisecond, 5 * time.Millisecond, time.Millisecond, 50 * time.Millisecond,
	200 * time.Millisecond, time.Second, 5 * time.Second, time.Minute, 100 * time.Microsecond,
}

// degraded looks for a loss, or else a round-trip time, that makes the tunnel
// be of this state. It tries twenty shares of the packets.
func (f *foresight) degraded(want nagios.State) {
	const shares = 20
	found := func() bool {
		before := len(f.verdicts)
		if f.add(Degraded, f.well) && f.verdicts[before].State == want {
			return true
		}
		f.verdicts = f.verdicts[:before]
		return false
	}
	for share := range shares {
		if f.lost = f.packets * share / shares; found() {
			return
		}
	}
	f.lost = 0
	for _, f.rta = range exampleTimes {
		if found() {
			return
		}
	}
}

// dead are the verdicts on a tunnel that does not. What is reached over the
// internet may answer or not, and that may decide what it means for people.
func (f *foresight) dead() {
	unresolved := func(t Target) probe.Result {
		if t.Endpoint.Addr.IsValid() {
			return f.silent(t)
		}
		err := &probe.ResolveError{Name: t.Endpoint.Host, What: "no such name"}
		return probe.Result{Err: err, FirstLookOver: true}
	}
	for _, public := range []fate{f.well, f.silent} {
		behind := func(far, near, peer fate) fate {
			return func(t Target) probe.Result {
				switch t.Role {
				case Far:
					return far(t)
				case Near:
					return near(t)
				case Peer:
					return peer(t)
				case Public:
					return public(t)
				}
				return f.silent(t)
			}
		}
		f.add(RefusedBy, behind(f.refusing, f.well, f.well))
		f.add(NearDown, behind(f.silent, f.silent, f.silent))
		f.add(ResolverDown, behind(unresolved, f.well, f.well))
		f.add(PeerDown, behind(f.silent, f.well, f.silent))
		f.add(TunnelDown, behind(f.silent, f.well, f.well))
		f.add(Down, behind(f.silent, f.well, f.well))
	}
}

// but is well for all targets save some.
func (f *foresight) but(some func(Target) bool, of fate) fate {
	return func(t Target) probe.Result {
		if some(t) {
			return of(t)
		}
		return f.well(t)
	}
}

func is(r Role) func(Target) bool { return func(t Target) bool { return t.Role == r } }

// first is the first target of a role, or no target.
func (f *foresight) first(r Role) Target {
	for _, t := range f.targets {
		if t.Role == r {
			return t
		}
	}
	return Target{}
}

// someGroup is the first group of several machines.
func (f *foresight) someGroup() string {
	seen := map[string]bool{}
	for _, t := range f.targets {
		if t.Group != "" && seen[t.Group] {
			return t.Group
		}
		seen[t.Group] = true
	}
	return ""
}

// well answers, with the loss and the time of the moment.
func (f *foresight) well(t Target) probe.Result {
	result := f.ended(t, probe.Answered, f.rta)
	if t.Role == Far && t.Endpoint.Scheme == probe.ICMP {
		for i := range f.lost {
			result.Attempts[i] = probe.Attempt{Outcome: probe.Silent}
		}
		if f.mtu > 0 {
			result.MTU = &probe.MTU{Asked: f.mtu, Outcome: probe.Answered}
		}
	}
	if t.Role == Far {
		via := probe.Route{Interface: f.limits.Via.Interface, Source: f.limits.Via.Source}
		result.Routes = []probe.Route{via}
	}
	return result
}

func (f *foresight) silent(t Target) probe.Result { return f.ended(t, probe.Silent, 0) }

// refusing says no where it is asked for more than an echo.
func (f *foresight) refusing(t Target) probe.Result {
	if t.Endpoint.Scheme == probe.ICMP {
		return f.silent(t)
	}
	result := f.ended(t, probe.Refused, 0)
	result.Attempts[0].Err = errors.New("connection refused")
	return result
}

// someAddr stands for the address of a name, which is not resolved.
var someAddr = netip.AddrFrom4([4]byte{192, 0, 2, 1}) // RFC 5737

// ended is a target of which all attempts ended in the same way.
func (f *foresight) ended(t Target, outcome probe.Outcome, took time.Duration) probe.Result {
	attempts := make([]probe.Attempt, 1)
	if t.Endpoint.Scheme == probe.ICMP {
		attempts = make([]probe.Attempt, f.packets)
	}
	for i := range attempts {
		attempts[i] = probe.Attempt{Outcome: outcome, Took: took}
	}
	addr := t.Endpoint.Addr
	if !addr.IsValid() {
		addr = someAddr
	}
	return probe.Result{Addr: addr, Attempts: attempts, FirstLookOver: true}
}
