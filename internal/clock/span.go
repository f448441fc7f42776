package clock

import (
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// spanStep is how exactly the clock remembers when it was last read. To remember every
// reading would make the readers write to one place.
const spanStep = 5 * time.Millisecond

// A Span is a time in which the sidecar has certainly run: the clock was read at least
// every MaxGap. While the clock is quiet, a longer gap begins a new Span. Nobody knows
// whether the sidecar was paused in the gap. So what is judged in a new Span needs a
// proof that all is read, and else stays at the end of the Span in which it had one.
type Span struct{ end atomic.Int64 }

// End returns an instant that is no earlier than any at which the clock was read in the
// Span, and later by 5 ms at most. It has no meaning for the present Span.
func (s *Span) End() judge.Instant { return judge.Instant(s.end.Load()) }

// Span returns the present Span. Read the clock before, because that may begin one.
func (c *Clock) Span() *Span { return c.span.Load() }

// extendSpan makes the present Span include the time now, or begins a new one.
func (c *Clock) extendSpan(now time.Duration) {
	seen := time.Duration(c.seen.Load())
	switch gap := now - seen; {
	case gap > MaxGap:
		c.beginSpan(now)
	case gap > spanStep:
		c.seen.CompareAndSwap(int64(seen), int64(now)) // if it fails, another reader has done it
	}
}

// beginSpan begins a new Span at the time now, unless another reader has.
func (c *Clock) beginSpan(now time.Duration) {
	c.spanMu.Lock()
	defer c.spanMu.Unlock()
	seen := time.Duration(c.seen.Load())
	if now-seen <= MaxGap {
		return
	}
	// In this order: a reader that finds seen renewed finds the new Span, and who finds
	// the new Span finds the end of the old one.
	c.span.Load().end.Store(int64(seen + spanStep))
	c.span.Store(new(Span))
	c.seen.Store(int64(now))
}
