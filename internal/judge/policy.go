package judge

import "time"

// Policy is how one service is to be judged.
type Policy struct {
	// StaleAfter is how long a connected process may be silent before it is
	// taken for frozen.
	StaleAfter time.Duration
	// ForgetAfter is how long a lost process is missed before the others are
	// judged without it.
	ForgetAfter time.Duration
	// Quorum is how many of its processes must be well.
	Quorum Quorum

	// FallAfter is how long readiness must have failed before that is told.
	// It does not put off a drain or a goodbye.
	FallAfter time.Duration
	// RecoverAfter is how long readiness must be well again before that is
	// told.
	RecoverAfter time.Duration
	// SlowStart is how long the weight then takes to grow to what it is.
	SlowStart time.Duration
}

// DefaultPolicy judges services that nothing else was said of.
var DefaultPolicy = Policy{
	StaleAfter:  1500 * time.Millisecond,
	ForgetAfter: time.Hour,
}
