package main

import (
	"bytes"
	"fmt"
)

// printZones prints zones.conf for a master and a satellite on each host that asks.
func printZones(b *bytes.Buffer, s *site) {
	fmt.Fprintf(b, `/* How it grows past one host: made of %s by
 *   check-vpn-generate zones >zones.conf
 * The same file on all of them, in /etc/icinga2/zones.conf. The NodeName of each is
 * the name of its Endpoint.
 *
 *   master     schedules, judges and tells; put vpn-commands.conf into its
 *              zones.d/vpn-commands/, and the other files vpn-*.conf into its
 *              zones.d/master/
 *   the rest   satellites, one at each host that asks: they run the checks of their
 *              tunnels, where they are
 *
 * In %[1]s, asked = endpoint stands in the section of each satellite. They have
 * the plugins, that file, this one, and in their ApiListener accept_commands = true
 * and accept_config = true.
 *
 * The master schedules all checks, and the satellites run them
 * (command_endpoint). So a satellite that is gone is told once, by its service
 * "satellite", and its tunnels become UNKNOWN; scheduled by the satellite, they
 * would stay at the master as they were last seen, OK for ever. The master
 * begins with that when it has run for five minutes, and gives everybody time
 * to connect until then.
 */

object Endpoint "master" {
}

object Zone "master" {
  endpoints = [ "master" ]
}

object Zone "vpn-commands" {
  global = true
}
`, s.file)
	for _, a := range s.askers {
		fmt.Fprintf(b, `
object Endpoint %[1]s {
  host = %[2]s
}

object Zone %[1]s {
  endpoints = [ %[1]s ]
  parent = "master"
}
`, quote(a.name), quote(a.address))
	}
}
