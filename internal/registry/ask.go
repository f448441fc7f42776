package registry

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// ErrOverloaded is that there is no answer: memory may be wrong, and too many wait
// already for it to be right.
var ErrOverloaded = errors.New("too many wait for an answer already: ask again")

// AnyAge is the maxAge of who does not have the program asked, whatever the
// service's own is: of who watches, above all, for nothing would take back what
// was told because the main loop did not answer in time.
const AnyAge time.Duration = math.MaxInt64

// Lookup returns what is told of the name at once, from memory, and whether that
// is all there is to say: it is not where the facts are older than maxAge (0 =
// the service's own) and the main loop can be asked, while agents may still be
// coming back to a sidecar that has just started, or while the sidecar has yet
// to read what came in a pause of its own. Ask has the patience.
//
// A name is a service's, or that with "-readiness", "-liveness" or "-startup"
// behind it, or one of these words, or empty, for all services together. Lookup
// keeps no reference to it, and allocates nothing while a verdict stands.
func (r *Registry) Lookup(name []byte, maxAge time.Duration) (a Answer, settled bool) {
	a, _, c := r.lookup(name, maxAge)
	return a, c == final
}

// certainty is how far what memory says can be told.
type certainty int

const (
	provisional certainty = iota // it may be another once everything was heard
	outdated                     // it is true, of facts that are older than they are to be
	final
)

// lookup is Lookup, and returns the service's own maxAge where the checker has none.
func (r *Registry) lookup(name []byte, maxAge time.Duration) (a Answer, wanted time.Duration, c certainty) {
	a, settled := r.fromMemory(name)
	if a.snap != nil {
		maxAge = cmp.Or(maxAge, a.snap.policy.MaxAge)
	}
	_, aspect := resolve(name)
	switch {
	case !settled || r.provisional(a):
		return a, maxAge, provisional
	case canPoll(a, aspect, maxAge):
		return a, maxAge, outdated
	}
	return a, maxAge, final
}

// fromMemory returns what is known of the name, and whether everything was heard
// that counts for it.
func (r *Registry) fromMemory(name []byte) (a Answer, settled bool) {
	service, aspect := resolve(name)
	if len(service) == 0 {
		return r.overall.lookup(aspect)
	}
	if s := (*r.services.Load())[string(service)]; s != nil {
		heard, real := s.readClock()
		return s.lookup(aspect, heard, real), heard == real
	}
	heard, real := r.clock.Read()
	return newAnswer(verdictRecord{Verdict: judge.UnknownService(heard), since: heard}, heard, real), heard == real
}

// provisional reports whether the answer may be another once all agents have come
// back to a sidecar that has only just started: it is about something that has
// not reported yet, or serving over all of what has, or by its host alone, or
// not serving for want of processes that nobody knows of.
func (r *Registry) provisional(a Answer) bool {
	incomplete := a.Cause == judge.UnknownName ||
		a.Cause == judge.Unreported && !a.service.hasServed() ||
		a.Status == judge.Serving && (a.snap == nil || len(a.snap.facts.Instances) == 0) ||
		a.Status == judge.NotServing && a.service != nil && a.service.mayBeIncomplete(a.Cause)
	switch {
	case !incomplete || r.grace.holding():
		return incomplete
	case !r.grace.extended():
		return false
	case a.snap == nil && a.Status == judge.Serving: // of all services together
		return true
	}
	return a.service != nil && a.service.awaitsInstances()
}

// mayBeIncomplete reports whether the service, which is not serving for the cause, would be
// if processes came back of which nothing says whether they were there: others
// may be enough, or work where one drains.
func (s *service) mayBeIncomplete(c judge.Cause) bool {
	shot := s.current.Load()
	if !shot.facts.Incomplete || shot.facts.Drained || shot.history.EverServed {
		return false
	}
	return shot.policy.Quorum.AtLeast > 0 || c == judge.Draining
}

// hasServed reports whether the service has served since the sidecar started.
// That it does so no more is not held: who watches it would go on taking it for
// serving.
func (s *service) hasServed() bool { return s != nil && s.current.Load().history.EverServed }

// canPoll reports whether newer facts could be pulled than the answer's. A
// status that is not serving needs none: what ends it is reported at once. Nor
// does start-up, which once passed stays passed.
func canPoll(a Answer, aspect judge.Aspect, maxAge time.Duration) bool {
	return maxAge > 0 && a.Age > maxAge && a.Status == judge.Serving && aspect != judge.Startup
}

// Await returns what is told of the name, as Lookup does, but waits where Lookup's
// answer is not settled: until the sidecar has heard all that was said in a
// pause of its own, for a first report until the start grace is over, and for
// facts no older than maxAge until the main loops have answered the
// get-state command, or until ask_timeout, when this checker is told Stalled.
// Beyond maxWaiting checkers (see waiting), or pullsPerSecond of one service, it
// answers from memory, with the facts' true age; but where memory may be wrong,
// whatever it says, there is no answer, but ErrOverloaded. If ctx is done first, there is none
// either, but ctx's error: that a checker went, or that the sidecar stops, is no
// fact about the program.
func (r *Registry) Await(ctx context.Context, name []byte, maxAge time.Duration) (Answer, error) {
	a, wanted, c := r.lookup(name, maxAge)
	if c == final {
		return a, nil
	}
	waiting := r.waitingFor(name)
	select {
	case waiting <- struct{}{}:
		defer func() { <-waiting }()
	default:
		if c == provisional {
			return Answer{}, ErrOverloaded
		}
		return a, nil
	}
	for c == provisional {
		if err := r.awaitProvisional(ctx, name); err != nil {
			return Answer{}, err
		}
		a, wanted, c = r.lookup(name, maxAge)
	}
	if c == outdated {
		return r.pollLoops(ctx, name, wanted)
	}
	return a, nil
}

// awaitProvisional waits until what memory says is not uncertain any more, for all that is
// known by then, or returns ctx's error.
func (r *Registry) awaitProvisional(ctx context.Context, name []byte) error {
	if err := r.awaitCatchUp(ctx, name); err != nil {
		return err
	}
	return r.awaitReport(ctx, name)
}

// lookupFinal returns what memory says, however old the facts, once it is not
// uncertain, or ctx's error.
func (r *Registry) lookupFinal(ctx context.Context, name []byte) (Answer, error) {
	for {
		if a, _, c := r.lookup(name, 0); c != provisional {
			return a, nil
		}
		if err := r.awaitProvisional(ctx, name); err != nil {
			return Answer{}, err
		}
	}
}

// awaitReport waits until something was reported of the name, or the start
// grace is over.
func (r *Registry) awaitReport(ctx context.Context, name []byte) error {
	sub := r.Subscribe(name)
	defer sub.Close()
	for {
		if a, _ := r.Lookup(name, 0); !r.provisional(a) {
			return nil
		}
		select {
		case <-sub.Changed():
		case <-r.grace.ended(): // more is left by then if the sidecar was paused
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pollLoops puts the get-state command to the main loops behind the name until
// their last answers are no older than maxAge was when the question came.
func (r *Registry) pollLoops(ctx context.Context, name []byte, maxAge time.Duration) (Answer, error) {
	asked, aspect := r.servicesFor(name)
	since := r.clock.Judged().Add(-maxAge)
	timeout, begun := pollTimeout(asked), r.clock.Awake()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for _, s := range asked {
		s.pollFor(aspect, since, r.clock.Judged()) // sets out to all at once, to be waited for below
	}
	for _, s := range asked {
		for pulled := s.pollFor(aspect, since, r.clock.Judged()); pulled != nil; pulled = s.pollFor(aspect, since, r.clock.Judged()) {
			select {
			case <-pulled:
			case <-timer.C:
				if left := timeout - (r.clock.Awake() - begun); left > 0 {
					timer.Reset(left) // the sidecar was paused, and heard nobody meanwhile
					continue
				}
				a, err := r.lookupFinal(ctx, name)
				return a.stalled(timeout), err
			case <-ctx.Done():
				return Answer{}, ctx.Err()
			}
		}
	}
	return r.lookupFinal(ctx, name)
}

// servicesFor returns the services that a name is about, and the aspect.
func (r *Registry) servicesFor(name []byte) ([]*service, judge.Aspect) {
	services := *r.services.Load()
	one, aspect := resolve(name)
	if len(one) == 0 {
		return slices.Collect(maps.Values(services)), aspect
	}
	if s := services[string(one)]; s != nil {
		return []*service{s}, aspect
	}
	return nil, aspect
}

// pollTimeout is how long a checker waits for the services' main loops: of
// several services the longest.
func pollTimeout(services []*service) time.Duration {
	var timeout time.Duration
	for _, s := range services {
		timeout = max(timeout, s.current.Load().pollTimeout())
	}
	return timeout
}
