package plugin

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"checkvpn/pkg/probe"
	"checkvpn/pkg/vpn"
)

// permission tells for each address family how echo requests will be sent, or
// exactly what would let them be.
func (e *explanation) permission() []string {
	families := e.plan.families()
	if len(families) == 0 {
		return []string{"Not needed: no target is asked by echo requests."}
	}
	var told []string
	for _, f := range families {
		way, err := probe.Permission(f)
		var own *vpn.Fault
		switch {
		case errors.As(err, &own) && own.Code == vpn.NoPermission:
			told = append(told, familyName(f)+": none. Any one of these gives it:")
			told = append(told, remedies()...)
			return told // it serves the other family, too
		case err != nil:
			told = append(told, familyName(f)+": none, "+err.Error()+".")
		default:
			told = append(told, familyName(f)+": "+ways[way])
		}
	}
	return told
}

// ways says why echo requests may be sent.
var ways = map[string]string{
	"unprivileged": "unprivileged sockets: sysctl net.ipv4.ping_group_range has a group of this user.",
	"raw":          "raw sockets: this process has the capability cap_net_raw, or is root.",
}

func familyName(f probe.Family) string {
	if f == probe.IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// remedies are the commands and settings, one a line, for this very program
// and user.
func remedies() []string {
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	now := "unknown"
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ping_group_range"); err == nil {
		now = strings.Join(strings.Fields(string(text)), " ")
	}
	return []string{
		"- setcap cap_net_raw+ep " + clean(program),
		fmt.Sprintf("- net.ipv4.ping_group_range = 0 2147483647 in a file of /etc/sysctl.d, then sysctl --system (it is %s now, and the group of this user %d)", now, os.Getgid()),
	}
}
