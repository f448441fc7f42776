package registry

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// MaxInstances is how many processes a service may have.
const MaxInstances = 1024

// service is one service's processes and their facts.
type service struct {
	name    string
	owner   atomic.Uint32 // the uid that it belongs to, nobody if none yet; replaced under the registry's mu
	clock   *clock.Clock
	changed func(*service) // called, with no lock held, when watchers are to be told
	// membersChanged is called, with mu held, when the membership has changed,
	// and expired, with no lock held, when the name may be given back. Both may
	// be nil.
	membersChanged func()
	expired        func(*service)

	present atomic.Pointer[snapshot] // replaced under mu, read without
	// stands is the instant at which the service stands since a pause of the
	// sidecar, judge.Never if it does not; written under mu, read without.
	stands atomic.Int64

	mu      sync.Mutex
	resumed judge.Instant // when the pause had ended
	places  []*place      // in the order of joining
	host    judge.Host
	drain   drain
	// stopping is that all services are drained for the sidecar's end, and
	// incomplete that processes may be missing that nobody knows of.
	stopping, incomplete bool
	gone                 bool // its name was given back: it takes no report
	history              history
	entry                *entry      // of the history in the ledger
	timer                *time.Timer // fires at the snapshot's next, or earlier
	fires                judge.Instant
	pull                 *pull // the get-state command being waited for, nil if none is
	budget               budget
}

// place is one process's place in the service; it outlives the session of a
// process that was lost, as a vacancy.
type place struct {
	session  *Session // nil once it ended
	instance *judge.Instance
	stated   []judge.Declared // by the program, of the instance's landmarks

	// Of a process that is awaited after the sidecar's restart: what it becomes
	// if it does not come back, nil if none is awaited, and whether it was there
	// to the last.
	gone  *judge.Instance
	there bool
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

func newService(name string, owner uint32, policy *Policy, clock *clock.Clock, changed func(*service)) *service {
	s := &service{name: name, clock: clock, changed: changed, fires: judge.Never}
	s.owner.Store(owner)
	s.stands.Store(int64(judge.Never))
	s.entry = &entry{ledger: new(ledger)}
	now := clock.Judged()
	unborn := &snapshot{policy: policy}
	for a := range unborn.standings {
		unborn.standings[a].since = now
	}
	s.present.Store(unborn.follow(judge.Service{}, now))
	return s
}

// report takes a process's facts of the instant at, giving it a place if it has
// none yet.
func (s *service) report(from *Session, facts []Fact, answered uint64, at judge.Instant) error {
	s.mu.Lock()
	policy := s.present.Load().policy
	heard, now := s.read()
	at = from.date(at, heard, now)
	from.latest = at
	in := &judge.Instance{
		Name:       from.peer.Instance,
		Presence:   judge.Connected,
		ReportedAt: at,
		Draining:   from.draining,
		Landmarks:  from.landmarks(policy, facts, at),
	}
	p, err := s.placeOf(from, in.HasStarted(), now)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	in.ContinueFrom(p.instance, policy.Policy)
	p.instance, p.stated = in, from.stated
	news := s.publish()
	if in.CanPoll(judge.Readiness) {
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

// placeOf returns the session's place: its own, or the one that judge.AssignSlot gives
// to it. The newest session of a name wins once its process has started: the
// older ones end. A session that is not the newest ends itself.
func (s *service) placeOf(from *Session, started bool, now judge.Instant) (*place, error) {
	if from.ended != nil {
		return nil, from.ended
	}
	i := slices.IndexFunc(s.places, func(p *place) bool { return p.session == from })
	switch {
	case i >= 0 && started && s.places[i].instance.Newcomer:
		return s.promote(i), nil
	case i >= 0:
		return s.places[i], nil
	case s.gone || s.owner.Load() != from.peer.UID:
		return nil, errGone
	}
	s.forget(now)
	s.dropStopped(from.peer.Instance)
	for _, p := range s.places {
		if p.instance.Name == from.peer.Instance && p.session != nil && p.session.number > from.number {
			return nil, s.replaced()
		}
	}
	i = judge.AssignSlot(s.present.Load().policy.Policy, s.instances(), from.peer.Instance, started, s.now())
	if i == len(s.places) {
		return s.join(from, now)
	}
	p := s.take(i, from, now)
	if started {
		s.endOthers(p)
	}
	return p, nil
}

// join adds a place for the session: as a newcomer where others are, which
// remember if they are failing.
func (s *service) join(from *Session, now judge.Instant) (*place, error) {
	if len(s.places) >= MaxInstances {
		return nil, fmt.Errorf("%w: %s has %d processes, as many as a service may have", ErrLimit, s.name, MaxInstances)
	}
	with, spare := judge.AddSlot(s.present.Load().policy.Policy, s.instances(), s.now())
	for i, in := range with {
		s.places[i].instance = in
	}
	p := &place{session: from, instance: &judge.Instance{Name: from.peer.Instance, Since: now, Newcomer: len(with) > 0, Seq: spare}}
	s.places = append(s.places, p)
	return p, nil
}

// promote gives a newcomer that has started the place of the older process of
// its name, if there is one.
func (s *service) promote(i int) *place {
	p := s.places[i]
	if j := judge.Namesake(s.instances(), i); j >= 0 {
		p.instance = p.instance.TakeSlotOf(s.places[j].instance)
		s.endOthers(p)
	}
	return p
}

// endOthers ends the sessions of p's name but p's own, and drops their places.
func (s *service) endOthers(p *place) {
	s.places = slices.DeleteFunc(s.places, func(q *place) bool {
		if q == p || q.instance.Name != p.session.peer.Instance {
			return false
		}
		s.end(q, s.replaced())
		return true
	})
}

// end ends the session in the place, if there is one, for the reason err.
func (s *service) end(p *place, err error) {
	if p.session != nil {
		s.pull = s.pull.without(p.session)
		p.session.endWith(err)
	}
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

// take gives place i to the session. Who takes a newcomer's is one. A process that
// comes back to a restarted sidecar has been failing for as long as it is.
func (s *service) take(i int, from *Session, now judge.Instant) *place {
	old := s.places[i]
	s.end(old, s.replaced())
	s.places[i] = &place{session: from, instance: &judge.Instance{
		Name:     from.peer.Instance,
		Since:    now,
		Newcomer: old.instance.Newcomer,
		Seq:      old.instance.Seq,
	}}
	if old.instance.Presence == judge.Awaited {
		s.places[i].instance.ReliefSeq = old.instance.ReliefSeq
	}
	return s.places[i]
}

// succeed gives vacancy i to its heir, if it has one.
func (s *service) succeed(i int) {
	heir := judge.Successor(s.instances(), i)
	if heir < 0 {
		return
	}
	p := s.places[heir]
	p.instance = p.instance.TakeSlotOf(s.places[i].instance)
	s.places = slices.Delete(s.places, i, i+1)
}

// configure judges the service by another policy from now on, and by what was
// seen of its host for it, all of it at once: a mixture of two policies would be
// neither.
func (s *service) configure(policy *Policy, seen HostReport) {
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
		s.end(p, err)
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
	now := s.now()
	before := s.present.Load()
	until := s.advance(now)
	after := until.under(policy).follow(s.facts(), now)
	s.note(until, after, now)
	s.present.Store(after)
	if !s.gone { // or its timer would fire for ever
		s.arm(min(after.next, s.expires()), now)
	}
	if s.membersChanged != nil && !(sameMembers(before.facts.Instances, after.facts.Instances) && before.facts.Drained == after.facts.Drained) {
		s.membersChanged()
	}
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
	if s.expired != nil && s.expires() <= s.clock.Judged() {
		s.expired(s)
	}
}

// answer makes what is told at now of the snapshot, which is of then.
func (s *service) answer(shot *snapshot, a judge.Aspect, now, real judge.Instant) Answer {
	answer := told(shot.standings[a], now, real)
	answer.service, answer.shot = s, shot
	return answer
}

// lookup returns what is told of the service at now. It waits for no writer.
func (s *service) look(a judge.Aspect, now, real judge.Instant) Answer {
	return s.answer(s.present.Load().at(now), a, now, real)
}
