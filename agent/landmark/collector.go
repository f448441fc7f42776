package landmark

import (
	"slices"

	"github.com/landmark-health/landmark/internal/collector"
)

func init() {
	collector.Of = func(set any) collector.Set { return collected{set.(*Set)} }
}

// collected implements [collector.Set].
type collected struct{ set *Set }

// Landmarks implements collector.Set.
func (c collected) Landmarks() []collector.Landmark {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	return slices.Clip(c.set.landmarks)
}

// Err implements collector.Set.
func (c collected) Err() error { return c.set.Err() }

// Watch implements collector.Set.
func (c collected) Watch() (changed <-chan struct{}, stop func()) {
	watcher := make(chan struct{}, 1)
	c.set.addWatcher(watcher)
	return watcher, func() { c.set.removeWatcher(watcher) }
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
