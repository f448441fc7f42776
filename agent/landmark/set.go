package landmark

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/landmark-health/landmark/internal/collector"
	"github.com/landmark-health/landmark/internal/contract"
)

// A Set holds the landmarks of one program, in the order of their declaration.
// Landmarks may be declared at any time, even after an agent has started with
// the set. They cannot be removed.
//
// An invalid declaration returns a landmark that is safe to use, but that no
// agent reports. The set keeps the first such error, and the agent's Start
// returns it. A nil Set returns nil landmarks, whose methods do nothing.
//
// A Set is safe for concurrent use. The zero Set is empty and ready to use.
type Set struct {
	mu        sync.Mutex           // guards landmarks and err, and serializes changes of watchers
	landmarks []collector.Landmark // only ever appended to, so readers may keep the slice
	err       error                // the first

	// watchers is replaced as a whole, so that wake needs no lock.
	watchers atomic.Pointer[[]chan struct{}]
}

// NewSet returns an empty set.
func NewSet() *Set {
	return new(Set)
}

// Err returns the first error in a declaration, nil if all are valid. It names
// the landmark and says what to do.
func (s *Set) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// declare adds a landmark to the set, unless invalid or another rule of the set
// forbids it. invalid is what is wrong with the declaration itself.
func (s *Set) declare(l collector.Landmark, invalid error) {
	s.mu.Lock()
	err := s.check(l.Name, invalid)
	if err == nil {
		s.landmarks = append(s.landmarks, l)
	} else if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	s.wake()
}

// check returns why the set cannot hold the landmark. The caller holds mu.
func (s *Set) check(name string, invalid error) error {
	if invalid != nil {
		return fmt.Errorf("landmark %.128q: %w", name, invalid)
	}
	if slices.ContainsFunc(s.landmarks, func(l collector.Landmark) bool { return l.Name == name }) {
		return fmt.Errorf("landmark %q: declared twice; give each landmark a name of its own", name)
	}
	if len(s.landmarks) == contract.MaxLandmarks {
		return fmt.Errorf("landmark %q: a set holds at most %d landmarks; let several workers share one",
			name, contract.MaxLandmarks)
	}
	return nil
}

// wake notifies every watcher. It never blocks, and does nothing when s is nil,
// as in a zero landmark.
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
		default: // a notification is pending already
		}
	}
}
