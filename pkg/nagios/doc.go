// Package nagios speaks the plugin protocol of Nagios and Icinga: states,
// thresholds, performance data and the report that carries them. It knows
// nothing of networks.
//
// It follows the Monitoring Plugins Development Guidelines,
// https://www.monitoring-plugins.org/doc/guidelines.html, and where the
// daemons differ it prints what all of them read alike: plain ASCII, all
// performance data on line 1, plain numbers only.
//
// Ranges and line 1 are made by github.com/olorin/nagiosplugin. That library
// trusts its caller, so everything handed to it is checked or cleaned here
// first: it panics on empty ranges, takes a state outside 0-3 for OK, prints
// labels and text as they come, and keeps pointers to its arguments. Nothing
// here calls its exit functions: the exit code belongs to the program.
//
// All values are safe for concurrent use as long as nobody changes them.
package nagios
