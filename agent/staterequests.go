package agent

import (
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
)

// stateRequests tracks the GetState requests on one stream. A request is answered
// when every Loop that counts for readiness has answered a get-state command after
// the request arrived.
//
// A command that is open when the request arrives counts, because its answer comes
// after the request. Loops answer at different times while new requests arrive, so
// the latest answered request is kept for each Loop: however fast the requests
// arrive, some are answered.
type stateRequests struct {
	latest   uint64 // the number of the newest request, 0 = none
	reported uint64 // the highest number that was reported as answered
	loops    []loopRequests
}

// loopRequests is what one Loop has answered.
type loopRequests struct {
	index     int    // in the reporter's landmarks
	answers   uint64 // the Loop's count at the latest request
	requested uint64 // the newest request that the Loop's next answer answers
	answered  uint64 // the newest request that the Loop has answered
}

// add adds the landmarks from index first on. It sends the open request to the new
// Loops.
func (s *stateRequests) add(states []landmarkState, first int, now time.Time) {
	for i := first; i < len(states); i++ {
		if states[i].SendCommand == nil || landmark.Impact(states[i].Impact) > landmark.Readiness {
			continue // does not count for readiness
		}
		s.loops = append(s.loops, loopRequests{index: i, answered: s.reported})
		if s.latest > s.reported {
			s.loops[len(s.loops)-1].request(s.latest, states, now)
		}
	}
}

// request sends a request to every Loop. It replaces the requests before it.
func (s *stateRequests) request(number uint64, states []landmarkState, now time.Time) {
	if number <= s.latest {
		return // the sidecar counts up
	}
	s.latest = number
	for i := range s.loops {
		s.loops[i].request(number, states, now)
	}
}

func (l *loopRequests) request(number uint64, states []landmarkState, now time.Time) {
	answers := states[l.index].RequestState(now)
	l.update(answers)
	l.answers, l.requested = answers, number
}

// update records how many commands the Loop has answered by now.
func (l *loopRequests) update(answers uint64) {
	if answers > l.answers {
		l.answered = max(l.answered, l.requested)
	}
}

// update records the Loops' answers from their current samples.
func (s *stateRequests) update(states []landmarkState) {
	for i := range s.loops {
		s.loops[i].update(states[s.loops[i].index].current.Count)
	}
}

// answered returns the number of the newest request that every Loop has answered.
// Without a Loop, that is the newest request.
func (s *stateRequests) answered() uint64 {
	answered := s.latest
	for _, l := range s.loops {
		answered = min(answered, l.answered)
	}
	return answered
}

// pending reports whether a request is not answered, or not reported as answered.
func (s *stateRequests) pending() bool { return s.latest > s.reported }
