package frontend

import (
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/histogram"
)

// sampleEvery is of how many answers from memory one is timed. Two readings of the clock
// take about half as long as the rest of landmarkd's own work for an answer that is sent
// alone. Answers that are sent together share them.
const sampleEvery = 64

// MaxTogether is the most answers that are counted together.
const MaxTogether = sampleEvery

// Answers counts the answers of a front end, and how long they took from the reading of
// the request until they were sent. The zero value is ready, and its methods are safe
// for concurrent use.
type Answers struct {
	count  atomic.Uint64
	memory histogram.Durations // of a sample of the answers from memory
	waited histogram.Durations // of all that had to wait
}

// Timing is the time that one answer takes.
type Timing struct {
	began  time.Duration // since epoch; 0 = it is not timed
	waited bool
}

// epoch is what times are measured from: a Duration is cheaper to pass on than a Time.
var epoch = time.Now().Add(-1)

// Begin begins the timing of an answer. The caller calls End when the answer is sent, and
// nothing if none is sent.
func (a *Answers) Begin() Timing { return a.BeginAll(1) }

// BeginAll begins the timing of at most n answers, at most MaxTogether, that are sent
// together. The caller calls EndAll when they are sent.
func (a *Answers) BeginAll(n int) Timing {
	untilNext := -a.count.Load() % sampleEvery // of how many answers none is timed
	if untilNext >= uint64(n) {
		return Timing{}
	}
	return Timing{began: time.Since(epoch)}
}

// Wait says that the answer has to wait until it is final.
func (t *Timing) Wait() {
	t.waited = true
	if t.began == 0 {
		t.began = time.Since(epoch) // the work before is nothing compared to the wait
	}
}

// End counts the answer.
func (a *Answers) End(t Timing) { a.EndAll(t, 1) }

// EndAll counts n answers, at most MaxTogether. If one of them is in the sample, it took as
// long as all.
func (a *Answers) EndAll(t Timing, n int) {
	if n == 0 {
		return
	}
	count := a.count.Add(uint64(n))
	switch {
	case t.began == 0:
	case t.waited:
		a.waited.Observe(time.Since(epoch) - t.began)
	case (count-1)%sampleEvery < uint64(n): // not so if fewer were sent than were begun
		a.memory.Observe(time.Since(epoch) - t.began)
	}
}

// Count returns how many answers there were.
func (a *Answers) Count() uint64 { return a.count.Load() }

// Memory returns how long answers from memory took, of a sample of them.
func (a *Answers) Memory() histogram.Counts { return a.memory.Counts() }

// Waited returns how long the answers took that had to wait.
func (a *Answers) Waited() histogram.Counts { return a.waited.Counts() }
