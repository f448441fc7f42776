// Package judge turns the facts about a service into verdicts.
//
// [Evaluate] is one pure function of a policy, the facts and an instant: no
// clock, no lock, no I/O. The same facts at the same instant always give the
// same verdict. A verdict holds until the instant in its Next field; then the
// caller evaluates again.
//
// Facts carry instants of the sidecar's clock ([Instant]) instead of ages, so
// that they grow older without being changed.
package judge

import (
	"math"
	"time"
)

// Instant is a moment on the sidecar's clock, in nanoseconds since an origin
// that only the clock knows.
type Instant int64

// Never is later than every other instant.
const Never Instant = math.MaxInt64

// Add returns the instant d after i.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns how long after j i is.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }
