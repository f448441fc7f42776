package agents

import (
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// maxAge is the greatest age of a fact. A greater one is a mistake.
const maxAge = 10 * 365 * 24 * time.Hour

// parseReport checks the report and writes its facts to facts, which has one element
// for each declared landmark.
func parseReport(r *reportv1.Report, facts []registry.Fact) error {
	if len(r.Facts) != len(facts) {
		return invalid("report.facts", "are %d, where %d landmarks are declared", len(r.Facts), len(facts))
	}
	for i, f := range r.Facts {
		if err := parseFact(f, &facts[i]); err != nil {
			return invalid(fmt.Sprintf("report.facts[%d].%s", i, err.field), "%s", err.problem)
		}
	}
	return nil
}

// factError is the error of a field of a fact.
type factError struct{ field, problem string }

func parseFact(f *reportv1.Fact, to *registry.Fact) *factError {
	age, ok := microseconds(f.AgeUs, maxAge)
	if !ok {
		return &factError{"age_us", fmt.Sprintf("%d is over ten years", f.AgeUs)}
	}
	lag, ok := microseconds(f.LagUs, maxAge)
	switch {
	case !ok:
		return &factError{"lag_us", fmt.Sprintf("%d is over ten years", f.LagUs)}
	case !finite(f.Value):
		return &factError{"value", fmt.Sprintf("%v is not a finite number", f.Value)}
	case len(f.Reason) > contract.MaxReason:
		return &factError{"reason", fmt.Sprintf("is %d bytes long: %d at most", len(f.Reason), contract.MaxReason)}
	}
	*to = registry.Fact{
		Reached: f.Reached,
		Age:     age,
		Count:   f.Count,
		Open:    f.Open,
		Pending: f.Pending,
		Lag:     lag,
		Value:   f.Value,
		Met:     f.Met,
		Reason:  f.Reason,
	}
	return nil
}

// microseconds converts a duration of the schema. It is not ok over the limit.
func microseconds(us uint64, limit time.Duration) (d time.Duration, ok bool) {
	if us > uint64(limit/time.Microsecond) {
		return 0, false
	}
	return time.Duration(us) * time.Microsecond, true
}

// reportTime returns when the report that has just arrived was made, by the
// registry's clock. readAt is the time in the report. Without one by a known clock,
// the report may have waited since the stream was throttled.
func (t *throttle) reportTime(readAt uint64) judge.Instant {
	_, real := t.clock.Read() // first: if landmarkd is paused now, the report counts as older, not as younger
	now := t.host.Now()
	switch {
	case readAt > 0 && now > 0:
		if readAt >= now {
			return real
		}
		return real.Add(-time.Duration(min(now-readAt, uint64(maxAge/time.Microsecond))) * time.Microsecond)
	case t.throttled.Load():
		return t.throttledSince
	}
	return registry.Undated
}
