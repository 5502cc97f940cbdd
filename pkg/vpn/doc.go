// Package vpn decides. What happens is folded into evidence, and a Judge says at
// each moment what it still wants to know, and in the end what is wrong. It is
// pure: no clock, no network, no printing. The same events at the same times
// always give the same verdict, so a check can be recorded and judged again.
//
// # The way
//
//	events -> evidence -> fates of the targets -> problems -> verdict
//	            |                 |
//	            +- loss test      +- wants: looks, and when time alone matters
//	            +- sizes
//
// Whoever runs a check owns a Judge, gives it each Event by Add, and calls Step
// when something was added or when Wants.Wake has come. Step gives the complete
// list of the looks that shall run now, the most important first. It is for
// package probe to carry them out, and for nobody to change the evidence.
//
// # The looks
//
// A Look is one thing to ask one address. What it is for, and its times:
//
//	resolve   Which addresses does the name have? Most of the time that is left,
//	          but never that of the first look.
//	first     Is there any doubt? -n packets, -i apart. Over when all are
//	          answered, or 250 ms after the last left.
//	silence   Is it silent? For whoever answered none of its first look: 15
//	          packets 30 ms apart, until any answer. Silent if none came until
//	          W after the last. One packet more leaves 1.05 s after the first
//	          look, because routers send about one ICMP error a second.
//	loss      How much is lost? For whoever lost a packet, or for all if the loss
//	          of all together is not clearly within the limits: up to 35 packets,
//	          100 ms apart. loss.go has the test.
//	control   Did a packet to another host pass at that moment? One packet.
//	connect   One attempt of tcp, http, https or ike. It has the time that is
//	          left, divided by the turns that all which wait will take. A second
//	          one follows if the first failed early.
//	sizes     Do packets of the size of --mtu pass, beside small ones?
//	path      How far do packets get? 30 packets of rising TTL to one silent far
//	          target and to each silent peer. Nothing waits for it.
//	route     By which way does this host send? Before and after.
//	counters  What did the interface count? Before and after.
//
// W, for how long an answer counts, is 100 ms more than the critical round-trip
// average, at least 600 ms. A later answer shows that the target lives. Time in
// which the program did not run ages nothing, and falsifies no round-trip time.
//
// # The causes
//
// What is our own fault is no evidence: no permission, no descriptors, no time.
// Such a target was not asked. Then evidence excludes causes: a silent near
// gateway is no news if a peer or any far target answers, a silent peer is none
// if any far target answers. What is left becomes a list of problems, each with
// a state of its own, and none hides another:
//
//	misuse, failed  UNKNOWN   nothing, or not all, could be asked
//	resolver-down   CRITICAL  no far target has an address
//	filtered        WARNING   no far target answers, but something came back through the tunnel
//	refused         CRITICAL  no far target answers, and far ones said no
//	too-few         CRITICAL  some far targets answer, fewer than --min-far
//	near-down       CRITICAL  far silent, near silent, and no peer answers
//	peer-down       CRITICAL  far silent, peers silent
//	tunnel-down     CRITICAL  far silent, a peer answers
//	down            CRITICAL  far silent, no peer asked
//	bypassed        CRITICAL  it answers, but packets leave otherwise than --via says
//	black-hole      CRITICAL  small packets pass, those of --mtu to no target
//	degraded        by limit  loss or round-trip time of all answering far icmp targets together
//	unprotected     WARNING   traffic passes, and fewer peers answer than --min-peer
//	partial         --partial some far targets are silent, or lose more than chance explains
//	service-down    WARNING   a target of another role fails while traffic passes
//	up              OK        none of these
//
// From resolver-down to down the first that fits is the cause. What a problem
// means for people is the plugin's to say, and may move its state; the worst
// leads then.
package vpn
