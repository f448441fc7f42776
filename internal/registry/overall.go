package registry

import (
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// overall is what is told over all services together.
//
// Each of its evaluations looks at every service, so not each change of one has
// one of its own: a worker makes them one after the other for as long as there
// are changes that the last has not seen. Readers do not depend on it.
type overall struct {
	services *atomic.Pointer[map[string]*service]
	clock    *clock.Clock
	watches  *subscriptions
	state    atomic.Uint32 // clean, working or dirty: there is a worker but while clean

	// verdicts are replaced when the services have come to something else,
	// by whoever finds it first, be it a reader: so nobody is ever told a
	// count of changes that is taken back. They hold the past; the verdict
	// itself is made anew for each question, since its age changes with every
	// report of every service.
	verdicts atomic.Pointer[[judge.Aspects]verdictRecord]
}

// What overall has made of the services' changes.
const (
	clean   = iota // all of them are seen
	working        // a worker is about to see all that there were when it began
	dirty          // wasPresent were others since
)

const (
	// pauses is how many times as long as an evaluation took the worker waits
	// before the next, so that it takes a tenth of a core however many changes
	// there are, and
	pauses = 9
	// maxPause is the longest that it does.
	maxPause = 50 * time.Millisecond
)

func (o *overall) start(services *atomic.Pointer[map[string]*service], clock *clock.Clock, watches *subscriptions) {
	o.services, o.clock, o.watches = services, clock, watches
	now := clock.Judged()
	var standings [judge.Aspects]verdictRecord
	for a := range standings {
		standings[a] = verdictRecord{Verdict: judge.NoService(now), since: now}
	}
	o.verdicts.Store(&standings)
}

// refresh has it evaluated that services have changed, and then the watchers of
// all services woken. It waits for neither.
func (o *overall) refresh() {
	if o.state.Swap(dirty) == clean {
		go o.work()
	}
}

// work evaluates until every change is seen.
func (o *overall) work() {
	for {
		o.state.Store(working)
		begun := time.Now()
		o.evaluate()
		o.watches.wake("")
		if o.state.CompareAndSwap(working, clean) {
			return
		}
		time.Sleep(min(pauses*time.Since(begun), maxPause))
	}
}

// evaluate makes the standings follow what the services have come to by now.
func (o *overall) evaluate() {
	for {
		// The facts are read after the standings that they are to follow, and
		// count only if these are still the latest by then.
		before := o.verdicts.Load()
		services, now := *o.services.Load(), o.clock.Judged()
		after := *before
		for a := range after {
			v, _, _ := together(services, judge.Aspect(a), now)
			after[a] = after[a].advance(v, now)
		}
		if o.verdicts.CompareAndSwap(before, &after) {
			return
		}
	}
}

// lookup returns what is told over all services, and whether everything was heard
// that counts for it: a service that is behind changes nothing where another
// one has decided that all are not serving.
func (o *overall) lookup(a judge.Aspect) (answer Answer, settled bool) {
	for {
		before := o.verdicts.Load()[a]
		now, real := o.clock.Read()
		v, decides, behind := together(*o.services.Load(), a, now)
		if after := before.advance(v, now); after.changes == before.changes {
			answer = newAnswer(after, now, real)
			answer.service = decides
			bad := v.Status == judge.NotServing && (decides == nil || !decides.behind())
			return answer, now == real && (!behind || bad)
		}
		o.evaluate()
	}
}

// together returns the verdict over all services, and the one that decided it:
// of several alike, the first by name, so that the answer does not jump. It also
// returns whether any of them is behind.
func together(services map[string]*service, a judge.Aspect, now judge.Instant) (v judge.Verdict, decides *service, behind bool) {
	v = judge.NoService(now)
	for _, s := range services {
		heard := min(now, s.heldInstant())
		behind = behind || heard != now
		shot := s.current.Load().at(heard)
		if len(shot.facts.Instances) == 0 && !shot.policy.Configured {
			continue // its first report is on its way
		}
		w := shot.verdicts[a].Verdict
		switch {
		case decides == nil:
			v, decides = w, s
		case w.Cause == v.Cause && s.name < decides.name:
			v, decides = w.And(v), s
		default:
			both := v.And(w)
			if both.Cause != v.Cause {
				decides = s
			}
			v = both
		}
	}
	return v, decides, behind
}
