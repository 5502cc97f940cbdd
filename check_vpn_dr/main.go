// Command check_vpn_dr watches the VPN between the live organisation and the
// disaster recovery organisation of one environment.
package main

import (
	"os"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/plugin"
	"checkvpn/pkg/vpn"
)

func main() { os.Exit(plugin.Run(tunnel(), os.Args[1:], os.Stdout)) }

func tunnel() plugin.Tunnel {
	var options struct {
		Replication plugin.Values `long:"replication" value-name:"TARGET" unquote:"false" description:"database and sync ports on DR hosts: can data flow?"`
	}
	replication := vpn.Role{Name: "replication", ThroughTunnel: true}
	return plugin.Tunnel{
		Name:  "dr",
		Title: "DR VPN",
		About: "Watches the VPN between the live and the disaster recovery organisation of an environment. When it goes down, DR hosts appear as unreachable hosts and data replication to them pauses.",
		Examples: []string{
			"-E production -H 10.3.11.6",
			"-E production --near 10.3.0.1 --peer 203.0.113.13 -H mongo-4/backend=10.3.11.6 -H bouncer-4/redirector=10.3.13.4 --replication mysql=tcp://10.3.11.31:3306",
			"--extra-opts=dr-production -o json",
		},
		Options: &options,
		Roles:   []plugin.Role{{Role: replication, Targets: &options.Replication}},
		Impact:  impact,
	}
}

func impact(v vpn.Verdict, p vpn.Problem, _ bool) plugin.Impact {
	answering, _ := v.Role("replication")
	switch {
	case p.Cause.Down():
		return plugin.Impact{State: nagios.Critical, Text: "DR hosts are unreachable and replication is paused"}
	case p.Cause == vpn.ServiceDown && answering == 0:
		return plugin.Impact{State: nagios.Critical, Text: "Replication is paused"}
	case p.Cause == vpn.ServiceDown:
		return plugin.Impact{State: nagios.Warning, Text: "Part of the replication is paused"}
	}
	return plugin.Impact{State: p.State}
}
