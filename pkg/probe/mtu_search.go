package probe

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// The search asks for several sizes at once, so that it takes few round trips:
// each round cuts what is open to a thirteenth.
const (
	roundSizes    = 12
	roundPackets  = 2 // of each size
	searchSpacing = 5 * time.Millisecond
	confirmations = 6 // more packets of the smallest size that did not pass

	// maxSearched bounds the packets of one search, about 160 kB for 1500 bytes.
	// Without loss 1500 bytes take 3 rounds and 65535 take 5.
	maxSearched = 160
)

// sizes is what is known of packets by their bytes.
type sizes map[int]*size

type size struct {
	Size
	told *ToldError // who said that it is too big
	mtu  int        // what was said to fit; 0 where nothing was
}

func (s sizes) of(bytes int) *size {
	if s[bytes] == nil {
		s[bytes] = &size{Size: Size{Bytes: bytes}}
	}
	return s[bytes]
}

func (s sizes) list() (list []Size) {
	for _, bytes := range slices.Sorted(maps.Keys(s)) {
		if s[bytes].Sent > 0 {
			list = append(list, s[bytes].Size)
		}
	}
	return list
}

func (s sizes) told(bytes int) *ToldError { return s.of(bytes).told }

// passing is the largest of these sizes that was answered, or else less.
func (s sizes) passing(list []int, less int) int {
	for _, bytes := range list {
		if s.of(bytes).Answered > 0 {
			less = max(less, bytes)
		}
	}
	return less
}

// settled tells whether nothing more is to be learned from the packets of
// these sizes: one is answered, and all larger ones are said to be too big.
func (s sizes) settled(list []int) bool {
	largest := s.passing(list, 0)
	return !slices.ContainsFunc(list, func(bytes int) bool {
		return bytes > largest && s.of(bytes).TooBig == 0
	})
}

// smallest is the size of the echo requests that have been answered.
func smallest(addr netip.Addr) int { return headers(addr) + 24 }

// headers are the bytes of an echo request that are not payload.
func headers(addr netip.Addr) int {
	if addr.Is6() {
		return 40 + 8
	}
	return 20 + 8
}

// search looks for the largest size that passes.
type search struct {
	known sizes
	asked int // does not pass
	least int // passes
	// round sends a packet of each size and listens. It is false when there is
	// no more time.
	round func(sizes []int, spacing time.Duration) bool
}

// largest is the largest size that was seen to pass, 0 if none was, and
// whether it is certain that one byte more does not.
func (s search) largest() (bytes int, exact bool) {
	lo, hi := s.least, s.asked
	for left := maxSearched; ; {
		list, spacing := s.next(lo, hi), searchSpacing
		if hi-lo == 1 {
			if hi == s.asked || s.known.told(hi) != nil {
				return lo, true
			}
			list, spacing = slices.Repeat([]int{hi}, confirmations), fullSpacing
		}
		if left -= len(list); left < 0 || !s.round(list, spacing) {
			break
		}
		passing := s.known.passing(list, lo)
		switch {
		case hi-lo > 1:
			lo, hi = passing, above(list, passing, hi)
		case passing > lo: // chance has lost the first ones
			lo, hi = passing, s.asked
		default:
			return lo, true
		}
	}
	if lo = s.known.passing(slices.Collect(maps.Keys(s.known)), 0); lo == s.asked {
		return 0, false
	}
	return lo, false
}

// above is the smallest of these sizes that is larger than one, or else hi.
func above(list []int, than, hi int) int {
	for _, bytes := range list {
		if bytes > than {
			hi = min(hi, bytes)
		}
	}
	return hi
}

// next are the sizes to ask for between one that passes and one that does not.
// What somebody said to fit is tried first.
func (s search) next(lo, hi int) (list []int) {
	if said := s.known.of(hi).mtu; lo < said && said < hi {
		list = append(list, said)
		if said+1 < hi {
			list = append(list, said+1)
		}
	} else {
		n := min(roundSizes, hi-lo-1)
		for i := range n {
			list = append(list, lo+(hi-lo)*(i+1)/(n+1))
		}
	}
	return slices.Repeat(list, roundPackets)
}
