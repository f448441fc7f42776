package agent

import (
	"time"

	"github.com/landmark-health/landmark/internal/rule"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

const (
	// captureGap is the minimum time between two captures.
	captureGap = 10 * time.Second
	// maxCaptureAge is how old a capture may be when it is sent.
	maxCaptureAge = 10 * time.Minute
	// maxFailing is how many failing landmarks are named.
	maxFailing = 16
)

// A stackWatch captures the program's stacks when an Alive, a Deadline or a Loop begins
// to fail: once for each episode, which ends when none of them fails any more. Except for
// the capture itself it belongs to the reporter's goroutine. A nil stackWatch does
// nothing.
type stackWatch struct {
	judged
	failing    bool
	capturedAt time.Time     // when the latest capture began; zero = never
	captured   chan *capture // holds the result of the one that is under way
	unsent     *capture      // nil if the latest was sent
}

func newStackWatch() *stackWatch {
	return &stackWatch{judged: judged{origin: time.Now()}, captured: make(chan *capture, 1)}
}

// step begins a capture if the samples of the time now show the first failure of an
// episode. It calls run with the function that makes it. It returns when the next
// landmark fails without a further sample, the zero time if none does.
func (w *stackWatch) step(states []landmarkState, now time.Time, run func(func())) (next time.Time) {
	if w == nil {
		return time.Time{}
	}
	at := w.update(states, now)
	failing, failsAt := false, rule.Never
	var c *capture // if an episode begins
	for i := range w.landmarks {
		l := &w.landmarks[i]
		if !l.ShowsWork() {
			continue
		}
		r := l.Evaluate(at)
		switch {
		case r.State != rule.Failing:
			failsAt = min(failsAt, r.Next)
		case !failing && !w.failing:
			c = &capture{at: now, site: states[i].Stack()}
			fallthrough
		case c != nil && len(c.landmarks) < maxFailing:
			c.landmarks = append(c.landmarks, l.Name)
		}
		failing = failing || r.State == rule.Failing
	}
	w.failing = failing
	if c != nil && (w.capturedAt.IsZero() || now.Sub(w.capturedAt) >= captureGap) {
		w.capturedAt = now
		run(func() {
			c.make()
			select {
			case w.captured <- c:
			default: // nobody has taken the one before: the reporter has ended
			}
		})
	}
	if failsAt == rule.Never {
		return time.Time{}
	}
	return w.origin.Add(time.Duration(failsAt))
}

// result receives a capture that is made.
func (w *stackWatch) result() <-chan *capture {
	if w == nil {
		return nil
	}
	return w.captured
}

// take keeps the capture until it is sent.
func (w *stackWatch) take(c *capture) { w.unsent = c }

// message returns the capture that must be sent with the report of the time now, nil if
// there is none.
func (w *stackWatch) message(now time.Time) *reportv1.Evidence {
	if w == nil || w.unsent == nil {
		return nil
	}
	c := w.unsent
	w.unsent = nil
	age := max(0, now.Sub(c.at))
	if age > maxCaptureAge {
		return nil
	}
	return &reportv1.Evidence{AgeUs: microseconds(age), Landmarks: c.landmarks, Summary: c.summary, Text: c.text}
}
