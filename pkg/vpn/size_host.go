package vpn

import (
	"iter"
	"net/netip"
	"slices"
	"time"
)

// The search for the largest size that passes asks for many sizes at once, so
// that it takes few round trips. What a round loses is only a hint: that a size
// does not pass is found out by pairs, as for the size that was asked for.
const (
	roundSizes   = 24
	roundSpacing = 5 * time.Millisecond

	// manyPackets to one host are enough to begin nothing more, so that there are
	// 160 at most. Without loss 1500 bytes take 3 rounds and 65535 take 4, which is
	// about 85 and 110 packets.
	manyPackets = 120
)

// An answer is waited for by the round-trip times seen: big packets take longer
// on a slow line. It is never longer than an answer counts.
const (
	minPatience   = 250 * time.Millisecond
	extraPatience = 150 * time.Millisecond
	timesPatience = 3
)

// sizedHost is one host that is sent big packets.
type sizedHost struct {
	*asked
	test  *sizeTest
	looks []Look // all that were wanted, as they follow each other

	series    *series // the pairs that go on
	searching bool    // for the largest size that passes, in rounds and, if nothing is left between, pairs
	lo, hi    int     // of the search: the largest that passes, and the smallest that does not, as far as known

	passes   bool // a packet of the size that is asked for was answered
	vanishes bool // none passes, though small ones do
	limited  bool // that cannot be said: others were lost too
	exact    bool // of the search: what is larger does not pass
	over     bool
}

// series are pairs of packets, one of them of a size and one small.
type series struct {
	bytes  int
	from   int // its place in looks
	pairs  int // that are wanted in all, so far
	lastAt time.Duration
}

// outcome is what is known of packets of a size.
type outcome uint8

const (
	undecided outcome = iota
	pass
	vanish
	cannotSay
)

// step goes on with one host. ready tells that it has answered small packets, and
// that pairs disturb nothing.
func (h *sizedHost) step(ready bool) {
	asked := h.test.plan.MTU
	big := h.of(asked)
	switch {
	case big.Answered > 0: // however late: they were only slow
		h.passes, h.vanishes, h.limited, h.over = true, false, false, true
	case h.over:
	case len(h.looks) == 0:
		h.want(1, 0, asked, asked)
	case h.series != nil:
		h.goOnWithPairs()
	case h.searching:
		h.endRound()
	case big.pending > 0:
		h.test.wakeAt(big.due)
	case !ready:
	case h.test.series == maxSeries:
		h.over = true
	default:
		h.test.series++
		h.beginSeries(asked)
	}
}

func (h *sizedHost) goOnWithPairs() {
	switch h.judgeSeries() {
	case cannotSay:
		h.limited, h.over = !h.searching, true
	case vanish:
		h.series = nil
		if h.searching {
			h.exact, h.over = true, true
			return
		}
		h.vanishes = true
		h.beginSearch()
	case pass: // chance has lost the first ones
		h.series = nil
		h.narrow()
	}
}

func (h *sizedHost) beginSearch() {
	asked := h.test.plan.MTU
	if h.of(asked).failed > 0 || h.test.searches == maxSearches {
		h.over = true
		return
	}
	h.test.searches++
	h.searching, h.lo, h.hi = true, smallest(h.addr), asked
	h.next()
}

// want adds a look of packets of these sizes.
func (h *sizedHost) want(n int, spacing time.Duration, from, to int) {
	l := h.look(Sizes, n, spacing)
	l.Bytes, l.To = from, to
	h.looks = append(h.looks, l)
}

// BytesOf is how large the i-th packet of a look of Sizes is, from 0: they rise
// evenly. It is 0 for other looks, whose packets have the usual small size.
func (l Look) BytesOf(i int) int {
	if l.Packets < 2 {
		return l.Bytes
	}
	return l.Bytes + (l.To-l.Bytes)*i/(l.Packets-1)
}

// smallest is the size of the echo requests of other looks.
func smallest(addr netip.Addr) int {
	const data, icmpHeader = 24, 8
	if addr.Is6() {
		return 40 + icmpHeader + data
	}
	return 20 + icmpHeader + data
}

// sizeCount is what became of packets of one size.
type sizeCount struct {
	Tried
	failed  int // did not leave this host
	lost    int // not answered in time, or said to be too big
	pending int // still to leave, or to be answered in time
	due     time.Duration
	icmp    *ICMPMessage // who said that it is too big
}

// isSaid tells whether it is known without a count of losses that such packets do
// not pass.
func (n sizeCount) isSaid() bool { return n.TooBig >= plainWords || n.failed >= plainWords }

// packetsOf gives the packets of looks with their sizes. A packet is nil if it has
// not left yet.
func (h *sizedHost) packetsOf(looks []Look) iter.Seq2[int, *packet] {
	return func(yield func(int, *packet) bool) {
		for _, l := range looks {
			for i := range l.Packets {
				var p *packet
				if k := l.First + i; k < len(h.packets) && h.packets[k].look == Sizes && h.packets[k].state != planned {
					p = &h.packets[k]
				}
				if !yield(l.BytesOf(i), p) {
					return
				}
			}
		}
	}
}

// count finds out what became of the packets from a size to another, of these
// looks.
func (h *sizedHost) count(looks []Look, from, to int) (n sizeCount) {
	patience := h.patience()
	for bytes, p := range h.packetsOf(looks) {
		if from <= bytes && bytes <= to {
			h.add(&n, p, patience)
		}
	}
	return n
}

// of is what became of all packets of a size.
func (h *sizedHost) of(bytes int) sizeCount { return h.count(h.looks, bytes, bytes) }

// add counts one packet.
func (h *sizedHost) add(n *sizeCount, p *packet, patience time.Duration) {
	if p == nil {
		n.pending++
		return
	}
	left := patience - h.test.ev.age(p.sent, h.test.now)
	switch {
	case p.state == void:
		return
	case p.state == answered:
		n.Answered++
	case p.state == failed:
		n.failed++
	case p.icmp != nil && p.icmp.isTooBig(h.addr):
		n.TooBig++
		n.lost++
		n.icmp = p.icmp
	case left <= 0:
		n.lost++
	default:
		n.pending++
		n.due = earliest(n.due, h.test.now+left)
	}
	n.Sent++
}

// patience is how long an answer is waited for before a packet is taken for lost.
func (h *sizedHost) patience() time.Duration {
	longest, most := time.Duration(0), h.test.ev.wait
	for k := range h.packets {
		if p := &h.packets[k]; p.state == answered && p.look != Path {
			longest = max(longest, p.took-p.paused)
		}
	}
	if longest == 0 {
		return most
	}
	return min(max(timesPatience*longest+extraPatience, minPatience), most)
}

func (h *sizedHost) beginSeries(bytes int) {
	h.series = &series{bytes: bytes, from: len(h.looks), pairs: leastLost}
	h.nextPair()
}

// nextPair sends a pair if it is time for one. The hosts take turns as they stand.
func (h *sizedHost) nextPair() {
	s, t := h.series, h.test
	n := len(h.looks) - s.from
	at := t.pairAt
	if n > 0 {
		at = max(at, s.lastAt+pairSpacing)
	}
	if t.now >= at {
		from, to := s.bytes, smallest(h.addr)
		if smallFirst>>n&1 == 1 {
			from, to = to, from
		}
		h.want(2, pairSpacing/2, from, to)
		s.lastAt, t.pairAt = t.now, t.now+pairPace
		at = t.now + pairSpacing
	}
	t.wakeAt(at)
}

// judgeSeries finds out what the pairs have told so far, and sends more of them
// if that is not enough.
func (h *sizedHost) judgeSeries() outcome {
	s := h.series
	looks, least := h.looks[s.from:], smallest(h.addr)
	big, small := h.count(looks, s.bytes, s.bytes), h.count(looks, least, least)
	need := max(enough(small.Sent, small.Answered), h.test.beside)
	switch {
	case big.Answered > 0:
		return pass
	case big.isSaid() && small.Answered > 0, big.lost >= need:
		return vanish
	case len(looks) < s.pairs:
		h.nextPair()
	case big.pending > 0:
		h.test.wakeAt(big.due)
	case small.pending > 0:
		h.test.wakeAt(small.due)
	case s.pairs == mostPairs, small.Answered == 0:
		return cannotSay
	default:
		s.pairs = min(max(need, s.pairs+1), mostPairs)
		return h.judgeSeries()
	}
	return undecided
}

// endRound finds the smallest size of a round that does not pass, when no answer
// is to come that could be larger than those that came.
func (h *sizedHost) endRound() {
	round, passing := h.looks[len(h.looks)-1:], h.passing(h.lo)
	if n := h.count(round, passing+1, h.test.plan.MTU); n.pending > 0 {
		h.test.wakeAt(n.due)
		return
	}
	for bytes := range h.packetsOf(round) {
		if bytes > passing {
			h.hi = bytes
			break
		}
	}
	h.narrow()
}

// narrow goes on with what is left between the two sizes.
func (h *sizedHost) narrow() {
	if h.lo = h.passing(h.lo); h.hi <= h.lo {
		h.hi = h.test.plan.MTU
	}
	h.next()
}

// next begins a round between what passes and what does not, or pairs if nothing
// is between them.
func (h *sizedHost) next() {
	packets := 0
	for _, l := range h.looks {
		packets += l.Packets
	}
	switch {
	case h.hi-h.lo == 1 && (h.hi == h.test.plan.MTU || h.of(h.hi).TooBig > 0):
		h.exact, h.over = true, true
	case packets >= manyPackets:
		h.over = true
	case h.hi-h.lo == 1:
		h.beginSeries(h.hi)
	default:
		h.round()
	}
}

// round sends a packet of each of many sizes. What somebody said to fit is tried
// first.
func (h *sizedHost) round() {
	between := h.hi - h.lo
	n := min(roundSizes, between-1)
	from, to := h.lo+between/(n+1), h.lo+between*n/(n+1)
	if m := h.of(h.hi).icmp; m != nil && h.lo < m.MTU && m.MTU < h.hi {
		from, to = m.MTU, min(m.MTU+1, h.hi-1)
		n = to - from + 1
	}
	h.want(n, roundSpacing, from, to)
}

// passing is the largest size that was answered, at least the given one.
func (h *sizedHost) passing(least int) int {
	for bytes, p := range h.packetsOf(h.looks) {
		if p != nil && p.state == answered {
			least = max(least, bytes)
		}
	}
	return least
}

// tried is what became of the packets of each size.
func (h *sizedHost) tried() (list []Tried) {
	var sizes []int
	for bytes := range h.packetsOf(h.looks) {
		sizes = append(sizes, bytes)
	}
	slices.Sort(sizes)
	for _, bytes := range slices.Compact(sizes) {
		if n := h.of(bytes); n.Sent > 0 {
			n.Bytes = bytes
			list = append(list, n.Tried)
		}
	}
	return list
}

// describe says what is known.
func (h *sizedHost) describe(s *Size) {
	stuck := h.test.isStuck(h)
	asked := h.of(s.Asked)
	s.Known, s.Passes = h.passes || stuck, h.passes
	s.Limited = asked.Sent > 0 && (h.limited || h.vanishes && !stuck)
	s.Tried = h.tried()
	if !stuck {
		return
	}
	s.TooBig = asked.icmp
	if asked.failed > 0 {
		s.Fault = h.fault
	}
	small := smallest(h.addr)
	if s.Largest, s.Exact = h.passing(small), h.exact; h.exact {
		s.TooBig = h.of(s.Largest + 1).icmp
	} else if s.Largest == small {
		s.Largest = 0
	}
}
