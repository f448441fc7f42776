package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// stateCell shows a landmark's state.
func stateCell(l *statusv1.Landmark) cell {
	switch l.GetState() {
	case statusv1.State_STATE_UNSPECIFIED:
		return cell{"unarmed", plain}
	case statusv1.State_STATE_OK:
		return cell{"ok", green}
	case statusv1.State_STATE_DEGRADED:
		return cell{"degraded", yellow}
	case statusv1.State_STATE_FAILING:
		return cell{"failing", red}
	}
	return cell{l.GetState().String(), plain}
}

func kindOf(l *statusv1.Landmark) string {
	return strings.ToLower(strings.TrimPrefix(l.GetDeclared().GetKind().String(), "KIND_"))
}

func impactOf(l *statusv1.Landmark) string {
	return strings.ToLower(strings.TrimPrefix(l.GetDeclared().GetImpact().String(), "IMPACT_"))
}

// unreached reports whether the landmark is yet to be reached for the first
// time. For a Deadline, work that is open will do.
func unreached(l *statusv1.Landmark) bool {
	f := l.GetFact()
	return !f.GetReached() && !(f.GetOpen() && l.GetDeclared().GetKind() == reportv1.Kind_KIND_DEADLINE)
}

// standOf says how a landmark stands, in its own number.
func standOf(l *statusv1.Landmark) string {
	f := l.GetFact()
	ago := span(microseconds(f.GetAgeUs())) + " ago"
	kind := l.GetDeclared().GetKind()
	switch {
	case unreached(l):
		return "not reached yet, made " + ago
	case kind == reportv1.Kind_KIND_ALIVE:
		return "passed " + ago
	case kind == reportv1.Kind_KIND_DEADLINE && f.GetOpen():
		return strings.TrimSuffix(fmt.Sprintf("%d open, the oldest begun %s: %s", f.GetPending(), ago, printable(f.GetReason())), ": ")
	case kind == reportv1.Kind_KIND_DEADLINE && f.GetReason() != "": // landmarkd could not read it
		return "not known: " + printable(f.GetReason())
	case kind == reportv1.Kind_KIND_DEADLINE:
		return "none open, the last ended " + ago
	case kind == reportv1.Kind_KIND_LOOP && f.GetOpen():
		return "asked, last answered " + ago
	case kind == reportv1.Kind_KIND_LOOP:
		return fmt.Sprintf("answered %s, in %s", ago, span(microseconds(f.GetLagUs())))
	case kind == reportv1.Kind_KIND_LEVEL:
		return fmt.Sprintf("%s, set %s", number(f.GetValue()), ago)
	case f.GetMet():
		return strings.TrimSuffix(fmt.Sprintf("holds, said %s: %s", ago, printable(f.GetReason())), ": ")
	default:
		return strings.TrimSuffix(fmt.Sprintf("does not hold, said %s: %s", ago, printable(f.GetReason())), ": ")
	}
}

// limitOf says what a landmark is allowed, "" if it is anything.
func limitOf(l *statusv1.Landmark) string {
	d := l.GetDeclared()
	switch {
	case unreached(l):
		if d.GetStartWithinUs() == 0 {
			return ""
		}
		return "to be reached within " + span(microseconds(d.GetStartWithinUs()))
	case d.GetKind() == reportv1.Kind_KIND_LEVEL:
		return limitsOf(d.GetLimits())
	case d.GetKind() != reportv1.Kind_KIND_CONDITION:
		return "allowed " + span(microseconds(d.GetWithinUs()))
	case d.GetTtlUs() > 0:
		return "to be said again within " + span(microseconds(d.GetTtlUs()))
	}
	return ""
}

// limitsOf says what a Level's number is allowed to be.
func limitsOf(m *reportv1.Limits) string {
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

// number writes a number, and its digits rather than an exponent where they are
// few.
func number(v float64) string {
	if size := math.Abs(v); size >= 1e-6 && size < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
