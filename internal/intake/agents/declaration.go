package agents

import (
	"fmt"
	"math"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// readDeclaration reads what landmarks an agent declares.
func readDeclaration(d *reportv1.Declaration) ([]judge.Declared, error) {
	if len(d.Landmarks) > contract.MaxLandmarks {
		return nil, invalid("declaration.landmarks", "are %d: %d at most", len(d.Landmarks), contract.MaxLandmarks)
	}
	landmarks := make([]judge.Declared, len(d.Landmarks))
	known := make(map[string]int, len(d.Landmarks))
	for i, l := range d.Landmarks {
		field := fmt.Sprintf("declaration.landmarks[%d]", i)
		if err := readLandmark(field, l, &landmarks[i]); err != nil {
			return nil, err
		}
		if j, twice := known[l.Name]; twice {
			return nil, invalid(field+".name", "%q is landmarks[%d] already", l.Name, j)
		}
		known[l.Name] = i
	}
	return landmarks, nil
}

// kind is what the schema says of one kind of landmark.
type kind struct {
	impact judge.Impact // unless the program says another
	timed  bool         // it has a Within
	limits bool         // it has Limits
	ttl    bool         // it may have a TTL
}

var kinds = map[reportv1.Kind]kind{
	reportv1.Kind_KIND_ALIVE:     {impact: judge.ImpactCritical, timed: true},
	reportv1.Kind_KIND_DEADLINE:  {impact: judge.ImpactCritical, timed: true},
	reportv1.Kind_KIND_LOOP:      {impact: judge.ImpactCritical, timed: true},
	reportv1.Kind_KIND_LEVEL:     {impact: judge.ImpactDegrading, limits: true},
	reportv1.Kind_KIND_CONDITION: {impact: judge.ImpactReadiness, ttl: true},
}

// readLandmark reads one declared landmark, whose place in the message field
// names.
func readLandmark(field string, l *reportv1.Landmark, to *judge.Declared) (err error) {
	if err := contract.CheckLandmarkName(l.Name); err != nil {
		return invalid(field+".name", "%v", err)
	}
	kind, known := kinds[l.Kind]
	if !known {
		return invalid(field+".kind", "%v is not known to this landmarkd", l.Kind)
	}
	to.Name, to.Kind = l.Name, judge.Kind(l.Kind)
	if to.Impact, err = readImpact(field, l.Impact, kind.impact); err != nil {
		return err
	}
	if to.Within, err = readWithin(field+".within_us", l.WithinUs, kind.timed); err != nil {
		return err
	}
	if to.StartWithin, err = readDuration(field+".start_within_us", l.StartWithinUs, true); err != nil {
		return err
	}
	if to.TTL, err = readDuration(field+".ttl_us", l.TtlUs, kind.ttl); err != nil {
		return err
	}
	to.Limits, err = readLimits(field+".limits", l.Limits, kind.limits)
	return err
}

func readImpact(field string, impact reportv1.Impact, otherwise judge.Impact) (judge.Impact, error) {
	switch {
	case impact == reportv1.Impact_IMPACT_UNSPECIFIED:
		return otherwise, nil
	case impact < 0 || impact > reportv1.Impact_IMPACT_INFORMATIONAL:
		return 0, invalid(field+".impact", "%v is not known to this landmarkd", impact)
	}
	return judge.Impact(impact), nil
}

// readWithin reads a Within of 100 ms to 24 h, which a kind must have or must
// not.
func readWithin(field string, us uint64, has bool) (time.Duration, error) {
	if !has {
		return readDuration(field, us, false)
	}
	return readChecked(field, us, contract.CheckWithin)
}

// readDuration reads a duration of 1 ms to 24 h, 0 for none, that the kind may
// have or must not.
func readDuration(field string, us uint64, may bool) (time.Duration, error) {
	switch {
	case us == 0:
		return 0, nil
	case !may:
		return 0, invalid(field, "is %d, and a landmark of this kind has none", us)
	}
	return readChecked(field, us, contract.CheckDuration)
}

// readChecked reads a duration that check allows.
func readChecked(field string, us uint64, check func(time.Duration) error) (time.Duration, error) {
	d, ok := microseconds(us, contract.MaxDuration)
	if !ok {
		return 0, invalid(field, "%d us is over %v", us, contract.MaxDuration)
	}
	if err := check(d); err != nil {
		return 0, invalid(field, "%v", err)
	}
	return d, nil
}

// readLimits reads the limits of a Level, which no other kind has.
func readLimits(field string, m *reportv1.Limits, has bool) (judge.Limits, error) {
	none := judge.Limits{}
	switch {
	case m == nil && !has:
		return none, nil
	case m == nil:
		return none, invalid(field, "are missing: a Level has no meaning without")
	case !has:
		return none, invalid(field, "are there, and a landmark of this kind has none")
	case !finite(m.DegradeAt):
		return none, invalid(field+".degrade_at", "%v is not a finite number", m.DegradeAt)
	case !finite(m.FailAt):
		return none, invalid(field+".fail_at", "%v is not a finite number", m.FailAt)
	}
	return judge.Limits{DegradeAt: m.DegradeAt, FailAt: m.FailAt, Below: m.Below}, nil
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
