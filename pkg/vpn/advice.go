package vpn

import (
	"errors"
	"slices"
)

// Advice says what to do, one step a line. There is none when all is well.
func (v Verdict) Advice() []string {
	const (
		ownChange = "Was our network changed? Check that first."
		tickets   = "If it was not us, open a ticket with the vendor of each end. Run this check again with -o ticket and paste its output."
	)
	switch v.Lead().Cause {
	case Misuse, Failed:
		return mendOurs(v.Lead().Reason)
	case Filtered:
		return []string{
			"Traffic passes the tunnel: look for a firewall that blocks what this check asks for, at the far end first.",
			"Ask for what is open, or let the questions of this check through.",
		}
	case RefusedBy:
		lines := []string{"Something at the far side says no (the host or a firewall), so look at the service before the VPN."}
		if v.forbidden() {
			lines = append(lines, "Status 403 may mean that traffic leaves by another way than the VPN: check the route to the far side.")
		}
		return append(lines, ownChange, tickets)
	case NearDown:
		lines := []string{"This host does not reach our own gateway: look at our network before the VPN."}
		if _, peers := v.Role(Peer.Name); peers == 0 {
			lines[0] = "This host does not reach our own gateway, or that filters pings (--peer would tell): look at our network before the VPN."
		}
		return append(lines, ownChange)
	case ResolverDown:
		return []string{"Nothing could be asked by name: look at the resolver, or give addresses in place of names."}
	case PeerDown:
		return []string{ownChange, "If it was not us, open a ticket with the vendor of each end, the far one first: its gateway is silent on the internet. Run this check again with -o ticket and paste its output."}
	case TunnelDown, TooFew:
		return []string{ownChange, tickets}
	case Down:
		return []string{ownChange, tickets, "With --peer, the public address of the far gateway, this check could say which end to look at."}
	case Bypassed:
		return []string{"The far side is reached in the clear or by another way: look at the routes of this host and at the state of the tunnel.", ownChange, tickets}
	case BlackHole:
		return append(v.mendSize(), ownChange, tickets)
	case Degraded:
		return []string{
			"The tunnel passes traffic, but badly: compare with the near and peer lines below.",
			"If all hosts lose alike, something may limit packets: try -i 100, which slows the check down.",
			ownChange, tickets,
		}
	case Unprotected:
		return []string{"Traffic passes, but a gateway of the far end is silent: if the other one fails too, the tunnel is down.", "Open a ticket with the vendor of the far end, in working hours."}
	case Partial:
		return []string{"The tunnel passes traffic: look at the hosts named, and for a whole group at its route, firewall or subnet."}
	case ServiceDown:
		return []string{"The tunnel passes traffic: look at the services named."}
	}
	return nil
}

// mendOurs is what to do about a fault of our own.
func mendOurs(reason error) []string {
	fault, ok := errors.AsType[*Fault](reason)
	switch {
	case !ok:
		return nil
	case fault.Code == NoPermission:
		return []string{"Let this user send echo requests: setcap cap_net_raw+ep on this program, or include the group of the user in the sysctl net.ipv4.ping_group_range. With --explain the plugin gives the commands."}
	case fault.Code == OwnAddress:
		return []string{"Name hosts behind the tunnel: an address of this host says nothing of it."}
	case fault.Code == NoDescriptors:
		return []string{"Give the check more file descriptors (ulimit -n), or ask fewer targets at once."}
	case fault.Code == Bug:
		return []string{"This is a mistake in the plugin: send the output of -o events to its maintainers."}
	}
	return nil
}

func (v Verdict) forbidden() bool {
	return slices.ContainsFunc(v.far(SaysNo), func(f Finding) bool { return f.Reason != nil && f.Reason.Code == Forbidden })
}
