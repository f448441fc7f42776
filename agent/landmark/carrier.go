package landmark

import (
	"context"
	"slices"
	"time"
)

// This file is the face that a set shows to its carriers: the agent, which
// reports over gRPC, and its like. Code that does work needs none of it.

// A Landmark is one landmark of a [Set] as a carrier sees it.
type Landmark struct {
	Declaration
	source recording
}

// A Reading is what is known of a landmark at an instant.
type Reading struct {
	Reached bool // at least once since it was made: passed, begun, answered or set
	// Age is the time since the last pass (Alive), answer (Loop) or setting
	// (Level, Condition), since the beginning of the oldest open piece of work
	// (Deadline; if there is none, since the last one ended), or since the making
	// of the landmark if it was never reached.
	Age   time.Duration
	Count uint64 // passes, pieces of work begun, answers or settings
	// Open says of a Loop that a command was put and is not yet answered, and of
	// a Deadline that a piece of work is open.
	Open bool
	// Lag of a Loop is the time from the putting of the last answered command
	// to its answer.
	Lag time.Duration
	// Pending is how many pieces of a Deadline's work are open. One that ends
	// during the reading may be counted beside the one that follows it.
	Pending uint64
	Value   float64 // Level: the number, finite
	Met     bool    // Condition: it holds
	Reason  string  // Condition: why it is as it is, at most 255 bytes of UTF-8
}

// Landmarks returns the landmarks that may be reported, in the order of their
// declaration. Later calls return the same ones first. The caller must not
// change the slice.
func (s *Set) Landmarks() []Landmark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.landmarks)
}

// Err returns the first error in a declaration, which names the landmark and
// says what to do. It stays.
func (s *Set) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Watch returns a channel that becomes ready when there is something to look
// at: a landmark was declared, or reached for the first time; one that was last
// read as having used up half of its time was passed or set, or the piece of
// work has ended; a Loop has answered; a Level has crossed a limit; a Condition
// holds, or no longer does. Many such events may show as one. The carrier calls
// stop when it needs it no more.
func (s *Set) Watch() (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	s.addWatcher(c)
	return c, func() { s.removeWatcher(c) }
}

func (s *Set) addWatcher(c chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var watchers []chan struct{}
	if old := s.watchers.Load(); old != nil {
		watchers = slices.Clone(*old)
	}
	watchers = append(watchers, c)
	s.watchers.Store(&watchers)
}

func (s *Set) removeWatcher(c chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	watchers := slices.DeleteFunc(slices.Clone(*s.watchers.Load()),
		func(w chan struct{}) bool { return w == c })
	s.watchers.Store(&watchers)
}

// Read returns the facts at the instant now, which must be a reading of the
// monotonic clock. Most landmarks have no clock of their own: a carrier that
// wants true ages reads them several times in their Within or TTL, whether or
// not it can report.
func (l Landmark) Read(now time.Time) Reading {
	return l.source.read(now)
}

// PutCommand puts the get-state command to a Loop at the instant now, unless
// one is open already, and returns at once. A Reading whose Count exceeds
// answers shows that the loop has answered since the call. Landmarks of other
// kinds have nothing to answer: ok is false.
func (l Landmark) PutCommand(now time.Time) (answers uint64, ok bool) {
	loop, ok := l.source.(*Loop)
	if !ok {
		return 0, false
	}
	return loop.put(now), true
}

// AskEvery returns how often a Level or Condition wants to be asked, 0 meaning
// once for each report. For one that the program sets by itself, and for
// landmarks of other kinds, ok is false.
func (l Landmark) AskEvery() (every time.Duration, ok bool) {
	if i := l.inquiry(); i != nil {
		return i.every, true
	}
	return 0, false
}

// Ask asks a landmark that wants it, and returns when the program's function
// has, however long that takes: a carrier calls it on a goroutine of its own.
// While another call is going on it returns at once. A carrier that ends cancels
// ctx, after which a Condition's answer says nothing any more.
func (l Landmark) Ask(ctx context.Context) {
	if i := l.inquiry(); i != nil {
		i.run(ctx)
	}
}

// inquiry returns what is to be asked, nil if nothing is.
func (l Landmark) inquiry() *inquiry {
	if source, ok := l.source.(interface{ asked() *inquiry }); ok {
		return source.asked()
	}
	return nil
}
