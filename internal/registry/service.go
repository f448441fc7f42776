package registry

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/histogram"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/poll"
	"github.com/landmark-health/landmark/internal/quota"
)

// service is the instances of one service and their facts.
type service struct {
	name    string
	owner   atomic.Uint32 // uid, or NoOwner; replaced under the registry's mu
	clock   *clock.Clock
	hooks   hooks
	current atomic.Pointer[snapshot] // replaced under mu, read without it
	// heldAt is the instant at which the service is held since a pause of the
	// sidecar, or judge.Never; written under mu, read without it.
	heldAt atomic.Int64
	// proved is the latest span of the clock in which all was read that counts for the
	// service; written under mu, read without it.
	proved atomic.Pointer[clock.Span]
	// quietUntil is an instant before which the silence of no process changes an answer,
	// see Registry.QuietUntil; written under mu, read without it.
	quietUntil atomic.Int64

	mu       sync.Mutex // guards what follows
	recorder ServiceRecorder
	policy   *Policy       // of the next snapshot
	judgedTo judge.Instant // of the latest snapshot that was published
	resumed  judge.Instant // when the pause had ended
	released chan struct{} // closed when the service is released; of the latest hold
	slots    []*slot       // in the order of joining
	host     judge.Host
	// hostOverdue means that a check by which a landmark of the host is met is overdue.
	hostOverdue bool
	lags        atomic.Pointer[histogram.Durations] // of the Loops; nil before the first answer, replaced under mu, read without it
	drain       drain
	stopping    bool // all services are drained because the sidecar stops
	incomplete  bool // there may be instances that the sidecar does not know
	retired     bool // it is dropped, and takes no report
	history     history
	account     *quota.Account // of the history's memory
	evidence    *evidenceStore // of all services; it has a lock of its own
	timer       *time.Timer    // calls tick when the snapshot ends, or earlier
	timerAt     judge.Instant
	poll        *poll.Round[*Session] // nil if no get-state command is on its way
	pollLimit   poll.Limit
}

// hooks are what a service calls.
type hooks struct {
	changed        func(*service) // an answer has changed; called without locks
	membersChanged func()         // the membership has changed; called with mu held
	expired        func(*service) // it is time to drop the service; called without locks
	failure        func(Failure)  // the work of a process has begun to fail; called with mu held; may be nil
}

func newService(name string, owner uint32, policy *Policy, clock *clock.Clock, recorder ServiceRecorder, hooks hooks) *service {
	s := &service{name: name, clock: clock, recorder: recorder, hooks: hooks, policy: policy, timerAt: judge.Never, pollLimit: poll.NewLimit()}
	s.owner.Store(owner)
	s.heldAt.Store(int64(judge.Never))
	s.quietUntil.Store(int64(judge.Never))
	now := clock.Judged()
	s.proved.Store(clock.Span())
	first := &snapshot{policy: policy}
	for a := range first.verdicts {
		first.verdicts[a].since = now
	}
	s.current.Store(first.advance(judge.Service{}, now))
	return s
}

// readClockLocked returns the instant by which the service is judged, and the real one.
// It reads the clock first: after a pause the clock goes on only once the services
// are held. The caller holds mu.
func (s *service) readClockLocked() (judged, real judge.Instant) {
	judged, real = s.clock.Read()
	s.prove(real)
	return min(judged, s.heldInstant()), real
}

// readClock is readClockLocked for a caller that does not hold mu. It takes mu once in
// a span of the clock at most.
func (s *service) readClock() (judged, real judge.Instant) {
	judged, real = s.clock.Read()
	return s.judgedAt(judged), real
}

// judgedAt returns the earlier of judged and the instant at which the service is held. The
// caller does not hold mu.
func (s *service) judgedAt(judged judge.Instant) judge.Instant {
	if span := s.clock.Span(); s.proved.Load() != span {
		s.mu.Lock()
		s.readClockLocked() // again: the caller may have read it long ago
		s.mu.Unlock()
	}
	return min(judged, s.heldInstant())
}

// judgedNow returns the instant by which the service is judged. The caller holds mu.
func (s *service) judgedNow() judge.Instant {
	judged, _ := s.readClockLocked()
	return judged
}

// heldInstant returns the instant at which the service is held, or judge.Never.
func (s *service) heldInstant() judge.Instant { return judge.Instant(s.heldAt.Load()) }

func (s *service) isHeld() bool { return s.heldInstant() != judge.Never }

// update calls change, which reports whether there is anything to publish, then
// publishes, and then wakes the watchers if an answer has changed. It holds mu
// during the first two.
func (s *service) update(change func() bool) {
	s.mu.Lock()
	changed := change() && s.publish()
	s.mu.Unlock()
	if changed {
		s.hooks.changed(s)
	}
}

// publish makes a snapshot of the present facts, and reports whether an answer has
// changed. It reads the clock itself, under mu, so that no snapshot is earlier
// than the one before it. The caller holds mu.
func (s *service) publish() (changed bool) {
	now, real := s.readClockLocked()
	s.judgedTo = now
	before := s.current.Load()
	last := s.advance(now)
	after := last.withPolicy(s.policy).advance(s.facts(), now)
	s.noteStep(last, after, now)
	s.current.Store(after) // before what takes longer
	s.recorder.Published(Publication{now, s.owner.Load(), s.policy, last.history, before.facts, after.facts, after, s.slots})
	s.noticeFailures(after, now)
	if !s.retired { // else the timer would never stop
		next := min(after.next, s.expires())
		if now != real { // now stands still: a timer that fires soon would do so again and again
			next = max(next, now.Add(clock.Recheck))
		}
		s.schedule(next, now)
	}
	s.setQuietUntil(after.next)
	if !sameMembers(before.facts.Instances, after.facts.Instances) || before.facts.Drained != after.facts.Drained {
		s.hooks.membersChanged()
	}
	return before.differs(after)
}

// advance returns what time alone has made of the snapshot by now, and notes the steps
// on the way. The caller holds mu.
func (s *service) advance(now judge.Instant) *snapshot {
	snap := s.current.Load()
	for now >= snap.next {
		after := snap.step()
		s.noteStep(snap, after, snap.next)
		snap = after
	}
	return snap
}

// noteStep notes that before became after at the instant: as a change if a status or
// cause differs, else as the latest weight of the last change. The caller holds mu.
func (s *service) noteStep(before, after *snapshot, at judge.Instant) {
	if before.sameCauses(after) {
		s.history.updateWeights(after)
		return
	}
	c := newChange(after, at)
	s.history.add(&c, s.owner.Load(), s.account)
	s.evidence.attach(s, &c)
	s.recorder.Changed(c.Change, s.owner.Load(), at)
}

// facts returns the facts that the judge needs. The caller holds mu.
func (s *service) facts() judge.Service {
	return judge.Service{
		Instances: s.instances(), Host: s.host, Incomplete: s.incomplete,
		Drained: s.drain.active || s.stopping, Stopping: s.stopping && !s.drain.active,
	}
}

// timerStep is the step to which schedule rounds down an instant that is not near. So the
// timers of many services fire together. One that fires too early is set once more; mostly
// a report has put off by then what it was for.
const timerStep = 25 * time.Millisecond

// schedule makes sure that tick is called at the instant next. It never puts the
// timer off: to do so at every report costs more than a timer that fires early.
// The caller holds mu.
func (s *service) schedule(next, now judge.Instant) {
	if next >= s.timerAt {
		return
	}
	if next.Sub(now) > 2*timerStep {
		next -= next % judge.Instant(timerStep)
	}
	s.timerAt = next
	if s.timer == nil {
		s.timer = time.AfterFunc(next.Sub(now), s.tick)
		return
	}
	s.timer.Reset(next.Sub(now))
}

// tick publishes what time alone has made of the facts.
func (s *service) tick() {
	s.update(func() bool {
		s.timerAt = judge.Never
		now, real := s.readClockLocked()
		if next := min(s.current.Load().next, s.expires()); !s.retired && now == real && now < next {
			s.schedule(next, now) // reports have put off what was due
			return false
		}
		return true
	})
	if s.expires() <= s.clock.Judged() {
		s.hooks.expired(s)
	}
}

// report takes the facts that a session reported, made at the instant at. It gives
// the session a slot if it has none yet.
func (s *service) report(from *Session, facts []Fact, answered uint64, at judge.Instant) (err error) {
	s.update(func() bool {
		// Not readClock: its proof would find this report on its way, and hold the service.
		judged, real := s.clock.Read()
		judged = min(judged, s.provedUntil(), s.heldInstant())
		from.undated = at == Undated
		at = from.madeAt(at, judged, real)
		from.latest = at
		from.reports++
		in := &judge.Instance{
			Name:       from.id.Instance,
			Presence:   judge.Connected,
			ReportedAt: at,
			Draining:   from.draining,
			Notifies:   from.notifies,
			StatusText: from.statusText,
			Landmarks:  from.landmarks(s.policy, facts, at),
		}
		if from.superseded {
			return false
		}
		var sl *slot
		if sl, err = s.slotFor(from, in.HasStarted(), real); err != nil {
			return false
		}
		in.ContinueFrom(sl.instance, s.policy.Policy)
		s.observeLags(sl.instance, in)
		sl.instance, sl.declaration = in, from.declaration
		if in.CanPoll(judge.Readiness) {
			s.poll = s.poll.Answered(from, answered)
		} else {
			s.poll = s.poll.Remove(from)
		}
		return true
	})
	if err == nil && s.isHeld() {
		s.catchUpWith(from)
	}
	return err
}
