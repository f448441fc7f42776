// Package histogram counts durations in buckets whose bounds grow exponentially, as
// those of Prometheus's native histograms do.
//
// A client_golang histogram takes kilobytes once it is used. This one takes some 300
// bytes, and 32 more for each octave in which there was a duration, so that there can be
// one for each of ten thousand services. The bounds are fixed, so that nothing that is
// observed makes it larger.
package histogram

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// Schema is the number by which Prometheus knows the bounds: four buckets an
	// octave, so each bound is 1.19 times the one before.
	Schema = 2
	// perOctave is the number of buckets from one power of two to the next.
	perOctave = 1 << Schema
	// The lowest and the highest octave end at 2^firstExponent and 2^lastExponent
	// seconds. Longer durations count in the last bucket.
	firstExponent = -19
	lastExponent  = 12
	octaves       = lastExponent - firstExponent + 1
	// firstBucket is the number that Prometheus gives the first bucket.
	firstBucket = (firstExponent-1)*perOctave + 1
)

// ZeroThreshold is the longest duration that counts as zero, in seconds.
var ZeroThreshold = math.Ldexp(1, firstExponent-1)

// bounds are the lower bounds of the buckets of an octave, as parts of its end.
var bounds = [perOctave]float64{0.5, 0.5 * math.Sqrt2 / root4, 0.5 * math.Sqrt2, 0.5 * math.Sqrt2 * root4}

// root4 is the fourth root of two.
const root4 = 1.189207115002721066717499970560475915

// Durations counts durations. The zero value has none. Its methods are safe for
// concurrent use.
type Durations struct {
	sum     atomic.Int64 // in nanoseconds
	zero    atomic.Uint64
	octaves [octaves]atomic.Pointer[octave] // nil = there was no duration in it
}

type octave [perOctave]atomic.Uint64

// Observe counts a duration. A negative one counts as zero.
func (h *Durations) Observe(d time.Duration) {
	seconds := max(0, d).Seconds()
	if seconds <= ZeroThreshold {
		h.sum.Add(int64(max(0, d)))
		h.zero.Add(1)
		return
	}
	h.sum.Add(int64(d))
	i := bucketOf(seconds)
	o := h.octaves[i/perOctave].Load()
	for o == nil {
		h.octaves[i/perOctave].CompareAndSwap(nil, new(octave))
		o = h.octaves[i/perOctave].Load()
	}
	o[i%perOctave].Add(1)
}

// bucketOf returns the index of the bucket, whose upper bound belongs to it.
func bucketOf(seconds float64) int {
	part, exponent := math.Frexp(seconds)
	within := 0
	for within < perOctave && bounds[within] < part {
		within++
	}
	return min((exponent-1)*perOctave+within-firstBucket, octaves*perOctave-1)
}

// Counts are the durations that were observed by some moment.
type Counts struct {
	Count   uint64
	Sum     time.Duration
	Zero    uint64
	Buckets map[int]int64 // by the number that Prometheus gives the bucket; without empty ones
}

// Counts returns what was observed. Concurrent observations may be in one of its numbers
// and not yet in another, except that Count is that of all buckets.
func (h *Durations) Counts() Counts {
	c := Counts{Sum: time.Duration(h.sum.Load()), Zero: h.zero.Load(), Buckets: make(map[int]int64)}
	c.Count = c.Zero
	for i := range h.octaves {
		o := h.octaves[i].Load()
		if o == nil {
			continue
		}
		for j := range o {
			if n := o[j].Load(); n > 0 {
				c.Buckets[firstBucket+i*perOctave+j] = int64(n)
				c.Count += n
			}
		}
	}
	return c
}
