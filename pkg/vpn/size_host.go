package vpn

import (
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
	lossTarget
	test  *sizeTest
	looks []Look // all that were wanted, as they follow each other

	series *series // the pairs that go on
	search *search

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

// search is for the largest size that passes, in rounds and, if nothing is left
// between the two, pairs.
type search struct{ lo, hi int } // the largest that passes, and the smallest that does not, as far as known

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
	case big.answered > 0: // however late: they were only slow
		h.passes, h.vanishes, h.limited, h.over = true, false, false, true
	case h.over:
	case len(h.looks) == 0:
		h.want(1, 0, asked, asked)
	case h.search != nil:
		h.goOnSearching()
	case h.series != nil:
		h.goOnWithPairs()
	case big.pending > 0:
		h.wakeAt(big.due)
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
		h.limited, h.over = true, true
	case vanish:
		h.vanishes, h.series = true, nil
		if h.of(h.test.plan.MTU).failed > 0 || h.test.searches == maxSearches {
			h.over = true
			return
		}
		h.test.searches++
		h.search = &search{lo: smallest(h.asked.addr), hi: h.test.plan.MTU}
		h.next()
	}
}

// want adds a look of packets of these sizes.
func (h *sizedHost) want(n int, spacing time.Duration, from, to int) {
	h.looks = append(h.looks, Look{Kind: Sizes, Target: h.index, Addr: h.asked.addr, First: h.asked.plan(n),
		Packets: n, Spacing: spacing, Bytes: from, To: to})
}

func (h *sizedHost) wakeAt(at time.Duration) { h.test.wakeAt(at) }

// BytesOf is how large a packet of a look of Sizes is, the first being 0.
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
	sent, answered, tooBig int
	failed                 int // did not leave this host
	lost                   int // not answered in time, or said to be too big
	pending                int // still to leave, or to be answered in time
	due                    time.Duration
	icmp                   *ICMPMessage // who said that it is too big
}

// isSaid tells whether it is known without a count of losses that such packets do
// not pass.
func (n sizeCount) isSaid() bool { return n.tooBig >= plainWords || n.failed >= plainWords }

// count finds out what became of the packets from a size to another, of these
// looks.
func (h *sizedHost) count(looks []Look, from, to int) (n sizeCount) {
	patience := h.patience()
	for _, l := range looks {
		for i := range l.Packets {
			if bytes := l.BytesOf(i); from <= bytes && bytes <= to {
				h.add(&n, l.First+i, patience)
			}
		}
	}
	return n
}

// of is what became of all packets of a size.
func (h *sizedHost) of(bytes int) sizeCount { return h.count(h.looks, bytes, bytes) }

// add counts one packet.
func (h *sizedHost) add(n *sizeCount, number int, patience time.Duration) {
	p := h.packet(number)
	if p == nil {
		n.pending++
		return
	}
	left := patience - h.test.ev.age(p.sent, h.test.now)
	switch {
	case p.state == void:
		return
	case p.state == answered:
		n.answered++
	case p.state == failed:
		n.failed++
	case p.icmp != nil && p.icmp.isTooBig(h.asked.addr):
		n.tooBig++
		n.lost++
		n.icmp = p.icmp
	case left <= 0:
		n.lost++
	default:
		n.pending++
		if at := h.test.now + left; n.due == 0 || at < n.due {
			n.due = at
		}
	}
	n.sent++
}

// packet is what is known of one packet; nil if it has not left yet.
func (h *sizedHost) packet(number int) *packet {
	if number >= len(h.asked.packets) {
		return nil
	}
	if p := &h.asked.packets[number]; p.look == Sizes && p.state != planned {
		return p
	}
	return nil
}

// patience is how long an answer is waited for before a packet is taken for lost.
func (h *sizedHost) patience() time.Duration {
	longest, most := time.Duration(0), h.test.ev.wait
	for k := range h.asked.packets {
		if p := &h.asked.packets[k]; p.state == answered && p.look != Path {
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
		from, to := s.bytes, smallest(h.asked.addr)
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
	looks, least := h.looks[s.from:], smallest(h.asked.addr)
	big, small := h.count(looks, s.bytes, s.bytes), h.count(looks, least, least)
	need := max(enough(small.sent, small.answered), h.test.beside)
	switch {
	case big.answered > 0:
		return pass
	case big.isSaid() && small.answered > 0, big.lost >= need:
		return vanish
	case len(looks) < s.pairs:
		h.nextPair()
	case big.pending > 0:
		h.wakeAt(big.due)
	case small.pending > 0:
		h.wakeAt(small.due)
	case s.pairs == mostPairs, small.answered == 0:
		return cannotSay
	default:
		s.pairs = min(max(need, s.pairs+1), mostPairs)
		return h.judgeSeries()
	}
	return undecided
}

// goOnSearching looks at what a round or pairs have told, and begins the next.
func (h *sizedHost) goOnSearching() {
	s := h.search
	if h.series != nil {
		switch h.judgeSeries() {
		case undecided:
			return
		case vanish:
			h.exact, h.over = true, true
			return
		case cannotSay:
			h.over = true
			return
		}
		h.series = nil // chance has lost the first ones
	} else if !h.endRound() {
		return
	}
	if s.lo = h.passing(s.lo); s.hi <= s.lo {
		s.hi = h.test.plan.MTU
	}
	h.next()
}

// endRound finds the smallest size of a round that does not pass, when no answer
// is to come that could be larger than those that came.
func (h *sizedHost) endRound() bool {
	round, passing := h.looks[len(h.looks)-1:], h.passing(h.search.lo)
	n := h.count(round, passing+1, h.test.plan.MTU)
	if n.pending > 0 {
		h.wakeAt(n.due)
		return false
	}
	for _, bytes := range slices.Backward(sizesOf(round)) {
		if bytes > passing {
			h.search.hi = bytes
		}
	}
	return true
}

// next begins a round between what passes and what does not, or pairs if nothing
// is between them.
func (h *sizedHost) next() {
	s, packets := h.search, 0
	for _, l := range h.looks {
		packets += l.Packets
	}
	switch {
	case s.hi-s.lo == 1 && (s.hi == h.test.plan.MTU || h.of(s.hi).tooBig > 0):
		h.exact, h.over = true, true
	case packets >= manyPackets:
		h.over = true
	case s.hi-s.lo == 1:
		h.beginSeries(s.hi)
	default:
		h.round()
	}
}

// round sends a packet of each of many sizes. What somebody said to fit is tried
// first.
func (h *sizedHost) round() {
	s := h.search
	n := min(roundSizes, s.hi-s.lo-1)
	from, to := s.lo+(s.hi-s.lo)/(n+1), s.lo+(s.hi-s.lo)*n/(n+1)
	if m := h.of(s.hi).icmp; m != nil && s.lo < m.MTU && m.MTU < s.hi {
		from, to = m.MTU, min(m.MTU+1, s.hi-1)
		n = to - from + 1
	}
	h.want(n, roundSpacing, from, to)
}

// passing is the largest size that was answered, at least the given one.
func (h *sizedHost) passing(least int) int {
	for _, l := range h.looks {
		for i := range l.Packets {
			if p := h.packet(l.First + i); p != nil && p.state == answered {
				least = max(least, l.BytesOf(i))
			}
		}
	}
	return least
}

// sizesOf are the sizes of packets of looks, in order.
func sizesOf(looks []Look) (list []int) {
	for _, l := range looks {
		for i := range l.Packets {
			list = append(list, l.BytesOf(i))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// describe says what is known.
func (h *sizedHost) describe(s *Size) {
	stuck := h.test.isStuck(h)
	s.Known, s.Passes, s.Limited = h.passes || stuck, h.passes, h.limited || h.vanishes && !stuck
	for _, bytes := range sizesOf(h.looks) {
		if n := h.of(bytes); n.sent > 0 {
			s.Tried = append(s.Tried, Tried{bytes, n.sent, n.answered, n.tooBig})
		}
	}
	if !stuck {
		return
	}
	asked := h.of(s.Asked)
	s.TooBig = asked.icmp
	if asked.failed > 0 {
		s.Fault = h.asked.fault
	}
	small := smallest(h.asked.addr)
	if s.Largest, s.Exact = h.passing(small), h.exact; h.exact {
		s.TooBig = h.of(s.Largest + 1).icmp
	} else if s.Largest == small {
		s.Largest = 0
	}
}
