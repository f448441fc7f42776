package probe

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

const (
	// maxTimerDelay is how late a timer may fire while this program runs normally.
	// A timer that fires later shows that the program was stopped.
	maxTimerDelay = 50 * time.Millisecond
	// catchUpTime is how long a program that was stopped gets to read the answers that
	// came meanwhile, over a new connection if necessary.
	catchUpTime = 200 * time.Millisecond
)

// errNoAnswer is the reason for a silence without any other error.
var errNoAnswer = errors.New("it is connected, but sends no answer")

// silenceTimer reports each answer, and one error after a period without any. It is
// safe for concurrent use.
type silenceTimer struct {
	address string
	silence time.Duration
	report  func(Update)

	mu         sync.Mutex
	timer      *time.Timer // guarded by mu, as are all fields below
	deadline   time.Time   // when the silence has lasted too long
	catchingUp bool        // the program was stopped and gets catchUpTime
	lastErr    error
	stopped    bool
}

func newSilenceTimer(address string, silence time.Duration, report func(Update)) *silenceTimer {
	return &silenceTimer{address: address, silence: silence, report: report, lastErr: errNoAnswer}
}

// start starts the period.
func (s *silenceTimer) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = time.Now().Add(s.silence)
	s.timer = time.AfterFunc(s.silence, s.expire)
}

// stop stops the timer. Nothing is reported after stop returns.
func (s *silenceTimer) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Stop()
	s.stopped = true
}

// recordAnswer reports an answer and starts a new period.
func (s *silenceTimer) recordAnswer(a lmp.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = time.Now().Add(s.silence)
	s.timer.Reset(s.silence)
	s.catchingUp, s.lastErr = false, errNoAnswer
	s.report(Update{Answer: a})
}

// recordError keeps the error, to report it if the period expires.
func (s *silenceTimer) recordError(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastErr = err
}

// expire reports the silence. If the timer fires late, this program was stopped and
// has not yet read the answers that came meanwhile; expire then waits once more.
func (s *silenceTimer) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch late := time.Since(s.deadline); {
	case s.stopped || late < 0: // or an answer came just now
	case late > maxTimerDelay && !s.catchingUp:
		s.catchingUp = true
		s.timer.Reset(catchUpTime)
	default:
		s.report(Update{Err: fmt.Errorf("no answer from %s for %v: %w", s.address, s.silence, s.lastErr)})
	}
}
