package registry

import (
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// Answer is what is told of a name at an instant. It is a value of its own:
// nothing that happens later changes it.
type Answer struct {
	Status    judge.Status
	Cause     judge.Cause
	Weight    uint8         // % of capacity, 0-100; 0 exactly when not serving
	Failing   uint8         // landmarks failing, at most 255
	Age       time.Duration // of the facts
	StatusAge time.Duration // how long the status has stood
	Changes   uint32        // how often status or cause have changed; wraps

	verdict judge.Verdict
	service *service  // the one that decided, nil if there is none
	snap    *snapshot // of that service, nil if the name is of no one service
	now     judge.Instant
	polled  time.Duration // how long a get-state command was waited for in vain, 0 if none was
}

// newAnswer makes the answer that the standing is at now. Facts are as old as they
// really are, whatever the sidecar has heard.
func newAnswer(st verdictRecord, now, real judge.Instant) Answer {
	return Answer{
		Status:    st.Status,
		Cause:     st.Cause,
		Weight:    st.Weight,
		Failing:   st.Failing,
		Age:       st.Age(real),
		StatusAge: max(0, now.Sub(st.since)),
		Changes:   st.changes,
		verdict:   st.Verdict,
		now:       now,
	}
}

// stalled is what a checker is told whose get-state command the main loop
// did not answer in time, a being what memory says by then. It is that checker's
// answer alone: nothing of it is kept, so that no checker can change what the
// others are told.
func (a Answer) stalled(waited time.Duration) Answer {
	if a.Status != judge.Serving {
		return a
	}
	a.Status, a.Cause, a.Weight, a.StatusAge = judge.NotServing, judge.Stalled, 0, 0
	a.polled = waited
	return a
}

// Reason says, to a person who is to act on it, why the status is what it is;
// empty while serving.
func (a Answer) Reason() string {
	if a.polled > 0 {
		return fmt.Sprintf("the main loop did not answer the get-state command within %d ms", a.polled.Milliseconds())
	}
	reason := a.verdict.Reason(a.now)
	if reason != "" && a.snap == nil && a.service != nil {
		// Over all services a reason is of use only with its service's name.
		return a.service.name + ": " + reason
	}
	return reason
}

// Service returns the name of the service that the answer is about, whichever
// of its aspects was asked for, "" for all together, and whether it is known.
func (a *Answer) Service() (name string, known bool) {
	if a.snap == nil {
		return "", a.Status != judge.ServiceUnknown
	}
	return a.service.name, true
}

// At returns the instant that the answer is of.
func (a *Answer) At() judge.Instant { return a.now }

// Record is one landmark of an answer.
type Record struct {
	judge.LandmarkState
	Age time.Duration // since the last pass or answer, since its making if never reached
}

// Landmarks returns the landmarks of the service, each as it stands in the
// worst of the service's processes, failing first; none for a name that is of
// no one service.
func (a Answer) Landmarks() []Record {
	if a.snap == nil {
		return nil
	}
	return a.snap.records(a.now)
}
