package guard

import (
	"sync"
	"time"
)

// rate is a token bucket.
type rate struct {
	perSecond float64
	burst     float64
	tokens    float64
	at        time.Time // when tokens was right
}

func newRate(perSecond, burst float64) rate {
	return rate{perSecond: perSecond, burst: burst, tokens: burst, at: time.Now()}
}

// fill adds the tokens that came since it was last called.
func (r *rate) fill(now time.Time) {
	r.tokens = min(r.burst, r.tokens+now.Sub(r.at).Seconds()*r.perSecond)
	r.at = now
}

// has takes a token if there is one.
func (r *rate) has(now time.Time) bool {
	r.fill(now)
	if r.tokens < 1 {
		return false
	}
	r.tokens--
	return true
}

// await takes a token, and returns how long to wait until it is there.
func (r *rate) await(now time.Time) time.Duration {
	r.fill(now)
	r.tokens--
	return time.Duration(max(0, -r.tokens) / r.perSecond * float64(time.Second))
}

// source is one client, whose connections share their rates beyond what each has
// of its own. So a client gains nothing by opening more of them, and one that
// asks seldom is not held up by another connection of the same address.
type source struct {
	conns int       // open ones; guarded by the budget's mutex, as are
	open  int       // streams that they have taken from the budget
	left  time.Time // when the last was closed

	mu      sync.Mutex // guards what follows
	streams rate
	idle    rate
}

func newSource() *source {
	return &source{streams: newRate(streamsPerSecond, streamsBurst), idle: newRate(idlePerSecond, idleBurst)}
}

// awaitStream returns how long to wait before one more stream.
func (s *source) awaitStream(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams.await(now)
}

// hasIdle reports whether one more frame without a request is allowed.
func (s *source) hasIdle(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idle.has(now)
}
