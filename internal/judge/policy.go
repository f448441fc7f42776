package judge

import "time"

// Policy says how one service is judged.
type Policy struct {
	// StaleAfter is how long a connected process may be silent before it
	// counts as frozen.
	StaleAfter time.Duration
	// ForgetAfter is how long a lost process counts. After that the others are
	// judged without it.
	ForgetAfter time.Duration
	// Quorum is how many of the service's processes must be healthy.
	Quorum Quorum

	// FallAfter is how long readiness must fail continuously before the
	// verdict says so. It does not delay a drain or a goodbye.
	FallAfter time.Duration
	// RecoverAfter is how long readiness must be healthy again before the
	// verdict says so.
	RecoverAfter time.Duration
	// SlowStart is how long the weight takes to grow to its full value after a
	// recovery.
	SlowStart time.Duration
}

// DefaultPolicy is for services without a configuration.
var DefaultPolicy = Policy{
	StaleAfter:  1500 * time.Millisecond,
	ForgetAfter: time.Hour,
}

// Quorum is how many of the processes that count must be healthy for the
// service to be healthy: all of them, or at least a number.
type Quorum struct {
	// AtLeast is the number; 0 means all.
	AtLeast int
	// NoneNeeded means that no process needs to have reported. Until one has,
	// only the host's landmarks are judged.
	NoneNeeded bool
}

// The quorums that have names.
var (
	All        = Quorum{}
	Any        = Quorum{AtLeast: 1}
	NoneNeeded = Quorum{NoneNeeded: true}
)

// met reports whether so many healthy processes of those that count are enough.
func (q Quorum) met(healthy, counted int) bool {
	if q.AtLeast == 0 {
		return healthy == counted
	}
	return healthy >= q.AtLeast
}
