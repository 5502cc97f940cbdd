// Command check_vpn_licensing watches the VPN between the live organisation
// and Licensing in one environment.
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
		Public plugin.Values `long:"public" value-name:"TARGET" unquote:"false" description:"the licence application over the internet, not the VPN: are applicants affected?"`
	}
	public := vpn.Role{Name: "public"} // over the internet, not the VPN
	return plugin.Tunnel{
		Name:  "licensing",
		Title: "licensing VPN",
		About: "Watches the VPN between the live organisation and Licensing in an environment. When it goes down, Licensing hosts appear as unreachable hosts. Applying for a licence goes on: it takes the internet, not the VPN.",
		Examples: []string{
			"-E staging -H 10.5.0.1",
			"-E production --near 10.3.0.1 --peer 203.0.113.23 -H licensify-lb-1=10.5.0.101 -H licensing-mongo-1/mongo=10.5.0.16 --public https://www.gov.uk/apply-for-a-licence",
			"--extra-opts=licensing-staging -o json",
		},
		Options: &options,
		Roles:   []plugin.Role{{Role: public, Targets: &options.Public}},
		Impact:  impact,
	}
}

func impact(v vpn.Verdict, p vpn.Problem, _ bool) plugin.Impact {
	answering, asked := v.Role("public")
	switch {
	case p.Cause.Down() && asked > 0 && answering == asked:
		return plugin.Impact{State: nagios.Warning, Text: "Licensing hosts unreachable, licence applications still work"}
	case p.Cause.Down() && asked > 0:
		return plugin.Impact{State: nagios.Critical, Text: "Licensing hosts unreachable and licence applications fail"}
	case p.Cause.Down():
		return plugin.Impact{
			State: nagios.Critical,
			Text:  "Licensing hosts unreachable",
			Notes: []string{"Whether licence applications still work was not asked: --public would tell."},
		}
	case p.Cause == vpn.ServiceDown:
		return plugin.Impact{State: nagios.Warning, Text: "Licence applications fail, and it is not the VPN"}
	}
	return plugin.Impact{State: p.State}
}
