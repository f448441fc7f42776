package recorder

import (
	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/probe"
)

// maxEqual is how many equal results of active checks in a row are written: as many as
// fall and rise may be. Further ones change nothing, whatever these are.
const maxEqual = 100

// series is the last results of the active checks of a service that were written.
type series struct {
	ok    bool
	equal int // in a row
}

// Checked records the result of an active check, before fall and rise are applied to it.
func (r *Recorder) Checked(name string, o probe.Outcome) {
	if r.journal == nil {
		return
	}
	r.mu.Lock()
	s := r.services[name]
	if s == nil {
		s = r.add(name)
	}
	r.mu.Unlock()
	s.checked(o, r.now())
}

func (s *service) checked(o probe.Outcome, at judge.Instant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.overBudget {
		return
	}
	if ok := o.Err == nil; ok != s.checks.ok || s.checks.equal == 0 {
		s.checks = series{ok: ok}
	}
	if s.checks.equal++; s.checks.equal > maxEqual {
		return
	}
	c := &journal.Check{Began: at.Add(-o.Took), Took: o.Took, OK: s.checks.ok, Own: o.Own}
	if o.Err != nil {
		c.Error = o.Err.Error()
	}
	s.writeLocked(journal.Line{Type: journal.TypeCheck, At: at, Check: c})
}
