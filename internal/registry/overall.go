package registry

import (
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/rate"
)

// overall answers about all services together.
//
// Each evaluation looks at every service, so not every change of a service has one
// of its own: a worker evaluates again and again while there are changes that the
// last evaluation has not seen. Readers do not depend on it.
type overall struct {
	services      *atomic.Pointer[map[string]*service]
	clock         *clock.Clock
	subscriptions *subscriptions
	state         atomic.Uint32 // clean, working or dirty; a worker runs except while clean

	// verdicts are replaced when a status or cause has changed, by the worker or the
	// reader that finds it first, so that no reader gets a count of changes that is
	// taken back. Each reader still combines the services itself, because the age
	// changes with every report of every service.
	verdicts atomic.Pointer[[judge.Aspects]verdictRecord]
}

const (
	clean   = iota // all changes are evaluated
	working        // a worker evaluates, and there was no change since it began
	dirty          // there was a change since the last evaluation began
)

// maxRest is the longest rest of the worker after an evaluation: the watchers of all
// services wait for the next one.
const maxRest = 50 * time.Millisecond

func (o *overall) start(services *atomic.Pointer[map[string]*service], clock *clock.Clock, subscriptions *subscriptions) {
	o.services, o.clock, o.subscriptions = services, clock, subscriptions
	now := clock.Judged()
	var verdicts [judge.Aspects]verdictRecord
	for a := range verdicts {
		verdicts[a] = verdictRecord{Verdict: judge.NoService(now), since: now}
	}
	o.verdicts.Store(&verdicts)
}

// refresh evaluates again because services have changed, and then wakes the
// watchers of all services. It does not wait for either.
func (o *overall) refresh() {
	if o.state.Swap(dirty) == clean {
		go o.work()
	}
}

// work evaluates until it has seen every change.
func (o *overall) work() {
	for {
		o.state.Store(working)
		began := time.Now()
		o.evaluate()
		o.subscriptions.wake("")
		if o.state.CompareAndSwap(working, clean) {
			return
		}
		time.Sleep(min(rate.RestAfter(time.Since(began)), maxRest))
	}
}

// evaluate stores the verdicts over all services as they are by now.
func (o *overall) evaluate() {
	for {
		// The services are read after the verdicts that they advance, and count
		// only if these are still the latest afterwards.
		before := o.verdicts.Load()
		services := *o.services.Load()
		now := o.clock.Judged()
		after := *before
		for a := range after {
			v, _, _ := combine(services, judge.Aspect(a), now)
			after[a] = after[a].advance(v, now)
		}
		if o.verdicts.CompareAndSwap(before, &after) {
			return
		}
	}
}

// lookup returns the answer about all services, and whether everything that counts
// for it has been read. A service that is held changes nothing where another one
// has decided that all are not serving.
func (o *overall) lookup(a judge.Aspect) (answer Answer, caughtUp bool) {
	for {
		before := o.verdicts.Load()[a]
		judged, real := o.clock.Read()
		v, decisive, held := combine(*o.services.Load(), a, judged)
		if after := before.advance(v, judged); after.changes == before.changes {
			answer = newAnswer(&after, judged, real)
			answer.service = decisive
			decided := v.Status == judge.NotServing && (decisive == nil || !decisive.isHeld())
			return answer, judged == real && (!held || decided)
		}
		o.evaluate()
	}
}

// combine returns the verdict over all services, the service that decided it, and
// whether any of them is held. Of several that are alike the first by name
// decides, so that the answer does not jump.
func combine(services map[string]*service, a judge.Aspect, now judge.Instant) (v judge.Verdict, decisive *service, held bool) {
	v = judge.NoService(now)
	for _, s := range services {
		judged := s.judgedAt(now)
		held = held || judged != now
		snap := s.current.Load().at(judged)
		if snap.empty() {
			continue
		}
		w := snap.verdicts[a].Verdict
		switch {
		case decisive == nil:
			v, decisive = w, s
		case w.Cause == v.Cause && s.name < decisive.name:
			v, decisive = w.And(v), s
		default:
			both := v.And(w)
			if both.Cause != v.Cause {
				decisive = s
			}
			v = both
		}
	}
	return v, decisive, held
}
