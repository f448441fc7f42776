package judge

import (
	"cmp"
	"math"
	"slices"
)

// LandmarkState is a landmark as it stands at an instant, in the worst of the
// service's processes.
type LandmarkState struct {
	*Landmark
	State State
}

// Describe returns one record for each landmark of the processes that count,
// and one for each of their host's, failing first, then in the order of
// declaration. A name that both have stands for two landmarks.
func Describe(p Policy, s Service, now Instant) []LandmarkState {
	counted, _ := s.counted(p, now)
	var records []LandmarkState
	place := make(map[string]int)
	for _, in := range counted {
		for i := range in.Landmarks {
			l := &in.Landmarks[i]
			r := LandmarkState{l, in.State(p, l, now)}
			at, known := place[l.Name]
			switch {
			case !known:
				place[l.Name] = len(records)
				records = append(records, r)
			case r.worse(records[at]):
				records[at] = r
			}
		}
	}
	for i := range s.Host.Landmarks {
		l := &s.Host.Landmarks[i]
		records = append(records, LandmarkState{l, s.Host.State(p, l, now)})
	}
	slices.SortStableFunc(records, func(a, b LandmarkState) int { return cmp.Compare(b.urgency(), a.urgency()) })
	return records
}

// worse reports whether r is more to be worried about than q.
func (r LandmarkState) worse(q LandmarkState) bool {
	if r.State != q.State {
		return r.urgency() > q.urgency()
	}
	return r.At < q.At
}

// urgency ranks the states: one that is not reached yet is more to be worried
// about than one that is well.
func (r LandmarkState) urgency() int {
	switch r.State {
	case Failing:
		return 3
	case Degraded:
		return 2
	case Unarmed:
		return 1
	default:
		return 0
	}
}

// countFailing counts the landmarks that are failing in any of the instances,
// each name once, and those of the host, up to 255.
func countFailing(p Policy, instances []*Instance, h Host, now Instant) uint8 {
	ofHost := 0
	for i := range h.Landmarks {
		if h.State(p, &h.Landmarks[i], now) == Failing {
			ofHost++
		}
	}
	var failing map[string]struct{} // made once there is one
	for _, in := range instances {
		for i := range in.Landmarks {
			l := &in.Landmarks[i]
			if in.State(p, l, now) != Failing {
				continue
			}
			if failing == nil {
				failing = make(map[string]struct{})
			}
			if failing[l.Name] = struct{}{}; len(failing) == math.MaxUint8 {
				return math.MaxUint8
			}
		}
	}
	return uint8(min(len(failing)+ofHost, math.MaxUint8))
}
