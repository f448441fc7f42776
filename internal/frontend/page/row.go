package page

import (
	"time"

	"github.com/landmark-health/landmark/internal/describe"
	"github.com/landmark-health/landmark/internal/frontend/statusmsg"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// class is what a verdict is to a person who looks for what is wrong. The numbers are
// those of the style sheet.
type class int

// The classes.
const (
	serving  class = 1 // with its full weight
	reduced  class = 2 // serving, with less
	intended class = 3 // out for a cause that is not a fault
	out      class = 4
)

func classOf(status judge.Status, cause judge.Cause, weight uint8) class {
	switch {
	case status == judge.Serving && weight == 100:
		return serving
	case status == judge.Serving:
		return reduced
	case describe.Intended(statusv1.Cause(cause)):
		return intended
	}
	return out
}

// row is what is shown of each service. Its times are by the page's clock, so that they do
// not change. Its reason may contain ages, so the row of a service with a fault may differ
// at each look.
type row struct {
	Name      string `json:"name"`
	Class     class  `json:"class"`
	Status    string `json:"status"`
	Cause     string `json:"cause,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Weight    uint8  `json:"weight"`
	Since     int64  `json:"since"`
	Alive     bool   `json:"alive"`
	Ready     int    `json:"ready"`     // instances
	Instances int    `json:"instances"` // that count
	Failing   uint8  `json:"failing"`   // landmarks
	Checkers  int    `json:"checkers"`
	Silent    int    `json:"silent"` // checkers
}

// compose returns the row of a service. since is that of its last row.
func (o *overview) compose(p *registry.ServiceStatus, checkers *statusmsg.Checkers, since int64) row {
	a := p.Answers[judge.Readiness]
	m := statusmsg.Service(*p, false)
	checkers.AddTo(m)
	r := row{
		Name: p.Name, Class: classOf(a.Status, a.Cause, a.Weight), Status: a.Status.String(),
		Cause: describe.Cause(m.Readiness.Verdict), Reason: describe.ServiceReason(m),
		Weight: a.Weight, Since: o.instant(a.StatusAge, since), Alive: p.Answers[judge.Liveness].Status == judge.Serving,
		Failing: a.Failing, Checkers: len(m.Checkers) + len(m.BfdSessions),
	}
	for _, in := range a.Instances() {
		if !in.Counts {
			continue
		}
		r.Instances++
		if in.Cause == judge.None {
			r.Ready++
		}
	}
	for _, c := range m.Checkers {
		if c.Silent {
			r.Silent++
		}
	}
	for _, b := range m.BfdSessions {
		if b.Silent {
			r.Silent++
		}
	}
	return r
}

// instant returns when something of that age happened, in milliseconds of the page's
// clock. Two readings of one age differ a little. If the instant differs from before by no
// more than that, it is before, so that an event does not differ for that alone.
func (s *Server) instant(age time.Duration, before int64) int64 {
	const reading = 20 // ms
	at := s.elapsed() - age.Milliseconds()
	if d := at - before; -reading < d && d < reading {
		return before
	}
	return at
}
