package registry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

const (
	// beat is how often the clock takes note that the sidecar runs.
	beat = 25 * time.Millisecond
	// maxGap is the longest time between two beats in which the intake is
	// taken to have read whatever came.
	maxGap = 50 * time.Millisecond
	// lookAgain is how soon the intake is asked once more whether it has caught up.
	lookAgain = 5 * time.Millisecond
	// looksEmpty is how often in a row it must have: what was read last has
	// then gone through to the registry.
	looksEmpty = 2
	// maxBehind is how long the clock waits for that. A sidecar that does not
	// catch up must not believe a frozen program for ever.
	maxBehind = time.Second
)

// Clock is the sidecar's clock. It tells two instants: the real one, and the
// one up to which the sidecar has heard everything, by which verdicts are
// made. They are the same, but after a pause: a sidecar that was stopped,
// frozen or starved finds every agent's last report old, though the agents
// never paused. What they said meanwhile lies in its sockets; until it has read
// those empty, nothing that it has not heard counts as silence.
//
// It knows of a pause because it beats. While there is nobody to be heard, no
// silence can count, and it rests: a sidecar without agents has nothing to do.
type Clock struct {
	origin time.Time
	last   atomic.Pointer[reading]

	mu sync.Mutex
	// registry is what the clock puts behind after a pause, nil if nothing is;
	// guarded by mu.
	registry *Registry
	heeded   int           // AddSource less RemoveSource; guarded by mu
	beaten   chan struct{} // closed at the next beat, nil if nobody waits for it; guarded by mu
	joined   chan struct{} // holds a token once a AddSource has ended a rest
}

// reading is the clock at one beat.
type reading struct {
	real    time.Duration // since the origin
	ran     time.Duration // since the origin, but for pauses
	heard   judge.Instant // up to which everything was heard
	behind  bool          // heard stands still, since
	since   time.Duration // real time
	empty   int           // looks in a row that found the sockets empty
	resting bool          // there is nobody to be heard, so everything always was
}

// NewClock returns a clock; Run must run for it to go on.
func NewClock() *Clock {
	c := &Clock{origin: time.Now(), joined: make(chan struct{}, 1)}
	c.last.Store(&reading{resting: true})
	return c
}

// Clock returns the clock that the registry judges by.
func (r *Registry) Clock() *Clock { return r.clock }

// Now returns the instant up to which everything was heard, by which verdicts
// are made.
func (c *Clock) Now() judge.Instant {
	heard, _ := c.Read()
	return heard
}

// Read returns what Now does, and the real instant: that of what is heard now.
func (c *Clock) Read() (heard, real judge.Instant) {
	since := time.Since(c.origin)
	return c.last.Load().at(since), judge.Instant(since)
}

// ran returns for how long the sidecar has run: a pause of its own, while the
// clock does not rest, counts as maxGap.
func (c *Clock) ran() time.Duration {
	return c.last.Load().ranAt(time.Since(c.origin))
}

// nextBeat returns what is closed at the next beat.
func (c *Clock) nextBeat() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.beaten == nil {
		c.beaten = make(chan struct{})
	}
	return c.beaten
}

// follow has the registry put behind after a pause.
func (c *Clock) follow(r *Registry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.registry = r
}

func (c *Clock) follower() *Registry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.registry
}

// tell stores a reading and wakes those who wait for it. The caller holds mu.
func (c *Clock) tell(r *reading) {
	c.last.Store(r)
	if c.beaten != nil {
		close(c.beaten)
		c.beaten = nil
	}
}

// AddSource tells the clock of one more who is to be heard. An intake must call it
// before it takes anything that could make a silence count, and RemoveSource when there
// is nothing more to come. Both may be called by any number of goroutines.
func (c *Clock) AddSource() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heeded++
	last := c.last.Load()
	if !last.resting {
		return
	}
	// Here and not in Run, which may be late: from when AddSource returns on, a
	// pause is one.
	now := time.Since(c.origin)
	c.tell(&reading{real: now, ran: last.ranAt(now), heard: judge.Instant(now)})
	select {
	case c.joined <- struct{}{}:
	default: // Run has yet to take the one before
	}
}

// RemoveSource tells the clock that one who joined is not to be heard any more.
func (c *Clock) RemoveSource() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heeded--
}

// rest lets the clock rest, unless there is somebody to be heard, or something
// to catch up with.
func (c *Clock) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last.Load()
	if c.heeded > 0 || last.behind {
		return false
	}
	if !last.resting {
		now := time.Since(c.origin)
		c.tell(&reading{real: now, ran: last.ranAt(now), resting: true})
	}
	return true
}

// Run beats until ctx is done, while anybody has joined. readEmpty reports
// whether nothing that agents have sent lies unread.
func (c *Clock) Run(ctx context.Context, readEmpty func() bool) error {
	timer := time.NewTimer(beat)
	defer timer.Stop()
	var catchingUp bool
	for {
		for !catchingUp && c.rest() {
			select {
			case <-ctx.Done():
				return nil
			case <-c.joined:
				timer.Reset(beat)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		last := c.last.Load()
		next := last.next(time.Since(c.origin), readEmpty)
		if last.behind && !next.behind {
			c.follower().pause(last.heard, next.heard)
			catchingUp = true
		}
		if catchingUp {
			catchingUp = c.follower().catchUp(judge.Instant(next.real))
		}
		c.mu.Lock()
		c.tell(next)
		c.mu.Unlock()
		if next.behind || catchingUp {
			timer.Reset(lookAgain)
		} else {
			timer.Reset(beat)
		}
	}
}

// at returns up to when everything was heard, at the given real time after the
// reading.
func (r *reading) at(real time.Duration) judge.Instant {
	switch {
	case r.resting:
		return judge.Instant(real)
	case r.behind:
		return r.heard
	}
	return min(judge.Instant(real), r.heard.Add(maxGap))
}

// ranAt returns for how long the sidecar has run, at the given real time after
// the reading.
func (r *reading) ranAt(real time.Duration) time.Duration {
	if r.resting {
		return r.ran + real - r.real
	}
	return r.ran + min(real-r.real, maxGap)
}

// next is the reading at the next beat.
func (r *reading) next(real time.Duration, readEmpty func() bool) *reading {
	upToDate := &reading{real: real, ran: r.ranAt(real), heard: judge.Instant(real)}
	if !r.behind && real-r.real <= maxGap {
		return upToDate
	}
	n := &reading{real: real, ran: upToDate.ran, heard: r.at(real), behind: true, since: r.since}
	if !r.behind {
		n.since = real
	}
	if readEmpty() {
		n.empty = r.empty + 1
	}
	if n.empty >= looksEmpty || real-n.since > maxBehind {
		return upToDate
	}
	return n
}
