// Package clock is the sidecar's clock, which knows when the sidecar itself was
// paused.
//
// It gives two instants. The real one is now. The judged one is the instant up
// to which everything that agents sent has been read, and verdicts are made by
// it. The two are the same except after a pause. A sidecar that was stopped,
// frozen or starved of CPU time finds every agent's last report old, although no
// agent paused: the reports that came meanwhile are still in its sockets. Until
// those are read, the judged instant stands still, so that no agent's silence
// counts.
//
// The clock notices a pause because it beats: a beat that comes late is one.
// Without a source there is no silence that could count, so the clock rests, and
// a sidecar without agents uses no CPU time.
package clock

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

const (
	// Beat is the time between two beats.
	Beat = 25 * time.Millisecond
	// MaxGap is the longest time between two beats that is no pause.
	MaxGap = 50 * time.Millisecond
	// MaxBehind is how long after a pause the judged instant may stand still. A
	// sidecar that does not catch up must not trust a frozen program forever.
	MaxBehind = time.Second
	// EmptyChecks is how many checks in a row must find a socket empty: what was
	// read from it last has reached the registry by the second.
	EmptyChecks = 2
	// Recheck is the time between two checks of whether the sidecar has caught up.
	Recheck = 5 * time.Millisecond
)

// Follower is held back after a pause, and catches up by itself.
type Follower interface {
	// Pause is called when the judged instant goes on after a pause of the
	// sidecar from began to ended.
	Pause(began, ended judge.Instant)
	// CatchUp is called from then on every few milliseconds, until it returns
	// that nothing is behind any more.
	CatchUp(real judge.Instant) (behind bool)
}

// Clock is the sidecar's clock. New makes it. Its methods may be called by any
// number of goroutines at once, Run by one.
type Clock struct {
	origin time.Time
	last   atomic.Pointer[reading]
	pauses pauses

	mu       sync.Mutex
	follower Follower      // nil if there is none; guarded by mu
	sources  int           // guarded by mu
	beaten   chan struct{} // closed at the next beat, nil if no goroutine waits for it; guarded by mu
	woken    chan struct{} // holds a token once AddSource has ended a rest
}

// New returns a clock that rests. It goes on only while Run runs.
func New() *Clock {
	c := &Clock{origin: time.Now(), woken: make(chan struct{}, 1)}
	c.last.Store(&reading{resting: true})
	return c
}

// Judged returns the instant by which verdicts are made.
func (c *Clock) Judged() judge.Instant {
	judged, _ := c.Read()
	return judged
}

// Read returns the instant by which verdicts are made, and the real one. They
// are equal if everything that was sent has been read.
func (c *Clock) Read() (judged, real judge.Instant) {
	since := time.Since(c.origin)
	return c.last.Load().at(since), judge.Instant(since)
}

// Awake returns for how long the sidecar has run. A pause counts as MaxGap,
// unless the clock rested.
func (c *Clock) Awake() time.Duration {
	return c.last.Load().awakeAt(time.Since(c.origin))
}

// NextBeat returns a channel that is closed at the next beat.
func (c *Clock) NextBeat() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.beaten == nil {
		c.beaten = make(chan struct{})
	}
	return c.beaten
}

// Turn returns once Run has made a beat, even if there is no other source. It shows that
// Run works. The error is ctx's.
func (c *Clock) Turn(ctx context.Context) error {
	c.AddSource() // before NextBeat, because it may end a rest with a beat of its own
	defer c.RemoveSource()
	select {
	case <-c.NextBeat():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// SetFollower sets what is held back after a pause.
func (c *Clock) SetFollower(f Follower) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follower = f
}

// AddSource adds a source of reports. An intake calls it before it accepts
// anything that could make a silence count, and RemoveSource when no more can
// come.
func (c *Clock) AddSource() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sources++
	last := c.last.Load()
	if !last.resting {
		return
	}
	// Run may be late, so the rest ends here: from the return of AddSource on, a
	// pause counts as one.
	now := time.Since(c.origin)
	c.store(&reading{real: now, awake: last.awakeAt(now), judged: judge.Instant(now)})
	select {
	case c.woken <- struct{}{}:
	default: // Run has not taken the token before this one
	}
}

// RemoveSource removes a source that AddSource added.
func (c *Clock) RemoveSource() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sources--
}

// Run beats while there are sources, until ctx is done, and returns nil. caughtUp
// reports whether the intakes have read everything that the Follower does not check
// by itself.
func (c *Clock) Run(ctx context.Context, caughtUp func() bool) error {
	timer := time.NewTimer(Beat)
	defer timer.Stop()
	var following bool // the follower is behind
	for {
		for !following && c.rest() {
			select {
			case <-ctx.Done():
				return nil
			case <-c.woken:
				timer.Reset(Beat)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		behind := false
		behind, following = c.beat(caughtUp, following)
		if behind || following {
			timer.Reset(Recheck)
		} else {
			timer.Reset(Beat)
		}
	}
}

// beat takes the next reading, and reports whether the judged instant stands
// still, and whether the follower is behind.
func (c *Clock) beat(caughtUp func() bool, following bool) (behind, stillFollowing bool) {
	last := c.last.Load()
	next := last.next(time.Since(c.origin), caughtUp)
	c.pauses.count(last, next)
	c.mu.Lock()
	follower := c.follower
	c.mu.Unlock()
	// The follower is behind before the judged instant goes on: a reader finds
	// one of the two standing still.
	if follower != nil && last.behind && !next.behind {
		follower.Pause(last.judged, next.judged)
		following = true
	}
	if following {
		following = follower.CatchUp(judge.Instant(next.real))
	}
	c.mu.Lock()
	c.store(next)
	c.mu.Unlock()
	return next.behind, following
}

// rest makes the clock rest, unless there are sources or the clock is behind.
func (c *Clock) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last.Load()
	if c.sources > 0 || last.behind {
		return false
	}
	if !last.resting {
		now := time.Since(c.origin)
		c.store(&reading{real: now, awake: last.awakeAt(now), resting: true})
	}
	return true
}

// store stores a reading and wakes the goroutines that wait for a beat. The
// caller holds mu.
func (c *Clock) store(r *reading) {
	c.last.Store(r)
	if c.beaten != nil {
		close(c.beaten)
		c.beaten = nil
	}
}
