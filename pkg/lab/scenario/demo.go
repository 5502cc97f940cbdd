package main

import (
	"cmp"
	"strings"

	"checkvpn/pkg/lab"
)

// demo has the seven tunnels of icinga/check_vpn.ini, as a person on call sees them.
func demo() (list []scenario) {
	three := []string{"office", "dr-production", "licensing-production"}
	// What an outage is to the office depends on the hour.
	outage := map[string]string{"office": "(WARNING|CRITICAL)", "dr-production": "CRITICAL"}
	scene := func(name, cause string, sections []string, states map[string]string, breaks breaker) {
		for _, s := range sections {
			program, _, _ := strings.Cut(s, "-")
			state := cmp.Or(states[s], "WARNING")
			if cause == "up" {
				state = "OK"
			}
			list = append(list, scenario{name: name, over: []string{s}, breaks: breaks, program: "check_vpn_" + program,
				args: []string{"--extra-opts=" + s}, want: state + " " + cause})
		}
	}
	hosts := map[string]string{"office": "vcloud-director", "dr-production": "mongo-4", "licensing-production": "licensing-mongo-2"}
	scene("All is well", "up", []string{"office", "dr-integration", "licensing-integration", "dr-staging", "licensing-staging",
		"dr-production", "licensing-production"}, nil, nil)
	scene("One host is dead", "(partial|service-down)", three, nil, func(p *place) error { return hostDead(hosts[p.way])(p) })
	scene("A group of hosts is dead", "(partial|service-down)", three[1:2], nil, groupDead("backend_dr"))
	scene("The internet between the ends loses every fifth packet each way", "degraded", three, nil, lossy(5))
	scene("The far gateway is dead", "peer-down", three, outage, between(lab.Conditions{Cut: true}))
	scene("The tunnel is dead, both gateways are alive", "tunnel-down", three, outage, dead)
	scene("All is well again", "up", three, nil, nil)
	return list
}
