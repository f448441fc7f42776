package registry

import (
	"bytes"
	"cmp"
	"math"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// AnyAge is the maxAge of a checker that accepts facts of any age, whatever the
// service's own is. Watches use it: an answer that the main loop did not give in
// time is one checker's alone, and no later change would take it back.
const AnyAge time.Duration = math.MaxInt64

// Lookup answers about the name at once, from memory, and reports whether that
// answer is final. It is not final where Await would wait: the facts are older
// than maxAge (0 = the service's own) and the main loop can be asked; or agents
// may still come back to a sidecar that has just started; or the sidecar was
// paused, and has not read yet what came meanwhile.
//
// A name is a service's, or that followed by "-readiness", "-liveness" or
// "-startup", or one of these words, or empty, for all services together. Lookup
// keeps no reference to it, and allocates nothing while the verdict does not
// change.
func (r *Registry) Lookup(name []byte, maxAge time.Duration) (a Answer, isFinal bool) {
	a, _, c := r.lookup(name, maxAge)
	return a, c == final
}

// certainty is how far an answer from memory can be trusted.
type certainty int

const (
	provisional certainty = iota // it may change once everything has been read
	outdated                     // it is true, but of facts that are older than maxAge
	final
)

// lookup is Lookup, and returns the service's own maxAge if the checker has none.
func (r *Registry) lookup(name []byte, maxAge time.Duration) (a Answer, wanted time.Duration, c certainty) {
	a, aspect, caughtUp := r.fromMemory(name)
	if a.snap != nil {
		maxAge = cmp.Or(maxAge, a.snap.policy.MaxAge)
	}
	switch {
	case !caughtUp || r.provisional(&a):
		return a, maxAge, provisional
	case canPoll(&a, aspect, maxAge):
		return a, maxAge, outdated
	}
	return a, maxAge, final
}

// fromMemory returns what is known about the name, which aspect that is, and whether
// everything that counts for it has been read.
func (r *Registry) fromMemory(name []byte) (a Answer, aspect judge.Aspect, caughtUp bool) {
	service, aspect := resolve(name)
	if len(service) == 0 {
		a, caughtUp = r.overall.lookup(aspect)
		return a, aspect, caughtUp
	}
	if s := (*r.services.Load())[string(service)]; s != nil {
		judged, real := s.readClock()
		return s.lookup(aspect, judged, real), aspect, judged == real
	}
	judged, real := r.clock.Read()
	return newAnswer(&verdictRecord{Verdict: judge.UnknownService(judged), since: judged}, judged, real), aspect, judged == real
}

var aspectNames = [judge.Aspects][]byte{
	[]byte(judge.Readiness.String()), []byte(judge.Liveness.String()), []byte(judge.Startup.String()),
}

// ConcernsAll reports whether the name is of all services together. To look that up takes
// longer the more services there are.
func ConcernsAll(name []byte) bool {
	service, _ := resolve(name)
	return len(service) == 0
}

// resolve splits a name into the service, empty for all of them, and the aspect.
// It allocates nothing.
func resolve(name []byte) (service []byte, aspect judge.Aspect) {
	for a, aspectName := range aspectNames {
		base, ok := bytes.CutSuffix(name, aspectName)
		switch {
		case !ok:
		case len(base) == 0:
			return nil, judge.Aspect(a)
		case len(base) > 1 && base[len(base)-1] == '-':
			return base[:len(base)-1], judge.Aspect(a)
		}
	}
	return name, judge.Readiness
}

// provisional reports whether the answer may change once all agents have come
// back to a sidecar that has just started. That is so for a service that has not
// reported yet; for an answer that is serving over all services, or by the host
// alone; and for one that is not serving because instances may be missing that the
// sidecar does not know, or because an active check has not been made yet.
func (r *Registry) provisional(a *Answer) bool {
	uncertain := a.Cause == judge.UnknownName ||
		a.Cause == judge.Unreported && !a.service.hasServed() ||
		a.Status == judge.Serving && (a.snap == nil || len(a.snap.facts.Instances) == 0) ||
		a.Status == judge.NotServing && a.service != nil && (a.service.mayBeIncomplete(a.Cause) || a.service.awaitsHost(a.Cause))
	switch {
	case !uncertain || r.grace.holding():
		return uncertain
	case !r.grace.extended():
		return false
	case a.snap == nil && a.Status == judge.Serving: // over all services
		return true
	}
	return a.service != nil && a.service.awaitsInstances()
}

// mayBeIncomplete reports whether the service, which is not serving for this
// cause, would be serving if instances came back that the sidecar does not know:
// they may complete the quorum, or work where the known ones drain.
func (s *service) mayBeIncomplete(c judge.Cause) bool {
	snap := s.current.Load()
	if !snap.facts.Incomplete || snap.facts.Drained || snap.history.EverServed {
		return false
	}
	return snap.policy.Quorum.AtLeast > 0 || c == judge.Draining
}

// awaitsHost reports whether the service, which is not serving for this cause, has a
// landmark of its host that was not read since the sidecar started: an active check
// that has not ended yet.
func (s *service) awaitsHost(c judge.Cause) bool {
	return c == judge.Starting && !s.hasServed() && s.current.Load().facts.Host.Unread()
}

// hasServed reports whether the service has served since the sidecar started. Then
// an answer that it does not is never held back: watchers have seen it serve.
func (s *service) hasServed() bool { return s != nil && s.current.Load().history.EverServed }

// canPoll reports whether asking the main loops would give newer facts than the
// answer's. A status that is not serving needs none, because the agent reports at
// once what ends it. Nor does start-up, which stays passed.
func canPoll(a *Answer, aspect judge.Aspect, maxAge time.Duration) bool {
	return maxAge > 0 && a.Age > maxAge && a.Status == judge.Serving && aspect != judge.Startup
}
