package agent

import (
	"time"

	"github.com/landmark-health/landmark/internal/rule"
)

// judged is the landmarks in the form that the rule takes. Its result is close to
// landmarkd's verdict. It belongs to the reporter's goroutine.
type judged struct {
	origin    time.Time // of the instants
	landmarks []rule.Landmark
}

// update copies the samples of the time now, and returns its instant.
func (j *judged) update(states []landmarkState, now time.Time) rule.Instant {
	for _, s := range states[len(j.landmarks):] {
		j.landmarks = append(j.landmarks, rule.Landmark{Declared: &rule.Declared{
			Name:        s.Name,
			Kind:        rule.Kind(s.Kind),
			Impact:      rule.Impact(s.Impact),
			Within:      s.Within,
			StartWithin: s.StartWithin,
			Limits:      rule.Limits(s.Limits),
			TTL:         s.TTL,
		}})
	}
	at := rule.Instant(now.Sub(j.origin))
	for i := range j.landmarks {
		l, s := &j.landmarks[i], &states[i].current
		l.Reached, l.At, l.Open = s.Reached, at.Add(-s.Age), s.Open
		l.Value, l.Met, l.Reason = s.Value, s.Met, s.Reason
	}
	return at
}
