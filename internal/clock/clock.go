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
// Beats cost CPU time, so there are as few as possible:
//
//   - Without a source there is no silence that could count, and the clock rests.
//   - While all sources are quiet ones, the clock is quiet until shortly before
//     the first instant at which a silence would change a verdict. A pause that
//     ends before leaves every program the time to report again.
//   - Else it beats every 25 ms.
//
// A pause in the quiet makes no silence count, but may leave reports unread that
// change a verdict. Nobody notices it. So the clock gives readers a [Span] with
// which they see that it was not read for a while, for whatever reason. Then a look
// at the sockets tells whether anything is unread: usually nothing is. The look
// costs less than the beats it replaces, because a clock that is read often begins
// no new Span.
//
// A suspended machine is no pause: CLOCK_MONOTONIC, by which the clock goes, stands
// still.
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
	// MaxQuiet is the longest time without a beat while there are quiet sources.
	MaxQuiet = time.Minute
)

// Follower is held back after a pause, and catches up by itself.
type Follower interface {
	// Pause is called when the judged instant goes on after a pause of the
	// sidecar from began to ended.
	Pause(began, ended judge.Instant)
	// CatchUp is called from then on every few milliseconds, until it returns
	// that nothing is behind any more.
	CatchUp(real judge.Instant) (behind bool)
	// QuietUntil returns an instant before which no silence of a quiet source can
	// change a verdict, and which leaves the source the time to report after a pause.
	// If a report makes it earlier, the Follower calls Clock.EndQuiet. It is called
	// with a lock of the clock held.
	QuietUntil() judge.Instant
}

// Clock is the sidecar's clock. New makes it. Its methods may be called by any
// number of goroutines at once, Run by one.
type Clock struct {
	origin time.Time
	last   atomic.Pointer[reading]
	pauses pauses

	span   atomic.Pointer[Span] // replaced under spanMu
	seen   atomic.Int64         // when the clock was last read while it was quiet, to spanStep, since the origin
	spanMu sync.Mutex

	mu           sync.Mutex
	follower     Follower      // nil if there is none; guarded by mu
	sources      int           // that are not quiet; guarded by mu
	quietSources int           // guarded by mu
	beating      int           // calls of KeepBeating that are not stopped; guarded by mu
	following    bool          // the follower is behind, or may be; guarded by mu
	beaten       chan struct{} // closed at the next beat, nil if no goroutine waits for it; guarded by mu
	woken        chan struct{} // holds a token once a rest or quiet has ended, or Follow was called
	rechecked    time.Duration // when it was last checked whether all is read, and not all was; used by Run only
}

// New returns a clock that rests. It goes on only while Run runs.
func New() *Clock {
	c := &Clock{origin: time.Now(), woken: make(chan struct{}, 1)}
	c.last.Store(&reading{resting: true})
	c.span.Store(new(Span))
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
	since, last := c.readAt()
	return last.at(since), judge.Instant(since)
}

// readAt returns the time since the origin and the reading that holds then.
func (c *Clock) readAt() (since time.Duration, last *reading) {
	since, last = time.Since(c.origin), c.last.Load()
	if last.quiet() {
		c.extendSpan(since)
	}
	return since, last
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
	c.beatAgain()
}

// RemoveSource removes a source that AddSource added.
func (c *Clock) RemoveSource() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sources--
}

// beatAgain ends a rest or quiet. Run may be late, so that happens here: from now on a
// pause counts as one. One that ended while the clock was quiet is left to Run. The
// caller holds mu.
func (c *Clock) beatAgain() {
	now, last := c.readAt()
	if !last.resting && !last.quiet() {
		return
	}
	if last.resting || now <= last.end() {
		c.store(&reading{real: now, awake: last.awakeAt(now), judged: judge.Instant(now)})
	}
	c.wake() // last: Run would find the quiet going on, and make the next beat at its end
}

// wake makes Run look again at what is due. The caller has stored that, and holds mu.
func (c *Clock) wake() {
	select {
	case c.woken <- struct{}{}:
	default: // Run has not taken the token before this one
	}
}

// Run beats while there are sources, until ctx is done, and returns nil. caughtUp
// reports whether the intakes have read everything that the Follower does not check
// by itself.
func (c *Clock) Run(ctx context.Context, caughtUp func() bool) error {
	timer := time.NewTimer(Beat)
	defer timer.Stop()
	for {
		if c.rest() {
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
		case <-c.woken:
			wait := Beat // the quiet has ended
			switch last := c.last.Load(); {
			case c.mustFollow():
				wait = max(0, c.rechecked+Recheck-time.Since(c.origin))
			case last.quiet(): // it has not: a beat is overdue, and nothing puts it off
				wait = max(0, last.quietUntil-time.Since(c.origin))
			}
			timer.Reset(wait)
			continue
		case <-timer.C:
		}
		timer.Reset(c.beat(caughtUp))
	}
}

// beat takes the next reading, and returns the time until the next beat.
func (c *Clock) beat(caughtUp func() bool) time.Duration {
	now, last := c.readAt()
	next := last.next(now, caughtUp)
	c.pauses.count(last, next)
	c.mu.Lock()
	follower, following := c.follower, c.following
	c.following = false
	c.mu.Unlock()
	// The follower is behind before the judged instant goes on: a reader finds
	// one of the two standing still.
	if follower != nil && last.behind && !next.behind {
		follower.Pause(last.judged, next.judged)
		following = true
	}
	if following && follower != nil {
		following = follower.CatchUp(judge.Instant(next.real))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.following = c.following || following
	if next.behind || c.following {
		c.rechecked = next.real
		c.store(next)
		return Recheck
	}
	if c.sources == 0 && c.beating == 0 && c.quietSources > 0 && follower != nil {
		if until := c.quietUntil(follower, next.real); until > 0 {
			next.quietUntil = until
			// The Span goes on until the beat, and not until now: a pause since
			// then is not noticed yet.
			c.seen.Store(int64(next.real))
			c.store(next)
			// A report may have come meanwhile, whose EndQuiet found no quiet.
			if c.quietUntil(follower, next.real) >= until {
				return until - next.real
			}
			next = &reading{real: next.real, awake: next.awake, judged: next.judged}
		}
	}
	c.store(next)
	return Beat
}

// rest makes the clock rest, unless there are sources or the clock is behind.
func (c *Clock) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last.Load()
	if c.sources > 0 || c.quietSources > 0 || c.following || last.behind {
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
