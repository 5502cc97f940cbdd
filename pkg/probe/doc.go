// Package probe asks, and says what happens. It knows nothing of states,
// thresholds and verdicts.
//
// A vpn.Look is one thing to ask: some echo requests to an address, one
// connection, a name. The judge gives the complete list of those that it wants;
// the Prober starts the new ones, each in a goroutine of its own, and ends those
// that are not wanted any more. What happens leaves as a vpn.Event when it
// happens, and nothing is kept: how many packets are sent, how far apart, to
// whom and until when an answer counts, is for the judge to say.
//
// Who asks what:
//
//	pinger.go    first look, loss look, control    pro-bing, and how to live with it
//	echo.go      silence, sizes, path              the echo socket, which is told who says what
//	connect.go   connect                           tcp, and http.go, ike.go
//	resolve.go   resolve
//	route.go     route, counters                   the kernel, over netlink
//
// Times are offsets on the monotonic clock, taken before the event is handed
// over. An ended look says nothing more.
//
// # A new scheme
//
// What a target is asked is the scheme of its URL. To add one, say dns://
//
//  1. pkg/vpn/endpoint.go: a Scheme, its default port, and how its URL is read.
//     String must give what parses back to the same.
//  2. connect.go: dialer.try makes one attempt. It gives an error, or nil for an
//     answer, ends with its context, and uses dialer.dial or dialer.control, so that
//     -s, -I and --dscp hold. faultOf, in reason.go, says what an error means.
//  3. route.go, unless it is TCP: the protocol and port that --via asks the
//     kernel about. descriptors, in pkg/vpn/look.go, if it holds more than two sockets.
//  4. Its words: asked in pkg/plugin/explain.go, targetForms in pkg/plugin/help.go.
//  5. Tests: a fake that answers, refuses, is silent, and lies (fake_test.go), and
//     rows of pkg/lab/scenario.
//
// Judging does not change: it knows answers, refusals and silence, not schemes, but
// for icmp, whose packets are counted.
package probe
