package registry

import (
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// Answer is the answer about a name at an instant. It is a value: nothing that
// happens later changes it.
type Answer struct {
	Status    judge.Status
	Cause     judge.Cause
	Weight    uint8         // % of capacity, 0-100; 0 exactly when not serving
	Failing   uint8         // landmarks failing, at most 255
	Age       time.Duration // of the facts
	StatusAge time.Duration // since the status last changed
	Changes   uint32        // of status or cause; wraps

	verdict       judge.Verdict
	service       *service  // that decided, nil if there is none
	snap          *snapshot // of that service, nil if the name is not one service's
	now           judge.Instant
	unansweredFor time.Duration // how long the main loop had to answer and did not, else 0
}

// newAnswer returns the answer that r makes at the judged instant. The age of the
// facts is their real one, whatever the sidecar has read.
func newAnswer(r *verdictRecord, judged, real judge.Instant) Answer {
	return Answer{
		Status:    r.Status,
		Cause:     r.Cause,
		Weight:    r.Weight,
		Failing:   r.Failing,
		Age:       r.Age(real),
		StatusAge: max(0, judged.Sub(r.since)),
		Changes:   r.changes,
		verdict:   r.Verdict,
		now:       judged,
	}
}

// lookup returns the service's answer. It never waits for a writer.
func (s *service) lookup(a judge.Aspect, judged, real judge.Instant) Answer {
	return s.answer(s.current.Load().at(judged), a, judged, real)
}

// answer returns the answer that the service's snapshot makes.
func (s *service) answer(snap *snapshot, a judge.Aspect, judged, real judge.Instant) Answer {
	answer := newAnswer(&snap.verdicts[a], judged, real)
	answer.service, answer.snap = s, snap
	return answer
}

// stalled returns the answer for a checker whose get-state command the main loop
// did not answer in time, where a is the answer from memory by then. It is that
// checker's alone: nothing of it is kept, so that no checker can change the
// answers of others.
func (a Answer) stalled(waited time.Duration) Answer {
	if a.Status != judge.Serving {
		return a
	}
	a.Status, a.Cause, a.Weight, a.StatusAge = judge.NotServing, judge.Stalled, 0, 0
	a.unansweredFor = waited
	return a
}

// Reason says to the person on call why the status is what it is. It is empty
// while serving.
func (a Answer) Reason() string {
	if a.unansweredFor > 0 {
		return fmt.Sprintf("the main loop did not answer the get-state command within %d ms", a.unansweredFor.Milliseconds())
	}
	reason := a.verdict.Reason(a.now)
	if reason != "" && a.snap == nil && a.service != nil {
		// Over all services the reason needs the name of its service.
		return a.service.name + ": " + reason
	}
	return reason
}

// Service returns the name of the service that the answer is about, whatever its
// aspect, or "" for all together, and whether it is known.
func (a *Answer) Service() (name string, known bool) {
	if a.snap == nil {
		return "", a.Status != judge.ServiceUnknown
	}
	return a.service.name, true
}

// At returns the instant of the answer.
func (a *Answer) At() judge.Instant { return a.now }

// Landmark is one landmark of an answer.
type Landmark struct {
	judge.LandmarkState
	Age time.Duration // since it was last reached, or since it was made if it never was
}

// Landmarks returns the landmarks of the service, failing ones first, each from the
// instance where it is worst. It returns none for a name that is not one service's.
func (a Answer) Landmarks() []Landmark {
	if a.snap == nil {
		return nil
	}
	return a.snap.landmarks(a.now)
}

// Instance is one process of an answer.
type Instance struct {
	judge.InstanceState
	Age time.Duration // since its last report; has no meaning before the first
}

// Instances returns the processes of the service, in the order in which they joined. It
// returns none for a name that is not one service's.
func (a Answer) Instances() []Instance {
	if a.snap == nil {
		return nil
	}
	var instances []Instance
	for _, in := range judge.DescribeInstances(a.snap.policy.Policy, a.snap.facts, a.now) {
		instances = append(instances, Instance{in, max(0, a.now.Sub(in.ReportedAt))})
	}
	return instances
}

// ServiceStatus is the answers about one service at an instant.
type ServiceStatus struct {
	Name    string
	Answers [judge.Aspects]Answer
	Drained bool // by an operator
	Texts   []StatusText
	// Instances are how many there are, by judge.Presence.
	Instances [judge.Presences]int
	// Trusted means that its owner is root or the sidecar's own user, or that it has
	// none. UID is the owner.
	Trusted bool
	UID     uint32
}

// StatusText is what a process says of itself.
type StatusText struct {
	Instance string
	Text     string
}

// maxTexts is how many texts of a service are shown.
const maxTexts = 64

// statusTexts returns what the processes say of themselves, of those that do.
func (s *snapshot) statusTexts() (texts []StatusText) {
	for _, in := range s.facts.Instances {
		if in.StatusText != "" && len(texts) < maxTexts {
			texts = append(texts, StatusText{in.Name, in.StatusText})
		}
	}
	return texts
}

// Status returns the status of the service, from memory, and whether it is known.
func (r *Registry) Status(name string) (status ServiceStatus, known bool) {
	s := r.service(name)
	if s == nil {
		return ServiceStatus{}, false
	}
	judged, real := s.readClock()
	snap := s.current.Load().at(judged)
	if snap.empty() && !snap.facts.Drained {
		return ServiceStatus{}, false
	}
	owner := s.owner.Load()
	status = ServiceStatus{
		Name: s.name, Drained: snap.facts.Drained, Texts: snap.statusTexts(),
		Trusted: owner == NoOwner || privileged(owner), UID: owner,
	}
	for _, in := range snap.facts.Instances {
		status.Instances[in.Presence]++
	}
	for a := range status.Answers {
		status.Answers[a] = s.answer(snap, judge.Aspect(a), judged, real)
	}
	return status, true
}
