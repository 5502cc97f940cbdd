package probe

import (
	"net/netip"
	"slices"
	"time"
)

// Outcome is what became of one packet or attempt, or of a target as a whole.
type Outcome uint8

// The outcomes, from the least told to the most: a target's outcome is the
// largest among those of its attempts.
const (
	Pending  Outcome = iota // nothing yet, and an answer would still count
	Silent                  // no answer in time, or the way there is closed
	Refused                 // the target itself said no
	Answered                // the target answered
)

// Attempt is one echo request or one connection.
type Attempt struct {
	At      time.Duration // when it was made, since the probing began
	Took    time.Duration // until it ended: the round-trip time of an echo
	Outcome Outcome
	Answer  string // what was answered, where that has a name, as NO_PROPOSAL_CHOSEN of IKE
	Err     error  // why it was refused or stayed silent, where that is known
}

func (a Attempt) answered() bool   { return a.Outcome == Answered }
func (a Attempt) unanswered() bool { return a.Outcome != Answered }

// Result is what is known of one target at one moment.
type Result struct {
	// Addr is the address that the attempts were made to: of several, the one
	// that answered best. It is invalid where the name had none.
	Addr     netip.Addr
	Attempts []Attempt
	// Err says why nothing was asked: a *ResolveError, or a *UnableError.
	Err error
	// FirstLookOver tells that nothing of the first look is still to come.
	FirstLookOver bool
	// Left is how many attempts may still follow.
	Left int
	// Resolved is when the name had been looked up, since the probing began; 0
	// for an address.
	Resolved time.Duration
	// Routes are those that the kernel gave for the address, in the order of
	// asking.
	Routes []Route
	// Told is why nothing was answered, as somebody on the way said.
	Told *ToldError
	// MTU is whether big packets pass; nil where that is not asked.
	MTU *MTU
	// Privilege is how echo requests were sent, "unprivileged" or "raw"; empty
	// where none were.
	Privilege string
}

// Outcome is that of the best attempt whose outcome is known; Pending where
// there is none. A target that is alive all the same has refused.
func (r Result) Outcome() Outcome {
	best := Pending
	if r.Err != nil {
		best = Silent
	}
	for _, a := range r.Attempts {
		best = max(best, a.Outcome)
	}
	if r.Told.Alive() {
		best = max(best, Refused)
	}
	return best
}

// Sent counts the attempts whose outcome is known. One that is still pending
// is not counted: it is not lost yet.
func (r Result) Sent() int { return len(r.Attempts) - r.count(Pending) }

// Received counts the attempts that were answered.
func (r Result) Received() int { return r.count(Answered) }

func (r Result) count(o Outcome) (n int) {
	for _, a := range r.Attempts {
		if a.Outcome == o {
			n++
		}
	}
	return n
}

// Took is the sum of the times that the answered attempts took, so that the
// averages of several targets can be pooled.
func (r Result) Took() (sum time.Duration) {
	for _, a := range r.Attempts {
		if a.Outcome == Answered {
			sum += a.Took
		}
	}
	return sum
}

// tell adds what somebody said about a target of which nothing was answered.
// An echo request's error is of this machine's sending, and more direct; that
// of a connection may well be what was said, without who said it.
func (r *Result) tell(told *ToldError, s Scheme) {
	r.Told = told
	for i := range r.Attempts {
		if a := &r.Attempts[i]; s != ICMP && a.Outcome == Silent && vague(a.Err) {
			a.Err = told
		}
	}
}

// Reason is why the target did not answer, where anything is known: that it is
// alive all the same, the last error among its attempts, what was told, or the
// error of the whole.
func (r Result) Reason() error {
	if r.Told.Alive() {
		return r.Told
	}
	for _, a := range slices.Backward(r.Attempts) {
		if a.Err != nil {
			return a.Err
		}
	}
	if r.Told != nil {
		return r.Told
	}
	return r.Err
}

// Answer is the name of what was answered, where it has one.
func (r Result) Answer() string {
	for _, a := range slices.Backward(r.Attempts) {
		if a.Answer != "" {
			return a.Answer
		}
	}
	return ""
}

// Assume is the result as it would be if every pending attempt ended so. It is
// how one finds out whether waiting can change anything.
func (r Result) Assume(o Outcome, took time.Duration) Result {
	r.FirstLookOver = true
	r.Attempts = slices.Clone(r.Attempts)
	if len(r.Attempts) == 0 && r.Err == nil {
		r.Attempts = []Attempt{{}}
	}
	for i := range r.Attempts {
		if a := &r.Attempts[i]; a.Outcome == Pending {
			a.Outcome, a.Took = o, took
		}
	}
	if r.MTU != nil && r.MTU.Outcome == Pending {
		r.MTU = &MTU{Asked: r.MTU.Asked, Outcome: o}
	}
	return r
}

// Best is the result as it would be if every pending attempt, and all that may
// still follow, were answered at once.
func (r Result) Best() Result {
	r = r.Assume(Answered, 0)
	for range r.Left {
		r.Attempts = append(r.Attempts, Attempt{Outcome: Answered})
	}
	return r
}
