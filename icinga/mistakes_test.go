package icinga_test

import (
	"fmt"
	"strings"
	"testing"
)

// byHand is what somebody who prefers Icinga's language may write.
const byHand = `
const VpnDefaults = {
  notify = [ "net@example.org" ]
  pager = [ "oncall@example.org" ]
  hours = { monday = "09:00-17:00", tuesday = "09:00-12:00,13:00-17:00" }
  holidays = [ "2026-12-25" ]
  check = 2m
}
const VpnHosts = [
  { name = "watch", address = "10.1.0.20", asked = "here" },
  { name = "branch", address6 = "fd00:7::20", asked = "nrpe" },
]
const VpnGateways = [
  { name = "router.watch", title = "Router", address = "10.1.0.1", runs_on = "watch", plugin = "dr", vars = { vpn_host_far = [ "10.1.0.1", "10.7.0.1" ] } },
]
const VpnTunnels = [
  {
    name = "paris"
    title = "VPN to Paris"
    plugin = "dr"
    runs_on = "watch"
    gateway = "router.watch"
    vars = { vpn_far = [ "core/core=10.7.0.1", "db1/core=10.7.0.5" ], vpn_peer = "203.0.113.5", vpn_mtu = 1400 }
    pages = true
    owner = "Net team"
    resync = { postgresql = 21h }
    hosts = [
      { name = "core.paris", address = "10.7.0.1", gate = true },
      { name = "db1.paris", address = "10.7.0.5", behind = "core.paris", replication = { postgresql = 5432 }, downtime = { saturday = "19:00-03:00" } },
      { name = "web.paris", address6 = "fd00:7::6", port = 443 },
    ]
  },
  { name = "rome", plugin = "licensing", runs_on = "watch", gateway = "router.watch", vars = { vpn_extra_opts = "rome" } },
  { name = "oslo", plugin = "office", runs_on = "branch", vars = { vpn_extra_opts = "oslo" }, nrpe_command = "check_vpn_oslo" },
  { name = "paris-standby", plugin = "dr", runs_on = "db1.paris", vars = { vpn_extra_opts = "paris-standby" }, nrpe_command = "check_vpn_paris_standby" },
]
if (globals.contains("VpnOptions") && globals.contains("VpnMake")) {
  VpnMake()
}
`

// TestDictionaryMistakes: what is wrong in a dictionary that was written by hand
// ends icinga2 daemon -C, which names the tunnel and the key.
func TestDictionaryMistakes(t *testing.T) {
	t.Parallel()
	n := newIcinga2(t, "master", someNode(t), 5665, nil)
	files := n.include(t, shipped(t, "vpn-tunnels.conf")...) + fmt.Sprintf("include %q\n", n.path("tunnels.conf"))
	validate := func(t *testing.T, before, text string) (said string, err error) {
		write(t, n.path("tunnels.conf"), text)
		n.configure(t, before+files)
		return n.validate(t)
	}
	if said, err := validate(t, n.bare(pluginDir(t)), byHand); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, test := range []struct{ old, new, want string }{
		{"vpn_peer", "vpn_pear", "tunnel paris: unknown variable vpn_pear"},
		{"vpn_mtu", "peers", "tunnel paris: unknown variable peers"},
		{`gateway = "router.watch"` + "\n    vars", `gatewy = "router.watch"` + "\n    vars", "tunnel paris: unknown key gatewy"},
		{`gateway = "router.watch"` + "\n    vars", `gateway = "router.wach"` + "\n    vars", "tunnel paris: there is no gateway router.wach in VpnGateways"},
		{"pages = true", "page = true", "tunnel paris: unknown key page"},
		{"pages = true", `pages = "yes"`, "tunnel paris: pages must be a Boolean"},
		{`pager = [ "oncall@example.org" ]`, "", "tunnel paris: pages, and there is no pager"},
		{`notify = [ "net@example.org" ]`, "notify = []", "tunnel paris: notify is empty: nobody would be told"},
		{`notify = [ "net@example.org" ]`, `notify = [ "net.example.org" ]`, "tunnel paris: notify must have addresses of mail"},
		{"check = 2m", "chek = 2m", "VpnDefaults: unknown key chek"},
		{"check = 2m", "check = -2m", "VpnDefaults: check must be above 0"},
		{"monday", "mnday", "tunnel paris: unknown day mnday"},
		{"09:00-12:00", "09:00-1200", "tunnel paris: hours of tuesday must be like 09:30-17:30"},
		{"2026-12-25", "2026-12-255", "tunnel paris: holidays must have dates like 2026-12-25"},
		{`plugin = "dr"` + "\n", `plugin = "dt"` + "\n", "tunnel paris: plugin must be one of "},
		{`plugin = "dr"` + "\n", "", "tunnel paris: no key plugin"},
		{`runs_on = "watch"` + "\n", `runs_on = "wach"` + "\n", "tunnel paris: runs_on wach is neither in VpnHosts nor behind a tunnel"},
		{`runs_on = "watch"` + "\n", "", "tunnel paris: no key runs_on"},
		{`vars = { vpn_extra_opts = "rome" }`, "vars = { }", "tunnel rome: nothing to ask: vars has neither vpn_extra_opts nor vpn_far"},
		{`vars = { vpn_extra_opts = "rome" }`, `vars = "rome"`, "tunnel rome: vars must be a Dictionary"},
		{`name = "rome"`, `name = "paris"`, "two hosts have the name paris"},
		{`name = "rome"`, `nam = "rome"`, "no key name"},
		{`name = "web.paris"`, `name = "db1.paris"`, "two hosts have the name db1.paris"},
		{"gate = true", "gat = true", "tunnel paris: host core.paris: unknown key gat"},
		{`behind = "core.paris"`, `behind = "cor.paris"`, "tunnel paris: host db1.paris: there is no gate cor.paris"},
		{`behind = "core.paris"`, `behnd = "core.paris"`, "tunnel paris: host db1.paris: unknown key behnd"},
		{`address = "10.7.0.5"`, `adress = "10.7.0.5"`, "tunnel paris: host db1.paris: unknown key adress"},
		{`, address6 = "fd00:7::6"`, "", "tunnel paris: host web.paris: no key address"},
		{"postgresql = 5432", `postgresql = "5432"`, "tunnel paris: host db1.paris: the port of postgresql must be a number"},
		{"resync = { postgresql = 21h }", `resync = { postgresql = "21h" }`, "tunnel paris: resync postgresql must be a duration like 21h"},
		{`saturday = "19:00-03:00"`, `satuday = "19:00-03:00"`, "tunnel paris: downtime of db1.paris: unknown day satuday"},
		{`asked = "here"`, `asked = "her"`, "host watch: asked must be here, endpoint or nrpe"},
		{`asked = "here"`, `askd = "here"`, "host watch: no key asked"},
		{`, nrpe_command = "check_vpn_oslo"`, "", "tunnel oslo: no key nrpe_command, and branch is asked by NRPE"},
		{"const VpnTunnels", "const VpnTunnel", "undefined script variable 'VpnTunnels'"},
		{"const VpnHosts", "const VpnHost", "undefined script variable 'VpnHosts'"},
		{"vpn_host_far", "vpn_far", "gateway router.watch: unknown variable vpn_far"},
	} {
		text := strings.Replace(byHand, test.old, test.new, 1)
		if text == byHand {
			t.Fatalf("nothing to change: %s", test.old)
		}
		// A mistake is found before anything else is needed.
		if said, err := validate(t, "const PluginDir = \"/\"\n", text); err == nil || !strings.Contains(said, test.want) {
			t.Errorf("%s -> %s: want %s\n%s", test.old, test.new, test.want, said)
		}
	}
	if said, err := validate(t, n.bare(pluginDir(t)), ""); err == nil || !strings.Contains(said, "vpn-tunnels.conf is not loaded") {
		t.Errorf("%v\n%s", err, said)
	}
}
