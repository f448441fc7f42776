package clock

import (
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// AddQuietSource adds a source for which the clock need not beat all the time: its
// reports say when they were made, and the Follower knows when its silence could change
// a verdict, and whether all is read that it sent.
func (c *Clock) AddQuietSource() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quietSources++
	if c.last.Load().resting {
		c.beatAgain()
	}
}

// RemoveQuietSource removes a source that AddQuietSource added.
func (c *Clock) RemoveQuietSource() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quietSources--
}

// KeepBeating makes the clock beat, unless it rests, until stop is called. Without it,
// Awake may count a pause.
func (c *Clock) KeepBeating() (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beating++
	if c.last.Load().quiet() {
		c.beatAgain()
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.beating--
	}
}

// EndQuiet makes the clock beat if it is quiet beyond the instant until.
func (c *Clock) EndQuiet(until judge.Instant) {
	if last := c.last.Load(); !last.quiet() || until >= judge.Instant(last.quietUntil) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := c.last.Load(); last.quiet() && until < judge.Instant(last.quietUntil) {
		c.beatAgain()
	}
}

// quietUntil returns until when the clock may be quiet from now on, 0 if it must beat.
func (c *Clock) quietUntil(follower Follower, now time.Duration) time.Duration {
	until := min(time.Duration(follower.QuietUntil()), now+MaxQuiet)
	if until <= now+Beat {
		return 0
	}
	return until
}

// mustFollow reports whether the follower is behind, or may be.
func (c *Clock) mustFollow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.following
}

// Follow makes the clock call the Follower's CatchUp, as after a pause.
func (c *Clock) Follow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.following = true
	c.beatAgain()
	c.wake() // also if it was not quiet
}
