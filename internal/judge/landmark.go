package judge

import "github.com/landmark-health/landmark/internal/rule"

// The agent shares these types and the rule when a landmark fails.
type (
	Kind     = rule.Kind
	Impact   = rule.Impact
	State    = rule.State
	Declared = rule.Declared
	Limits   = rule.Limits
	Landmark = rule.Landmark
	// KindRules say what a landmark of one kind may declare.
	KindRules = rule.KindRules
)

// ParseImpact returns the impact with the name, and whether there is one.
func ParseImpact(name string) (impact Impact, known bool) { return rule.ParseImpact(name) }

// RulesOf returns the rules of the kind, and whether there is such a kind.
func RulesOf(k Kind) (rules KindRules, known bool) { return rule.RulesOf(k) }

// The kinds of landmark.
const (
	KindAlive     = rule.KindAlive
	KindDeadline  = rule.KindDeadline
	KindLoop      = rule.KindLoop
	KindLevel     = rule.KindLevel
	KindCondition = rule.KindCondition
)

// The impacts.
const (
	ImpactCritical      = rule.ImpactCritical
	ImpactReadiness     = rule.ImpactReadiness
	ImpactDegrading     = rule.ImpactDegrading
	ImpactInformational = rule.ImpactInformational
)

// The states.
const (
	Unarmed  = rule.Unarmed
	OK       = rule.OK
	Degraded = rule.Degraded
	Failing  = rule.Failing
)

// affects reports whether the aspect fails if the landmark fails.
func affects(l *Landmark, a Aspect) bool {
	if a == Liveness {
		return l.AffectsLiveness()
	}
	return l.AffectsReadiness()
}

// causeOf returns the cause that a landmark in the given state gives to an aspect
// that it affects.
func causeOf(l *Landmark, s State, a Aspect) Cause {
	switch {
	case s == Failing && l.ShowsWork():
		return Stalled
	case s == Failing:
		return Failed
	case s == Unarmed && a == Readiness:
		// A process that is starting is alive, but not ready.
		return Starting
	default:
		return None
	}
}

// canBePolled reports whether the get-state command is sent to the landmark
// for a checker that wants younger facts.
func canBePolled(l *Landmark) bool { return l.Kind == KindLoop && affects(l, Readiness) }

// continueFrom sets EndedHang of the Loop l from before, the report before this one.
func continueFrom(l, before *Landmark) {
	l.EndedHang = false
	if l.Kind != KindLoop || before.Kind != KindLoop || l.Name != before.Name {
		return
	}
	switch l.Count {
	case before.Count:
		l.EndedHang = before.EndedHang
	case before.Count + 1:
		l.EndedHang = before.Evaluate(l.At).State == Failing
	}
}
