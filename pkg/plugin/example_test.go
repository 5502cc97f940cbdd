package plugin_test

import (
	"fmt"
	"strings"

	"checkvpn/pkg/nagios"
	"checkvpn/pkg/plugin"
	"checkvpn/pkg/vpn"
)

// A fourth tunnel is one folder with one file. check_vpn_supplier/main.go has the
// functions supplier and impact, as below, and
//
//	func main() { os.Exit(plugin.Run(supplier(), os.Args[1:], os.Stdout)) }
//
// Add the folder to PLUGINS in the Makefile. All else is shared: options, targets,
// probes, judging, --explain, man page, completion, packages. A role of a new name
// is declared here and nowhere else. If the impact depends on the hour, give
// Staffed too, as check_vpn_office does.
func Example() {
	var out strings.Builder
	code := plugin.Run(supplier(), []string{"-E", "staging", "-H", "tcp://127.0.0.1:1"}, &out)
	line1, _, _ := strings.Cut(out.String(), " | ")
	fmt.Println(line1)
	fmt.Println("exit code", code)
	// Output:
	// WARNING: staging supplier VPN down: host tcp://127.0.0.1:1 refuses: connection refused. Orders wait until it is back
	// exit code 1
}

func supplier() plugin.Tunnel {
	var options struct {
		Orders plugin.Values `long:"orders" value-name:"TARGET" unquote:"false" description:"the supplier's ordering service: can orders pass?"`
	}
	// Orders go through the tunnel, so they must leave by --via, and an answer of
	// theirs shows that the tunnel passes traffic.
	orders := vpn.Role{Name: "orders", ThroughTunnel: true}
	return plugin.Tunnel{
		Name:  "supplier",
		Title: "supplier VPN",
		About: "Watches the VPN between the live organisation and a supplier. When it goes down, orders wait until it is back.",
		Examples: []string{
			"-H 10.9.0.1",
			"-H 10.9.0.1 --orders shop=tcp://10.9.0.20:443",
		},
		Options: &options,
		Roles:   []plugin.Role{{Role: orders, Targets: &options.Orders}},
		Impact:  impact,
	}
}

// impact: orders can wait, so an outage is a WARNING.
func impact(_ vpn.Verdict, p vpn.Problem, _ bool) plugin.Impact {
	switch {
	case p.Cause.Down():
		return plugin.Impact{State: nagios.Warning, Text: "Orders wait until it is back"}
	case p.Cause == vpn.ServiceDown:
		return plugin.Impact{State: nagios.Warning, Text: "Orders wait, and it is not the VPN"}
	}
	return plugin.Impact{State: p.State}
}
