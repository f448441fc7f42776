package landmark

import (
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
	Reached bool // at least once since it was made
	// Age is the time since the last pass (Alive) or answer (Loop), or since
	// the making of the landmark if it was never reached.
	Age   time.Duration
	Count uint64 // passes or answers
	Open  bool   // Loop: a command was put and is not yet answered
	// Lag of a Loop is the time from the putting of the last answered command
	// to its answer.
	Lag time.Duration
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
// at: a landmark was declared, an Alive that was last read as unreached, or as
// having used up half of its time, was passed, or a Loop has answered. Many
// such events may show as one. The carrier calls stop when it needs it no more.
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
// monotonic clock. An Alive has no clock of its own: a carrier that wants true
// ages reads it several times in its Within, whether or not it can report.
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
