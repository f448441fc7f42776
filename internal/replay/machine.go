package replay

import (
	"github.com/landmark-health/landmark/internal/judge"
)

// machine judges one service under one policy, as the registry does: at each new fact, and
// at the instants at which time alone changes a verdict.
type machine struct {
	policy  judge.Policy
	facts   judge.Service
	history judge.History
	next    judge.Instant
	states  [judge.Aspects]state
	changed func(at judge.Instant, states [judge.Aspects]state)
}

// state is what a verdict says, without its weight.
type state struct {
	status judge.Status
	cause  judge.Cause
}

// advance judges what time alone changes until the instant.
func (m *machine) advance(to judge.Instant) {
	for to >= m.next {
		m.evaluate(m.next)
	}
}

// set replaces the facts.
func (m *machine) set(facts judge.Service, at judge.Instant) {
	m.facts = facts
	m.evaluate(at)
}

func (m *machine) evaluate(at judge.Instant) {
	m.facts.History = m.history
	r := judge.Evaluate(m.policy, m.facts, at)
	m.history, m.next = r.History, r.Next
	var states [judge.Aspects]state
	for a, v := range r.Verdicts {
		states[a] = state{v.Status, v.Cause}
	}
	if states != m.states {
		m.states = states
		m.changed(at, states)
	}
}
