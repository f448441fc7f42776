package rule

import (
	"fmt"
	"math"
	"testing"
)

func TestNamesAreParsedToTheirNumbers(t *testing.T) {
	for n := range math.MaxUint8 + 1 {
		kind, impact := Kind(n), Impact(n)
		_, isKind := RulesOf(kind)
		if got, known := ParseKind(kind.String()); known != isKind || known && got != kind {
			t.Errorf("kind %d has the name %q, which is parsed to %d, %v", n, kind, got, known)
		}
		isImpact := ImpactCritical <= impact && impact <= ImpactInformational
		if got, known := ParseImpact(impact.String()); known != isImpact || known && got != impact {
			t.Errorf("impact %d has the name %q, which is parsed to %d, %v", n, impact, got, known)
		}
	}
	if kind, known := ParseKind(""); known {
		t.Errorf("the empty name is parsed to kind %d", kind)
	}
}

func TestNumbersWithoutName(t *testing.T) {
	for _, n := range []fmt.Stringer{Kind(0), KindCondition + 1, Impact(0), ImpactInformational + 1, Failing + 1, State(math.MaxUint8)} {
		if got := n.String(); got != "invalid" {
			t.Errorf("%T %d has the name %q, want invalid", n, n, got)
		}
	}
}
