package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// printNRPE prints the commands of all tunnels. What is asked stands in the file
// of tunnels, so that the commands take nothing from the network.
func printNRPE(b *bytes.Buffer, s *site, extra string) {
	fmt.Fprintf(b, `# The tunnels for NRPE: made of %s by
#   check-vpn-generate nrpe%s
# Install as check_vpn.cfg in /etc/nagios/nrpe.d/ at the host where a tunnel's
# traffic begins. What is asked stands in /etc/check-vpn/check_vpn.ini there, the
# file that people on SSH use too. The commands take nothing from the network:
# dont_blame_nrpe stays 0.
#
# Icinga and Nagios call them as
#   check_nrpe -u -H monitoring-1 -c check_vpn_dr_production -t 15
# The plugin ends after 10 seconds (its -t) and says what it knows by then. 15 lies
# above that, and -u makes a silent NRPE UNKNOWN: without it check_nrpe says
# CRITICAL, though nobody has asked the tunnel. NRPE's own command_timeout, 60
# seconds, is never met.
#
# A name that ends in _host is for a host check: it exits 2 when the tunnel is
# down, whatever that means for people, and 0 when it is not.
#
`, s.file, map[bool]string{true: "-short"}[extra != ""])
	if extra == "" {
		fmt.Fprint(b, `# NRPE 4 passes on 64 KiB, and no output is as long. A client that speaks no more
# than version 2 or 3 of the protocol gets 1,023 bytes: use check_vpn_short.cfg.
`)
	} else {
		fmt.Fprint(b, `# For clients that speak no more than version 2 or 3 of NRPE's protocol (check_nrpe
# -2 or -3), in place of check_vpn.cfg, with the same names. NRPE cuts their answers
# at 1,023 bytes, and the figures of each target would be cut in the middle. With
# --perfdata=totals line 1 is whole, and only the lines of targets are cut.
`)
	}
	command := func(name, plugin, args string) {
		fmt.Fprintf(b, "command[%s]=%s/check_vpn_%s %s%s\n", name, s.plugins, plugin, args, extra)
	}
	for _, where := range s.places() {
		fmt.Fprintf(b, "\n# On %s\n", where)
		for _, g := range s.gateways {
			if g.tunnels[0].runsOn == where {
				command(nrpe(g.name)+"_host", g.tunnels[0].plugin, strings.Join(g.args(), " ")+" --host-check")
			}
		}
		for _, t := range s.tunnels {
			if t.runsOn != where {
				continue
			}
			command(nrpe(t.name), t.plugin, "--extra-opts="+t.name+t.planned())
			if t.plugin != "office" && t.asker != nil || len(t.resync) > 0 {
				command(nrpe(t.name)+"_host", t.plugin, "--extra-opts="+t.name+" --host-check")
			}
		}
	}
}

// planned: where hosts are stopped on purpose, NRPE cannot tell which of them
// are, and a silent host is no alarm.
func (t *tunnel) planned() string {
	if len(t.downtime) > 0 {
		return " --partial=OK"
	}
	return ""
}

// places are the hosts from which tunnels are asked, in their order.
func (s *site) places() (names []string) {
	for _, t := range s.tunnels {
		if !slices.Contains(names, t.runsOn) {
			names = append(names, t.runsOn)
		}
	}
	return names
}

// args are those of the check of a gateway, for a command line.
func (g *gateway) args() (args []string) {
	args = append(args, "--title="+shell(gatewayTitle(g)), "--impact="+shell(gatewayImpact), "--partial=OK")
	for _, target := range g.far() {
		args = append(args, "--far="+shell(target))
	}
	way := g.tunnels[0].way()
	for _, option := range []string{"source", "interface", "dscp"} {
		if value, given := way[option]; given {
			args = append(args, "--"+option+"="+shell(value))
		}
	}
	for _, flag := range []string{"ipv4", "ipv6"} {
		if _, given := way[flag]; given {
			args = append(args, "--"+flag)
		}
	}
	return args
}

// shell quotes a word for the shell that NRPE and Nagios may use. It has no
// single quote in it: no name and no URL of a target can.
func shell(word string) string {
	if matches(word, `[A-Za-z0-9_@%+=:,./\[\]-]+`, "") == nil {
		return word
	}
	return "'" + word + "'"
}
