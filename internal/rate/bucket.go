// Package rate limits how often something may be done: by token buckets, or by rests after
// work.
package rate

import "time"

// Instant is a time by some clock: a time.Time, or an instant of the sidecar's clock.
type Instant[T any] interface {
	Add(time.Duration) T
	Sub(T) time.Duration
}

// Bucket is a token bucket. New makes it; the zero Bucket has no limit. It never reads a
// clock itself, and is not safe for concurrent use: most callers have a mutex already for
// what they limit.
//
// Unlike the limiter of golang.org/x/time/rate it takes back a reservation that others have
// followed, so a caller that gives up delays no one behind it.
type Bucket[T Instant[T]] struct {
	each     time.Duration // the time that earns a token
	capacity time.Duration // the time that earns all tokens
	fullAt   T             // when all tokens are there again, if none is taken
}

// New returns a bucket that has burst tokens, at most and now, and earns perSecond a second.
// perSecond is 1 to 1e9.
func New[T Instant[T]](perSecond, burst int) Bucket[T] {
	each := time.Second / time.Duration(perSecond)
	return Bucket[T]{each: each, capacity: time.Duration(burst) * each}
}

// Has reports whether there are n tokens.
func (b *Bucket[T]) Has(n int, now T) bool { return b.debt(n, now) <= b.capacity }

// Take takes n tokens if there are as many, and reports whether it did.
func (b *Bucket[T]) Take(n int, now T) bool {
	debt := b.debt(n, now)
	if debt > b.capacity {
		return false
	}
	b.fullAt = now.Add(debt)
	return true
}

// Reserve takes n tokens, though they may not be there yet, and returns how long to wait
// until they are. So those who wait proceed in the order of their calls.
func (b *Bucket[T]) Reserve(n int, now T) (wait time.Duration) {
	debt := b.debt(n, now)
	b.fullAt = now.Add(debt)
	return max(0, debt-b.capacity)
}

// GiveBack gives n tokens back that were reserved and not used.
func (b *Bucket[T]) GiveBack(n int) { b.fullAt = b.fullAt.Add(-time.Duration(n) * b.each) }

// debt returns how long it takes from now until the bucket is full, if n more tokens are
// taken.
func (b *Bucket[T]) debt(n int, now T) time.Duration {
	return max(0, b.fullAt.Sub(now)) + time.Duration(n)*b.each
}
