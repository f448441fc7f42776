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
}

// DefaultPolicy judges services that nothing else was said of.
var DefaultPolicy = Policy{
	StaleAfter:  1500 * time.Millisecond,
	ForgetAfter: time.Hour,
}
