package registry

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/sidecar/internal/judge"
)

// MaxInstances is how many processes a service may have.
const MaxInstances = 1024

// service is one service's processes and their facts.
type service struct {
	name    string
	owner   atomic.Uint32 // the uid that it belongs to, nobody if none yet; replaced under the registry's mu
	clock   *Clock
	changed func(*service) // called, with no lock held, when watchers are to be told

	present atomic.Pointer[snapshot] // replaced under mu, read without

	mu      sync.Mutex
	places  []*place // in the order of joining
	host    judge.Host
	drain   drain
	history history
	timer   *time.Timer // fires at the snapshot's next, or earlier
	fires   judge.Instant
	pull    *pull // the get-state command being waited for, nil if none is
	budget  budget
}

// place is one process's place in the service; it outlives the session of a
// process that was lost, as a vacancy.
type place struct {
	session  *Session // nil once it ended
	instance *judge.Instance
	stated   []judge.Declared // by the program, of the instance's landmarks
}

// under has the place's facts judged by what another policy makes of what its
// program declared.
func (p *place) under(policy *Policy) {
	in := *p.instance
	in.Landmarks = slices.Clone(in.Landmarks)
	for i, d := range policy.applyAll(p.stated) {
		in.Landmarks[i].Declared = d
	}
	p.instance = &in
}

func newService(name string, owner uint32, policy *Policy, clock *Clock, changed func(*service)) *service {
	s := &service{name: name, clock: clock, changed: changed, fires: judge.Never}
	s.owner.Store(owner)
	now := clock.Now()
	unborn := &snapshot{policy: policy}
	for a := range unborn.standings {
		unborn.standings[a].since = now
	}
	s.present.Store(unborn.follow(judge.Service{}, now))
	return s
}

// report takes a process's facts, giving it a place if it has none yet.
func (s *service) report(from *Session, facts []Fact, answered uint64, now judge.Instant) error {
	s.mu.Lock()
	p, err := s.placeOf(from, now)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	in := &judge.Instance{
		Name:      from.peer.Instance,
		Presence:  judge.Connected,
		Since:     p.instance.Since,
		Heard:     now,
		Draining:  from.draining,
		Landmarks: from.landmarks(s.present.Load().policy, facts, now),
	}
	in.Started = p.instance.Started || in.HasStarted()
	in.Newcomer = p.instance.Newcomer && !in.Started
	p.instance, p.stated = in, from.stated
	news := s.publish()
	if in.CanBeAsked(judge.Readiness) {
		s.pull = s.pull.answered(from, answered)
	} else {
		s.pull = s.pull.without(from)
	}
	s.mu.Unlock()
	if news {
		s.changed(s)
	}
	return nil
}

// leave takes the session out of its place, which a lost process leaves
// vacant. The last process that says goodbye leaves the service stopped.
func (s *service) leave(from *Session, how judge.Presence) {
	s.mu.Lock()
	_, now := s.clock.Read()
	s.pull = s.pull.without(from)
	s.forget(now)
	i := slices.IndexFunc(s.places, func(p *place) bool { return p.session == from })
	if i < 0 {
		s.mu.Unlock()
		return
	}
	if len(s.places) > 1 && (how == judge.SaidGoodbye || s.places[i].instance.Draining) {
		// Others are left, and it went on purpose.
		s.places = slices.Delete(s.places, i, i+1)
	} else {
		gone := *s.places[i].instance
		gone.Presence, gone.Since = how, now
		s.places[i] = &place{instance: &gone, stated: s.places[i].stated}
		s.succeed(i)
	}
	if s.drain.untilGone && s.deserted() {
		s.drain = drain{}
	}
	news := s.publish()
	s.mu.Unlock()
	if news {
		s.changed(s)
	}
}

// placeOf finds the session's place: its own; else that of the process of its
// name, whose session ends unless it is the newer one; else the vacancy that
// was left first; else a new one, as a newcomer where others are.
func (s *service) placeOf(from *Session, now judge.Instant) (*place, error) {
	if from.ended != nil {
		return nil, from.ended
	}
	for _, p := range s.places {
		if p.session == from {
			return p, nil
		}
	}
	s.forget(now)
	vacant := -1
	for i, p := range s.places {
		switch {
		case p.instance.Name == from.peer.Instance:
			if p.session != nil && p.session.number > from.number {
				return nil, s.replaced()
			}
			return s.take(i, from, now), nil
		case p.session == nil && (vacant < 0 || p.instance.Since < s.places[vacant].instance.Since):
			vacant = i
		}
	}
	if vacant >= 0 {
		return s.take(vacant, from, now), nil
	}
	if len(s.places) >= MaxInstances {
		return nil, fmt.Errorf("%w: %s has %d processes, as many as a service may have", ErrLimit, s.name, MaxInstances)
	}
	s.places = append(s.places, &place{instance: &judge.Instance{Newcomer: len(s.places) > 0}})
	return s.take(len(s.places)-1, from, now), nil
}

// forget drops the vacancies of processes that nobody misses any more, or ever
// did: they were lost for too long, or before they counted.
func (s *service) forget(now judge.Instant) {
	shot := s.present.Load()
	counted := shot.facts.Counted(shot.policy.Policy, now)
	s.places = slices.DeleteFunc(s.places, func(p *place) bool {
		return p.session == nil && !slices.Contains(counted, p.instance)
	})
}

// take gives place i to the session. Who takes a newcomer's is one, and so is
// who takes a living process's beside others: it fills no vacancy.
func (s *service) take(i int, from *Session, now judge.Instant) *place {
	old := s.places[i]
	newcomer := old.instance.Newcomer || old.session != nil && len(s.places) > 1
	if old.session != nil {
		s.pull = s.pull.without(old.session)
		old.session.endWith(s.replaced())
	}
	s.places[i] = &place{session: from, instance: &judge.Instance{Since: now, Newcomer: newcomer}}
	return s.places[i]
}

// succeed gives vacancy i to the first newcomer: it was to take a place, and
// there it is.
func (s *service) succeed(i int) {
	heir := slices.IndexFunc(s.places, func(p *place) bool { return p.session != nil && p.instance.Newcomer })
	if heir < 0 || s.places[i].instance.Presence != judge.Vacant || s.places[i].instance.Newcomer {
		return
	}
	in := *s.places[heir].instance
	in.Newcomer = false
	s.places[heir].instance = &in
	s.places = slices.Delete(s.places, i, i+1)
}

// configure judges the service by another policy from now on, and by what was
// seen of its host for it, all of it at once: a mixture of two policies would be
// neither.
func (s *service) configure(policy *Policy, seen Seen) {
	s.mu.Lock()
	s.see(policy, seen)
	for _, p := range s.places {
		p.under(policy)
	}
	news := s.publishBy(policy)
	s.mu.Unlock()
	if news {
		s.changed(s)
	}
}

// evict ends all sessions for the reason err and empties the service's places.
func (s *service) evict(err error) {
	s.mu.Lock()
	for _, p := range s.places {
		if p.session != nil {
			s.pull = s.pull.without(p.session)
			p.session.endWith(err)
		}
	}
	s.places = nil
	if s.drain.untilGone || !ranking(s.drain.by) {
		s.drain = drain{} // or it was the wish of him who has lost the service
	}
	news := s.publish()
	s.mu.Unlock()
	if news {
		s.changed(s)
	}
}

// replaced is what the agent of a session that is not its process's newest is
// told.
func (s *service) replaced() error {
	return fmt.Errorf("%w: give each process of %s an instance name of its own", ErrReplaced, s.name)
}

// publish makes the present facts' snapshot and reports whether watchers are
// to be told of it. It takes the time itself, under mu, so that no snapshot is
// of before the one it follows.
func (s *service) publish() (news bool) { return s.publishBy(s.present.Load().policy) }

// publishBy is publish by a policy that may be another than before.
func (s *service) publishBy(policy *Policy) (news bool) {
	now := s.clock.Now()
	before := s.present.Load()
	until := s.advance(now)
	after := until.under(policy).follow(s.facts(), now)
	s.note(until, after, now)
	s.present.Store(after)
	s.arm(after.next, now)
	return before.differs(after)
}

// advance returns what the passing of time has made of the present by now, and
// notes the changes on the way.
func (s *service) advance(now judge.Instant) *snapshot {
	shot := s.present.Load()
	for now >= shot.next {
		after := shot.step()
		s.note(shot, after, shot.next)
		shot = after
	}
	return shot
}

// arm sees to it that elapse is called at the instant next. A timer that fires
// early costs less than one that is put off at every report.
func (s *service) arm(next, now judge.Instant) {
	if next >= s.fires {
		return
	}
	s.fires = next
	if s.timer == nil {
		s.timer = time.AfterFunc(next.Sub(now), s.elapse)
		return
	}
	s.timer.Reset(next.Sub(now))
}

// elapse publishes what the passing of time has made of the facts.
func (s *service) elapse() {
	s.mu.Lock()
	s.fires = judge.Never
	news := s.publish()
	s.mu.Unlock()
	if news {
		s.changed(s)
	}
}

// answer makes what is told at now of the snapshot, which is of then.
func (s *service) answer(shot *snapshot, a judge.Aspect, now, real judge.Instant) Answer {
	answer := told(shot.standings[a], now, real)
	answer.service, answer.shot = s, shot
	return answer
}

// look returns what is told of the service at now. It waits for no writer.
func (s *service) look(a judge.Aspect, now, real judge.Instant) Answer {
	return s.answer(s.present.Load().at(now), a, now, real)
}
