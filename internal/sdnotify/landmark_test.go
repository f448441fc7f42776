package sdnotify

import (
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/rule"
)

// What is said of a landmark stays when the declaration is repeated or changed, and is
// forgotten when the kind changes.
func TestDeclareLandmark(t *testing.T) {
	var l Landmark
	l.Declare(rule.Declared{Name: "a", Kind: rule.KindAlive, Within: time.Second}, 1)
	l.Reach(5)
	l.Declare(rule.Declared{Name: "a", Kind: rule.KindAlive, Within: time.Minute}, 7)
	if !l.Reached || l.At != 5 || l.Within != time.Minute {
		t.Errorf("declared again: %+v", l)
	}
	l.Declare(rule.Declared{Name: "a", Kind: rule.KindCondition}, 9)
	if l.Reached || l.At != 9 || l.Kind != rule.KindCondition {
		t.Errorf("declared as another kind: %+v", l)
	}
}

// A fact counts only for a landmark of its kind.
func TestTakeFact(t *testing.T) {
	kinds := []rule.Kind{Reach: rule.KindAlive, Level: rule.KindLevel, Condition: rule.KindCondition, Open: rule.KindDeadline}
	for fact := range kinds {
		for of, kind := range kinds {
			var l Landmark
			l.Declare(rule.Declared{Name: "a", Kind: kind}, 1)
			fits := l.Take(Fact{Kind: FactKind(fact), Name: "a"}, 2)
			if fits != (fact == of) || l.Reached != fits {
				t.Errorf("fact %d of a landmark of kind %d: fits is %v, reached is %v", fact, kind, fits, l.Reached)
			}
		}
	}
}

// The age of open work is that of the oldest: given, or that of the work that was open
// before.
func TestTakeOpenWork(t *testing.T) {
	var l Landmark
	l.Declare(rule.Declared{Name: "a", Kind: rule.KindDeadline, Within: time.Second}, 1)
	for _, tt := range []struct {
		fact Fact
		at   rule.Instant
		want rule.Instant // since when it is open
	}{
		{Fact{Open: 1}, 10, 10},                     // it begins
		{Fact{Open: 3}, 20, 10},                     // more began
		{Fact{Open: 2, Aged: true, Age: 5}, 30, 25}, // the oldest has ended
		{Fact{Open: 0}, 40, 40},                     // all have ended
		{Fact{Open: 1}, 50, 50},
	} {
		tt.fact.Kind = Open
		l.Take(tt.fact, tt.at)
		if l.At != tt.want || l.Open != (tt.fact.Open > 0) || l.Pending != tt.fact.Open {
			t.Errorf("%d open at %d: open is %v since %d, want %d", tt.fact.Open, tt.at, l.Open, l.At, tt.want)
		}
	}
}
