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
