package rule

// KindRules say what a landmark of one kind may declare.
type KindRules struct {
	DefaultImpact Impact
	HasWithin     bool // it must have a Within, and no other kind may
	HasLimits     bool // it must have Limits, and no other kind may
	MayHaveTTL    bool
}

var rulesByKind = map[Kind]KindRules{
	KindAlive:     {DefaultImpact: ImpactCritical, HasWithin: true},
	KindDeadline:  {DefaultImpact: ImpactCritical, HasWithin: true},
	KindLoop:      {DefaultImpact: ImpactCritical, HasWithin: true},
	KindLevel:     {DefaultImpact: ImpactDegrading, HasLimits: true},
	KindCondition: {DefaultImpact: ImpactReadiness, MayHaveTTL: true},
}

// RulesOf returns the rules of the kind, and whether there is such a kind.
func RulesOf(k Kind) (rules KindRules, known bool) {
	rules, known = rulesByKind[k]
	return rules, known
}
