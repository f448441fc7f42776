package landmark

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
)

// A Set holds the landmarks of one program, in the order in which they were
// declared. Landmarks may be declared at any time, also after an agent has
// begun to carry the set; they cannot be taken back.
//
// A declaration that breaks a rule still gives a landmark that can be used,
// but nothing recorded by it is reported. The set remembers the first such
// error, and the agent's Start returns it. A nil Set gives nil landmarks, whose
// methods do nothing.
//
// A Set is safe for concurrent use. The zero Set is empty and ready.
type Set struct {
	mu        sync.Mutex // guards what follows, and the replacing of watchers
	landmarks []Landmark // only ever appended to, so that readers may keep it
	err       error      // the first

	// watchers is replaced as a whole, so that a landmark wakes its carriers
	// without a lock.
	watchers atomic.Pointer[[]chan struct{}]
}

// NewSet returns an empty set.
func NewSet() *Set {
	return new(Set)
}

// declare enters a landmark into the set, or remembers why it may not.
func (s *Set) declare(d Declaration, source recording) {
	s.mu.Lock()
	err := s.check(d.Name, source)
	if err == nil {
		s.landmarks = append(s.landmarks, Landmark{Declaration: d, source: source})
	} else if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	s.wake()
}

// check returns what keeps a landmark out of the set. The caller holds mu.
func (s *Set) check(name string, source recording) error {
	if err := source.validate(); err != nil {
		return fmt.Errorf("landmark %.128q: %w", name, err)
	}
	if slices.ContainsFunc(s.landmarks, func(l Landmark) bool { return l.Name == name }) {
		return fmt.Errorf("landmark %q: declared twice; give each landmark a name of its own", name)
	}
	if len(s.landmarks) == contract.MaxLandmarks {
		return fmt.Errorf("landmark %q: a set holds at most %d landmarks; let several workers share one",
			name, contract.MaxLandmarks)
	}
	return nil
}

// wake tells every watcher that there is something to look at. It never blocks,
// and does nothing when s is nil, as in a zero landmark.
func (s *Set) wake() {
	if s == nil {
		return
	}
	watchers := s.watchers.Load()
	if watchers == nil {
		return
	}
	for _, w := range *watchers {
		select {
		case w <- struct{}{}:
		default: // already told
		}
	}
}

// recording is what each kind of landmark gives to its carriers.
type recording interface {
	// validate returns the first rule that the declaration breaks.
	validate() error
	// read returns the facts at the instant now.
	read(now time.Time) Reading
}
