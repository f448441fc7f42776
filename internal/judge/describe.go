package judge

import (
	"cmp"
	"math"
	"slices"
)

// LandmarkState is a landmark and its state at an instant.
type LandmarkState struct {
	*Landmark
	State State
	// Presumed means that the landmark is Failing only because there are no
	// reports: its process is gone or silent, or the host was not read for too
	// long. By its last report it was not failing.
	Presumed bool
	OfHost   bool // it is the host's, not a process's
}

// Describe returns the state of each landmark of the processes that count, and
// of each landmark of the host. Of landmarks with the same name in several
// processes it returns the worst; a landmark of the host is always another one.
// Failing landmarks come first, then degraded and unarmed ones, each in the
// order of declaration.
func Describe(p Policy, s Service, now Instant) []LandmarkState {
	counted, _ := s.counted(p, now)
	most := len(s.Host.Landmarks)
	for _, in := range counted {
		most += len(in.Landmarks)
	}
	if most == 0 {
		return nil
	}
	states := make([]LandmarkState, 0, most)
	var index map[string]int // by name; nil for one process, whose landmarks all have different names
	if len(counted) > 1 {
		index = make(map[string]int)
	}
	for _, in := range counted {
		for i := range in.Landmarks {
			l := &in.Landmarks[i]
			state := in.State(p, l, now)
			r := LandmarkState{Landmark: l, State: state, Presumed: state == Failing && l.Evaluate(now).State != Failing}
			at, known := index[l.Name]
			switch {
			case !known:
				if index != nil {
					index[l.Name] = len(states)
				}
				states = append(states, r)
			case r.worse(states[at]):
				states[at] = r
			}
		}
	}
	for i := range s.Host.Landmarks {
		l := &s.Host.Landmarks[i]
		state := s.Host.State(p, l, now)
		states = append(states, LandmarkState{Landmark: l, State: state, Presumed: state == Failing && evaluateOnHost(l, now).State != Failing, OfHost: true})
	}
	slices.SortStableFunc(states, func(a, b LandmarkState) int { return cmp.Compare(b.severity(), a.severity()) })
	return states
}

// worse reports whether r is worse than q: in its state, then by its last
// report, then by its age.
func (r LandmarkState) worse(q LandmarkState) bool {
	switch {
	case r.State != q.State:
		return r.severity() > q.severity()
	case r.Presumed != q.Presumed:
		return q.Presumed
	default:
		return r.At < q.At
	}
}

// severity ranks the states. A landmark that was not reached yet is worse than
// a healthy one.
func (r LandmarkState) severity() int {
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

// countFailing counts the landmarks that fail in any of the instances, each name
// once, and those of the host. It returns 255 at most.
func countFailing(p Policy, instances []*Instance, h Host, now Instant) uint8 {
	ofHost := 0
	for i := range h.Landmarks {
		if h.State(p, &h.Landmarks[i], now) == Failing {
			ofHost++
		}
	}
	var failing map[string]struct{} // nil while none fails
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

// InstanceState is a process and why it is not ready at an instant.
type InstanceState struct {
	*Instance
	Cause  Cause // None if it is ready
	Counts bool  // for readiness
}

// DescribeInstances returns the state of each process, in the order in which they
// joined.
func DescribeInstances(p Policy, s Service, now Instant) []InstanceState {
	counted := s.activeInstances(s.Counted(p, now), Readiness)
	states := make([]InstanceState, len(s.Instances))
	for i, in := range s.Instances {
		states[i] = InstanceState{in, in.evaluate(p, Readiness, now).cause, slices.Contains(counted, in)}
	}
	return states
}
