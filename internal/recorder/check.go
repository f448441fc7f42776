package recorder

import (
	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/probe"
)

// maxEqual is how many equal results of active checks in a row are written: as many as
// fall and rise may be. Further ones change nothing, whatever these are.
const maxEqual = 100

// series is the last results of the active checks of a service.
type series struct {
	ok    bool
	equal int // in a row
}

// Checked records the result of an active check, before fall and rise are applied to it.
func (r *Recorder) Checked(service string, o probe.Outcome) {
	if r.journal == nil {
		return
	}
	r.mu.Lock()
	s := r.series[service]
	if ok := o.Err == nil; ok != s.ok || s.equal == 0 {
		s = series{ok: ok}
	}
	s.equal++
	r.series[service] = s
	r.mu.Unlock()
	if s.equal > maxEqual {
		return
	}
	at := r.now()
	c := &journal.Check{Began: at.Add(-o.Took), Took: o.Took, OK: s.ok, Own: o.Own}
	if o.Err != nil {
		c.Error = o.Err.Error()
	}
	r.journal.Write(journal.Line{Type: journal.TypeCheck, At: at, Service: service, Check: c})
}
