// Package describe says in words what messages of landmark.status.v1 mean: facts,
// limits, reasons and rates. The operator's tool and the page show the same words. All
// texts are printable.
package describe

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/terminal"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// State returns a landmark's state.
func State(l *statusv1.Landmark) string {
	switch l.GetState() {
	case statusv1.State_STATE_UNSPECIFIED:
		return "unarmed"
	case statusv1.State_STATE_FAILING:
		if l.GetPresumed() {
			return "not reported"
		}
	}
	return strings.ToLower(strings.TrimPrefix(l.GetState().String(), "STATE_"))
}

// Kind returns a landmark's kind, such as "loop".
func Kind(l *statusv1.Landmark) string {
	return strings.ToLower(strings.TrimPrefix(l.GetDeclared().GetKind().String(), "KIND_"))
}

// Impact returns a landmark's impact, such as "critical".
func Impact(l *statusv1.Landmark) string {
	return strings.ToLower(strings.TrimPrefix(l.GetDeclared().GetImpact().String(), "IMPACT_"))
}

// Unreached reports whether the landmark was never reached. A Deadline with work open
// counts as reached.
func Unreached(l *statusv1.Landmark) bool {
	f := l.GetFact()
	return !f.GetReached() && !(f.GetOpen() && l.GetDeclared().GetKind() == reportv1.Kind_KIND_DEADLINE)
}

// Fact returns a landmark's fact in words.
func Fact(l *statusv1.Landmark) string {
	f := l.GetFact()
	ago := duration.Format(microseconds(f.GetAgeUs())) + " ago"
	kind := l.GetDeclared().GetKind()
	switch {
	case Unreached(l):
		return "not reached yet, declared " + ago
	case kind == reportv1.Kind_KIND_ALIVE:
		return withReason("passed "+ago, f)
	case kind == reportv1.Kind_KIND_DEADLINE && f.GetOpen():
		return withReason(fmt.Sprintf("%d open, the oldest begun %s", f.GetPending(), ago), f)
	case kind == reportv1.Kind_KIND_DEADLINE && f.GetReason() != "": // landmarkd could not read it
		return withReason("not known", f)
	case kind == reportv1.Kind_KIND_DEADLINE:
		return "none open, the last ended " + ago
	case kind == reportv1.Kind_KIND_LOOP && f.GetOpen():
		return "command sent, last answered " + ago
	case kind == reportv1.Kind_KIND_LOOP:
		return fmt.Sprintf("answered %s, in %s", ago, duration.Format(microseconds(f.GetLagUs())))
	case kind == reportv1.Kind_KIND_LEVEL:
		return fmt.Sprintf("%s, set %s", number(f.GetValue()), ago)
	case checked(l) && f.GetMet():
		return withReason(fmt.Sprintf("holds, checked %s, in %s", ago, seconds(f.GetValue())), f)
	case checked(l):
		return withReason(fmt.Sprintf("does not hold, checked %s, in %s", ago, seconds(f.GetValue())), f)
	case f.GetMet():
		return withReason("holds, set "+ago, f)
	default:
		return withReason("does not hold, set "+ago, f)
	}
}

// checked reports whether landmarkd checks the landmark actively.
func checked(l *statusv1.Landmark) bool {
	return l.GetDeclared().GetKind() == reportv1.Kind_KIND_CONDITION && l.GetFact().GetValue() > 0
}

// seconds formats a number of seconds.
func seconds(n float64) string { return duration.Format(time.Duration(n * float64(time.Second))) }

// withReason appends the fact's reason, if it has one.
func withReason(text string, f *reportv1.Fact) string {
	if f.GetReason() == "" {
		return text
	}
	return text + ": " + terminal.Printable(f.GetReason())
}

// Limit returns a landmark's limit in words, "" if it has none.
func Limit(l *statusv1.Landmark) string {
	d := l.GetDeclared()
	switch {
	case Unreached(l):
		if d.GetStartWithinUs() == 0 {
			return ""
		}
		return "must be reached within " + duration.Format(microseconds(d.GetStartWithinUs()))
	case d.GetKind() == reportv1.Kind_KIND_LEVEL:
		return levelLimit(d.GetLimits())
	case d.GetKind() != reportv1.Kind_KIND_CONDITION:
		return "allowed " + duration.Format(microseconds(d.GetWithinUs()))
	case d.GetTtlUs() > 0 && checked(l):
		return "must be checked again within " + duration.Format(microseconds(d.GetTtlUs()))
	case d.GetTtlUs() > 0:
		return "must be set again within " + duration.Format(microseconds(d.GetTtlUs()))
	}
	return ""
}

// levelLimit returns the limits of a Level in words.
func levelLimit(m *reportv1.Limits) string {
	degrade, fail := number(m.GetDegradeAt()), number(m.GetFailAt())
	switch {
	case m.GetDegradeAt() < m.GetFailAt():
		return fmt.Sprintf("degrades above %s, fails at %s", degrade, fail)
	case m.GetDegradeAt() > m.GetFailAt():
		return fmt.Sprintf("degrades below %s, fails at %s", degrade, fail)
	case m.GetBelow():
		return fmt.Sprintf("fails at %s or less", fail)
	}
	return fmt.Sprintf("fails at %s or more", fail)
}

// microseconds returns a duration of the schema.
func microseconds(us uint64) time.Duration { return time.Duration(us) * time.Microsecond }

// number writes a number, with an exponent only if it is very large or very small.
func number(v float64) string {
	if size := math.Abs(v); size >= 1e-6 && size < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
