package plugin

import (
	"fmt"
	"strings"
)

// help is the text of -h: usage, what the plugin is for, the options, the exit
// codes and examples.
func help(t Tunnel) string {
	var b strings.Builder
	parser := newParser(t, &options{})
	_, _ = parser.ParseArgs(nil) // else the defaults would not show
	parser.Usage = "-H TARGET [-H TARGET ...] [OPTIONS]"
	parser.LongDescription = t.About
	parser.WriteHelp(&b)
	b.WriteString("\nTARGET is [NAME[/GROUP]=]URL, and each of these options repeats:\n" + targetForms + `
Exit codes: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (bad arguments, no permission).
An outage is never UNKNOWN.

Permission: echo requests need either this user's group in the sysctl
net.ipv4.ping_group_range, or: setcap cap_net_raw+ep on the program.

Files: --extra-opts reads /etc/check-vpn/check_vpn.ini, among others. A key is
the long name of an option, and a key alone is a flag.

Examples:
`)
	for _, example := range t.Examples {
		fmt.Fprintf(&b, "  %s %s\n", t.program(), example)
	}
	return b.String()
}

const targetForms = `  10.3.11.6                        echo requests (icmp) to an address or a name
  mongo-4/backend=10.3.11.6        the same, with a name and a group for the output
  tcp://10.3.11.31:3306            a connection
  https://www.gov.uk/some/page     a status 200-299, over verified TLS; http:// too
  ike://203.0.113.9                an answer to an IKE_SA_INIT request, for --peer
  NAME and GROUP are 1 to 40 letters, digits, dots, dashes and underscores.
`
