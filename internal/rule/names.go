package rule

import "slices"

// The names are those that the configuration, the notifications, the journal and the
// metrics have. The package lmp has them once more, for it imports the standard library
// alone; a test of internal/frontend/lmp compares the two.
var (
	kindNames = []string{
		KindAlive:     "alive",
		KindDeadline:  "deadline",
		KindLoop:      "loop",
		KindLevel:     "level",
		KindCondition: "condition",
	}
	impactNames = []string{
		ImpactCritical:      "critical",
		ImpactReadiness:     "readiness",
		ImpactDegrading:     "degrading",
		ImpactInformational: "informational",
	}
	stateNames = []string{
		Unarmed:  "unarmed",
		OK:       "ok",
		Degraded: "degraded",
		Failing:  "failing",
	}
)

// String returns the name of the kind, such as "loop".
func (k Kind) String() string { return nameOf(kindNames, k) }

// String returns the name of the impact, such as "critical".
func (i Impact) String() string { return nameOf(impactNames, i) }

// String returns the name of the state, such as "failing".
func (s State) String() string { return nameOf(stateNames, s) }

// ParseKind returns the kind with the name, and whether there is one.
func ParseKind(name string) (kind Kind, known bool) { return parse[Kind](kindNames, name) }

// ParseImpact returns the impact with the name, and whether there is one.
func ParseImpact(name string) (impact Impact, known bool) { return parse[Impact](impactNames, name) }

func nameOf[T ~uint8](names []string, n T) string {
	if int(n) < len(names) && names[n] != "" {
		return names[n]
	}
	return "invalid"
}

func parse[T ~uint8](names []string, name string) (n T, known bool) {
	i := slices.Index(names, name)
	if i < 0 || name == "" {
		return 0, false
	}
	return T(i), true
}
