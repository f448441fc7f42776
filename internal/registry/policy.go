package registry

import (
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// Policy is how one service is treated: how it is judged, and how it is asked.
type Policy struct {
	judge.Policy
	// Configured is that the service is expected: until it is reported it is
	// not serving.
	Configured bool
	// MaxAge is how old facts may be for a checker who does not say; 0 = any
	// age.
	MaxAge time.Duration
	// PollTimeout is how long a checker waits for the main loops; 0 = the
	// smallest Within of a Loop, at most maxAskTimeout.
	PollTimeout time.Duration
	// Landmarks overrides what the program declared, by landmark name.
	Landmarks map[string]Override
	// Host are the landmarks that the sidecar reads by itself.
	Host []HostLandmark
}

// DefaultPolicy is that of services that nothing else was said of.
var DefaultPolicy = Policy{Policy: judge.DefaultPolicy}

// Override replaces what a program declared of a landmark, where it is not
// nil. What does not apply to the landmark's kind has no effect.
type Override struct {
	Impact      *judge.Impact
	Within      *time.Duration
	StartWithin *time.Duration
	TTL         *time.Duration
	DegradeAt   *float64
	FailAt      *float64
}

// apply returns the declaration as the policy has it.
func (p Policy) apply(d judge.Declared) judge.Declared {
	o := p.Landmarks[d.Name]
	set(&d.Impact, o.Impact)
	set(&d.Within, o.Within)
	set(&d.StartWithin, o.StartWithin)
	set(&d.TTL, o.TTL)
	set(&d.Limits.DegradeAt, o.DegradeAt)
	set(&d.Limits.FailAt, o.FailAt)
	return d
}

// applyAll is apply to all that a program declared.
func (p Policy) applyAll(stated []judge.Declared) []*judge.Declared {
	declared := make([]*judge.Declared, len(stated))
	for i, d := range stated {
		declared[i] = new(p.apply(d))
	}
	return declared
}

func set[T any](to *T, override *T) {
	if override != nil {
		*to = *override
	}
}
