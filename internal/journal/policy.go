package journal

import (
	"time"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// Policy is how a service is judged, with what the configuration overrides.
type Policy struct {
	Configured   bool          `json:"configured,omitempty"`
	StaleAfter   time.Duration `json:"stale_after_ns"`
	ForgetAfter  time.Duration `json:"forget_after_ns"`
	AtLeast      int           `json:"at_least,omitempty"` // how many processes must be healthy; 0 = all
	NoneNeeded   bool          `json:"none_needed,omitempty"`
	FallAfter    time.Duration `json:"fall_after_ns,omitempty"`
	RecoverAfter time.Duration `json:"recover_after_ns,omitempty"`
	SlowStart    time.Duration `json:"slow_start_ns,omitempty"`
	// Landmarks are the overrides, by landmark.
	Landmarks map[string]Override `json:"landmarks,omitempty"`
	// Fall and Rise are those of the active check; 0 = there is none.
	Fall int `json:"fall,omitempty"`
	Rise int `json:"rise,omitempty"`
}

// Override replaces what a program declares of a landmark, where it is not nil.
type Override struct {
	Impact      *Impact        `json:"impact,omitempty"`
	Within      *time.Duration `json:"within_ns,omitempty"`
	StartWithin *time.Duration `json:"start_within_ns,omitempty"`
	TTL         *time.Duration `json:"ttl_ns,omitempty"`
	DegradeAt   *float64       `json:"degrade_at,omitempty"`
	FailAt      *float64       `json:"fail_at,omitempty"`
}

// PolicyOf returns the policy as the journal has it.
func PolicyOf(p *registry.Policy) *Policy {
	j := &Policy{
		Configured: p.Configured, StaleAfter: p.StaleAfter, ForgetAfter: p.ForgetAfter,
		AtLeast: p.Quorum.AtLeast, NoneNeeded: p.Quorum.NoneNeeded,
		FallAfter: p.FallAfter, RecoverAfter: p.RecoverAfter, SlowStart: p.SlowStart,
	}
	for name, o := range p.Landmarks {
		if j.Landmarks == nil {
			j.Landmarks = make(map[string]Override, len(p.Landmarks))
		}
		j.Landmarks[name] = Override{
			Impact: (*Impact)(o.Impact), Within: o.Within, StartWithin: o.StartWithin, TTL: o.TTL,
			DegradeAt: o.DegradeAt, FailAt: o.FailAt,
		}
	}
	for _, h := range p.Host {
		if h.Probe != nil {
			j.Fall, j.Rise = h.Probe.Fall, h.Probe.Rise
		}
	}
	return j
}

// Registry returns the policy as the registry takes it, without what it reads of the host.
func (p *Policy) Registry() *registry.Policy {
	policy := &registry.Policy{Configured: p.Configured, Policy: judge.Policy{
		StaleAfter: p.StaleAfter, ForgetAfter: p.ForgetAfter,
		Quorum:    judge.Quorum{AtLeast: p.AtLeast, NoneNeeded: p.NoneNeeded},
		FallAfter: p.FallAfter, RecoverAfter: p.RecoverAfter, SlowStart: p.SlowStart,
	}}
	if len(p.Landmarks) > 0 {
		policy.Landmarks = make(map[string]registry.Override, len(p.Landmarks))
	}
	for name, o := range p.Landmarks {
		policy.Landmarks[name] = registry.Override{
			Impact: (*judge.Impact)(o.Impact), Within: o.Within, StartWithin: o.StartWithin, TTL: o.TTL,
			DegradeAt: o.DegradeAt, FailAt: o.FailAt,
		}
	}
	return policy
}
