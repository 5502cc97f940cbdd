// Package plugin is the program that the plugins share: it reads the arguments,
// asks and judges under one deadline, prints the report and gives the exit code.
// What is special about a tunnel comes from the plugin's own folder, as a Tunnel:
// its roles, its options, and what an outage means for people. The example is a
// fourth tunnel.
//
// # The house
//
//	check_vpn_office/     what is special about one tunnel
//	check_vpn_dr/
//	check_vpn_licensing/
//	pkg/plugin/    the program: arguments, one loop, output
//	pkg/probe/     asks, and says what happens; decides nothing
//	pkg/vpn/       decides what to ask and what is wrong; pure
//	pkg/nagios/    states, thresholds, report, perfdata; knows nothing of networks
//	pkg/terminal/  a person's screen; knows nothing of both
//	pkg/manual/    man pages and completions, made from the options; not in the plugins
//	pkg/lab/       real tunnels between network namespaces, and ways to break them
//	icinga/        configuration, the tests that load it into the real daemons, and what raises
//	               the tunnels that it describes in the laboratory
//	.package/      the packages, and the test that installs them
//
// plugin imports probe, vpn, nagios and terminal; probe imports vpn, and vpn
// imports nagios. No arrow goes back, and no plugin imports the laboratory.
//
// # The way of the data
//
//	arguments -> plan -> events -> evidence -> verdict -> impact -> report
//
//	arguments  glance.go looks for -h, -V, -o json and -t; extraopts.go adds those of
//	           --extra-opts; options.go has go-flags read them all
//	plan       plan.go checks each option. A plan does not change once it is made.
//	           prepare.go bounds by -t how long files are read
//	events     what package probe says as it happens: sent, answered, refused
//	evidence   what package vpn folds events into
//	verdict    a list of problems, the worst first, each with a cause
//	impact     what each problem means for people, which the Tunnel says. It may move
//	           the state, and then another problem may lead
//	report     report.go, ticket.go, table.go: for a daemon, a vendor, a person
//
// One loop, in check.go, is the only owner of the evidence:
//
//	for each event, and when time alone matters:
//		judge.Add(event)
//		wants, decided := judge.Step(now)
//		if decided { the verdict is final }
//		start the looks that it wants, end those that it does not
//
// It stops at -t less 300 ms, which are for judging and printing. A signal ends it
// likewise, with what is known by then.
//
// With -o events every event is printed as it happens, after a line that has the
// plan and before one that has the report. --replay gives such a file to a new
// judge in place of the network: record.go.
//
// # What is printed
//
// The output is read by a daemon, by a pager that shows line 1 alone, and by NRPE
// of version 2, which cuts at 1,023 bytes. So what matters comes first:
//
//	line 1      state, environment, tunnel, what broke, impact | totals
//	Cause:      by which a runbook is sorted; --runbook makes it a link
//	1. 2. 3.    what to do
//	Contact:    whom to call (--contact)
//	[STATE]     the near gateways, the peers, then the rest, worst first; targets of
//	            a group or role that all say the same share a line
//	            what else was measured: path, counters
//	|           figures of each target
//
// All is printable ASCII, and nothing that a far end sends is printed as it came.
package plugin
