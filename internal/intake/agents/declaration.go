package agents

import (
	"fmt"
	"math"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// parseDeclaration checks a declaration and returns its landmarks.
func parseDeclaration(d *reportv1.Declaration) ([]judge.Declared, error) {
	if len(d.Landmarks) > contract.MaxLandmarks {
		return nil, invalid("declaration.landmarks", "are %d: %d at most", len(d.Landmarks), contract.MaxLandmarks)
	}
	landmarks := make([]judge.Declared, len(d.Landmarks))
	known := make(map[string]int, len(d.Landmarks))
	for i, l := range d.Landmarks {
		field := fmt.Sprintf("declaration.landmarks[%d]", i)
		if err := parseLandmark(field, l, &landmarks[i]); err != nil {
			return nil, err
		}
		if j, twice := known[l.Name]; twice {
			return nil, invalid(field+".name", "%q is the name of landmarks[%d] too", l.Name, j)
		}
		known[l.Name] = i
	}
	return landmarks, nil
}

// parseLandmark checks one landmark and writes it to to. field is its path in the
// message.
func parseLandmark(field string, l *reportv1.Landmark, to *judge.Declared) (err error) {
	if err := contract.CheckLandmarkName(l.Name); err != nil {
		return invalid(field+".name", "%v", err)
	}
	kind, known := judge.RulesOf(judge.Kind(l.Kind))
	if !known || l.Kind < 0 || l.Kind > math.MaxUint8 {
		return invalid(field+".kind", "%v is not known to this landmarkd", l.Kind)
	}
	to.Name, to.Kind = l.Name, judge.Kind(l.Kind)
	if to.Impact, err = parseImpact(field, l.Impact, kind.DefaultImpact); err != nil {
		return err
	}
	if to.Within, err = parseWithin(field+".within_us", l.WithinUs, kind.HasWithin); err != nil {
		return err
	}
	if to.StartWithin, err = parseDuration(field+".start_within_us", l.StartWithinUs, true); err != nil {
		return err
	}
	if to.TTL, err = parseDuration(field+".ttl_us", l.TtlUs, kind.MayHaveTTL); err != nil {
		return err
	}
	to.Limits, err = parseLimits(field+".limits", l.Limits, kind.HasLimits)
	return err
}

func parseImpact(field string, impact reportv1.Impact, fallback judge.Impact) (judge.Impact, error) {
	switch {
	case impact == reportv1.Impact_IMPACT_UNSPECIFIED:
		return fallback, nil
	case impact < 0 || impact > reportv1.Impact_IMPACT_INFORMATIONAL:
		return 0, invalid(field+".impact", "%v is not known to this landmarkd", impact)
	}
	return judge.Impact(impact), nil
}

// parseWithin parses a Within of 100 ms to 24 h, which must be there if has is true
// and must not be otherwise.
func parseWithin(field string, us uint64, has bool) (time.Duration, error) {
	if !has {
		return parseDuration(field, us, false)
	}
	return parseChecked(field, us, contract.CheckWithin)
}

// parseDuration parses a duration of 1 ms to 24 h, or 0 for none, which must be 0
// unless may is true.
func parseDuration(field string, us uint64, may bool) (time.Duration, error) {
	switch {
	case us == 0:
		return 0, nil
	case !may:
		return 0, invalid(field, "is %d, but a landmark of this kind has none", us)
	}
	return parseChecked(field, us, contract.CheckDuration)
}

// parseChecked parses a duration that check accepts.
func parseChecked(field string, us uint64, check func(time.Duration) error) (time.Duration, error) {
	d, ok := microseconds(us, contract.MaxDuration)
	if !ok {
		return 0, invalid(field, "%d us is over %v", us, contract.MaxDuration)
	}
	if err := check(d); err != nil {
		return 0, invalid(field, "%v", err)
	}
	return d, nil
}

// parseLimits parses the Limits of a Level, which no other kind has.
func parseLimits(field string, m *reportv1.Limits, has bool) (judge.Limits, error) {
	none := judge.Limits{}
	switch {
	case m == nil && !has:
		return none, nil
	case m == nil:
		return none, invalid(field, "are missing: a Level needs them")
	case !has:
		return none, invalid(field, "are set, but a landmark of this kind has none")
	case !finite(m.DegradeAt):
		return none, invalid(field+".degrade_at", "%v is not a finite number", m.DegradeAt)
	case !finite(m.FailAt):
		return none, invalid(field+".fail_at", "%v is not a finite number", m.FailAt)
	}
	return judge.Limits{DegradeAt: m.DegradeAt, FailAt: m.FailAt, Below: m.Below}, nil
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
