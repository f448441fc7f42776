package landmark

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// siteInterval is how old a call stack is when it is recorded again. It rarely
// differs.
const siteInterval = time.Minute

// A site is the call stack that reached a landmark, by which its goroutine is found
// among all of the program's when the landmark fails. It is recorded when the landmark
// is first reached. A Loop and a Deadline record it again in each siteInterval, and an
// Alive, whose Reach must stay fast, when a pass is nearly late.
type site struct {
	due atomic.Bool // it should be recorded

	mu  sync.Mutex // guards the fields below; never waited for by the program
	pcs [64]uintptr
	n   int
	at  time.Time
}

// record records the call stack of the caller. It does not allocate, and does nothing
// while the agent reads the site.
func (s *site) record() {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	s.due.Store(false)
	s.n = runtime.Callers(2, s.pcs[:])
	s.at = time.Now()
}

// refresh makes it due again once it is old.
func (s *site) refresh(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n > 0 && now.Sub(s.at) >= siteInterval {
		s.due.Store(true)
	}
}

// stack returns the program counters of the recorded call stack, as runtime.Callers
// does; nil if there is none.
func (s *site) stack() []uintptr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.pcs[:s.n])
}
