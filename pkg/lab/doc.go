// Package lab makes real tunnels between network namespaces, and ways to
// break them, for tests and for the demo.
//
// An [Internet] is a relay that passes packets between sites under
// [Conditions] that may change while it runs. A [Site] is one organisation:
// a gateway on that internet, machines behind it and, where wanted, a host
// inside where the checks run. A [Tunnel] joins two gateways; there
// are several [Kinds]. [NewPair] raises one of a kind between two sites, and
// [NewWorld] as many as are described.
//
// The networks are made by ip(8), and packets pass in user space: the kernel needs
// no module but those of TUN and of virtual cables. Everything lives in one process
// and in namespaces without a name, and the programs of a tunnel end with the
// process, so nothing is left when it ends, however it ends. Nothing in the lab has a
// way out to the real internet.
//
// A program that uses the package calls its main function through [Main] or [Run].
package lab
