package registry

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/quota"
)

// ErrOverloaded means that there is no answer: memory may be wrong, and too many
// checkers wait already until it is right.
var ErrOverloaded = errors.New("too many checkers wait for an answer already: check again")

// maxPollTimeout is the longest that a checker waits for a get-state command to be
// answered. The smallest Within of the service's Loops applies if it is less.
const maxPollTimeout = 800 * time.Millisecond

// clientKey is the key of WithClient in a context.
type clientKey struct{}

// WithClient returns the context of a request of the client, a value that can be compared:
// its address or its user. Await divides the places of those that wait among the clients.
// Requests without a client are landmarkd's own.
func WithClient(ctx context.Context, client any) context.Context {
	return context.WithValue(ctx, clientKey{}, client)
}

// Await answers about the name as Lookup does, but waits until the answer is
// final. It waits
//   - after a pause of the sidecar, until everything is read that came meanwhile;
//   - for a service that has not reported, until the start grace is over;
//   - for facts no older than maxAge, until the main loops have answered the
//     get-state command. If they do not within the poll timeout, this checker's
//     answer is Stalled.
//
// If too many checkers wait already, or too many of this client's, or beyond poll.PerSecond commands to one
// service, it answers from memory, with the true age of the facts. Where memory
// may be wrong, the error is ErrOverloaded instead. If ctx is done first, the
// error is ctx's, and there is no answer: that a checker leaves, or the sidecar
// stops, says nothing about the program.
func (r *Registry) Await(ctx context.Context, name []byte, maxAge time.Duration) (Answer, error) {
	a, wanted, c := r.lookup(name, maxAge)
	if c == final {
		return a, nil
	}
	places, client := r.waitersFor(name), ctx.Value(clientKey{})
	if !places.Take(client) {
		if c == provisional {
			return Answer{}, ErrOverloaded
		}
		return a, nil
	}
	defer places.GiveBack(client)
	for c == provisional {
		if err := r.awaitNotProvisional(ctx, name); err != nil {
			return Answer{}, err
		}
		a, wanted, c = r.lookup(name, maxAge)
	}
	if c == outdated {
		return r.pollLoops(ctx, name, wanted)
	}
	return a, nil
}

// awaitNotProvisional waits until memory is not provisional. On return it may be
// again, if the sidecar was paused in between. The error is ctx's.
func (r *Registry) awaitNotProvisional(ctx context.Context, name []byte) error {
	if err := r.awaitCatchUp(ctx, name); err != nil {
		return err
	}
	return r.awaitReport(ctx, name)
}

// awaitCatchUp waits until everything has been read that counts for the name. It
// checks at each beat: on a starved machine that may be true only for a moment. And it
// checks when the service is released. The error is ctx's.
func (r *Registry) awaitCatchUp(ctx context.Context, name []byte) error {
	for {
		beat, released := r.clock.NextBeat(), r.untilReleased(name)
		if _, _, caughtUp := r.fromMemory(name); caughtUp {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-beat:
		case <-released:
		}
	}
}

// untilReleased returns a channel that is closed when the service of the name is released,
// nil if it is not held or the name is not one service's.
func (r *Registry) untilReleased(name []byte) <-chan struct{} {
	service, _ := resolve(name)
	if s := r.service(string(service)); s != nil {
		return s.untilReleased()
	}
	return nil
}

// awaitReport waits for a report about the name, or for the end of the start
// grace. The error is ctx's.
func (r *Registry) awaitReport(ctx context.Context, name []byte) error {
	sub := r.Subscribe(name)
	defer sub.Close()
	for {
		if a, _ := r.Lookup(name, 0); !r.provisional(&a) {
			return nil
		}
		select {
		case <-sub.Changed():
		case <-r.grace.ended(): // if the sidecar was paused, more of it may be left
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pollLoops sends the get-state command to the main loops behind the name, until
// their last answers are no older than maxAge at the time of the call.
func (r *Registry) pollLoops(ctx context.Context, name []byte, maxAge time.Duration) (Answer, error) {
	services, aspect := r.servicesFor(name)
	since := r.clock.Judged().Add(-maxAge)
	timer := newPollTimer(r.clock, pollTimeout(services))
	defer timer.stop()
	for _, s := range services {
		s.pollFor(aspect, since, r.clock.Judged()) // sends all commands, before the first wait
	}
	for _, s := range services {
		for done := s.pollFor(aspect, since, r.clock.Judged()); done != nil; done = s.pollFor(aspect, since, r.clock.Judged()) {
			select {
			case <-done:
			case <-timer.C:
				if !timer.passed() {
					continue
				}
				a, err := r.awaitFromMemory(ctx, name)
				return a.stalled(timer.length), err
			case <-ctx.Done():
				return Answer{}, ctx.Err()
			}
		}
	}
	return r.awaitFromMemory(ctx, name)
}

// awaitFromMemory returns what memory says, however old the facts, once it is not
// provisional. The error is ctx's.
func (r *Registry) awaitFromMemory(ctx context.Context, name []byte) (Answer, error) {
	for {
		if a, _, c := r.lookup(name, 0); c != provisional {
			return a, nil
		}
		if err := r.awaitNotProvisional(ctx, name); err != nil {
			return Answer{}, err
		}
	}
}

// servicesFor returns the services that a name is about, and the aspect.
func (r *Registry) servicesFor(name []byte) ([]*service, judge.Aspect) {
	one, aspect := resolve(name)
	if len(one) == 0 {
		return slices.Collect(maps.Values(*r.services.Load())), aspect
	}
	if s := r.service(string(one)); s != nil {
		return []*service{s}, aspect
	}
	return nil, aspect
}

// pollTimeout returns the longest poll timeout of the services.
func pollTimeout(services []*service) time.Duration {
	var timeout time.Duration
	for _, s := range services {
		timeout = max(timeout, s.current.Load().pollTimeout())
	}
	return timeout
}

// pollTimeout returns the poll timeout of the policy, or else the smallest Within
// of a Loop, at most maxPollTimeout.
func (s *snapshot) pollTimeout() time.Duration {
	if s.policy.PollTimeout > 0 {
		return s.policy.PollTimeout
	}
	timeout := maxPollTimeout
	for _, in := range s.facts.Instances {
		timeout = min(timeout, in.LoopWithin())
	}
	return timeout
}

const (
	// maxWaiting is the number of checkers that may wait for services that are
	// known.
	maxWaiting = 3072
	// maxWaitingUnknown is the number that may wait for services that are not. A
	// client can make up names without end, and must not keep the others from
	// waiting.
	maxWaitingUnknown = 1024
)

// waiters are the places of the checkers that wait.
type waiters struct{ known, unknown *quota.Places }

func newWaiters() waiters {
	return waiters{quota.NewPlaces(maxWaiting), quota.NewPlaces(maxWaitingUnknown)}
}

// waitersFor returns the places of the checkers that wait for the name.
func (r *Registry) waitersFor(name []byte) *quota.Places {
	if service, _ := resolve(name); len(service) > 0 && r.service(string(service)) == nil {
		return r.waiters.unknown
	}
	return r.waiters.known
}
