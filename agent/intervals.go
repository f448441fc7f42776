package agent

import (
	"cmp"
	"time"

	"github.com/landmark-health/landmark/internal/collector"
	"github.com/landmark-health/landmark/internal/contract"
)

const (
	minCommandInterval = 25 * time.Millisecond // a quarter of the shortest Within
	maxCommandInterval = time.Second

	// minStepGap is the minimum time between two steps that changes cause, so that
	// landmarks that change all the time cost the program little. The first change is
	// not delayed, nor are answers to the sidecar's requests.
	minStepGap = 5 * time.Millisecond
)

// commandInterval returns how often to send the get-state command to a Loop.
func commandInterval(within time.Duration) time.Duration {
	return min(max(within/4, minCommandInterval), maxCommandInterval)
}

// reportInterval returns how often to report when nothing changes.
func reportInterval(states []landmarkState) time.Duration {
	return contract.ReportInterval(states, func(s landmarkState) time.Duration { return s.limit() })
}

// limit returns the age at which the landmark fails, 0 if it does not fail by age.
func (s *landmarkState) limit() time.Duration { return max(s.Within, s.TTL) } // no kind has both

// callInterval returns how often to send the get-state command to the landmark, or
// to call its function; 0 = never.
func (r *reporter) callInterval(s *landmarkState) time.Duration {
	switch {
	case s.SendCommand != nil:
		return commandInterval(s.Within)
	case s.CallProgram != nil:
		return cmp.Or(s.CallInterval, r.interval)
	}
	return 0
}

// needsReport reports whether the landmark is worth a report at once, before the
// one that is due at next. The sidecar received the last fact at reportedAt and
// computes its age from then on.
func (s *landmarkState) needsReport(reportedAt, now, next time.Time) bool {
	last, current := s.reported, s.current
	switch {
	case current.Reached != last.Reached:
		return true
	case current.Count == last.Count && current.Pending == last.Pending:
		return false
	case current.Met != last.Met, s.Limits.Crossed(last.Value, current.Value):
		return true
	case s.limit() == 0, s.Kind == collector.KindDeadline && !last.Open:
		return false // it cannot fail by age
	}
	renewed := now.Add(-current.Age).After(reportedAt.Add(-last.Age))
	return renewed && last.Age+next.Sub(reportedAt) >= s.limit()
}
