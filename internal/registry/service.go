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

	current atomic.Pointer[snapshot] // errReplaced under mu, read without
	// heldAt is the instant at which the service stands since a pause of the
	// sidecar, judge.Never if it does not; written under mu, read without.
	heldAt atomic.Int64

	mu      sync.Mutex
	resumed judge.Instant // when the pause had ended
	slots   []*slot       // in the order of joining
	host    judge.Host
	drain   drain
	// stopping is that all services are drained for the sidecar's end, and
	// incomplete that processes may be missing that nobody knows of.
	stopping, incomplete bool
	retired              bool // its name was given back: it takes no report
	history              history
	account              *entry      // of the history in the ledger
	timer                *time.Timer // timerAt at the snapshot's next, or earlier
	timerAt              judge.Instant
	poll                 *pull // the get-state command being waited for, nil if none is
	pollLimit            budget
}

// slot is one process's place in the service; it outlives the session of a
// process that was lost, as a vacancy.
type slot struct {
	session  *Session // nil once it ended
	instance *judge.Instance
	stated   []judge.Declared // by the program, of the instance's landmarks

	// Of a process that is awaited after the sidecar's restart: what it becomes
	// if it does not come back, nil if none is awaited, and whether it was there
	// to the last.
	vacancy    *judge.Instance
	wasPresent bool
}

// applyPolicy has the place's facts judged by what another policy makes of what its
// program declared.
func (p *slot) applyPolicy(policy *Policy) {
	in := *p.instance
	in.Landmarks = slices.Clone(in.Landmarks)
	for i, d := range policy.applyAll(p.stated) {
		in.Landmarks[i].Declared = d
	}
	p.instance = &in
}

func newService(name string, owner uint32, policy *Policy, clock *clock.Clock, changed func(*service)) *service {
	s := &service{name: name, clock: clock, changed: changed, timerAt: judge.Never}
	s.owner.Store(owner)
	s.heldAt.Store(int64(judge.Never))
	s.account = &entry{ledger: new(ledger)}
	now := clock.Judged()
	unborn := &snapshot{policy: policy}
	for a := range unborn.verdicts {
		unborn.verdicts[a].since = now
	}
	s.current.Store(unborn.advance(judge.Service{}, now))
	return s
}

// report takes a process's facts of the instant at, giving it a place if it has
// none yet.
func (s *service) report(from *Session, facts []Fact, answered uint64, at judge.Instant) error {
	s.mu.Lock()
	policy := s.current.Load().policy
	heard, now := s.readClock()
	at = from.madeAt(at, heard, now)
	from.latest = at
	in := &judge.Instance{
		Name:       from.id.Instance,
		Presence:   judge.Connected,
		ReportedAt: at,
		Draining:   from.draining,
		Landmarks:  from.landmarks(policy, facts, at),
	}
	p, err := s.slotOf(from, in.HasStarted(), now)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	in.ContinueFrom(p.instance, policy.Policy)
	p.instance, p.stated = in, from.declaration
	news := s.publish()
	if in.CanPoll(judge.Readiness) {
		s.poll = s.poll.answered(from, answered)
	} else {
		s.poll = s.poll.without(from)
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
	s.poll = s.poll.without(from)
	s.dropForgotten(now)
	i := slices.IndexFunc(s.slots, func(p *slot) bool { return p.session == from })
	if i < 0 {
		s.mu.Unlock()
		return
	}
	if len(s.slots) > 1 && (how == judge.SaidGoodbye || s.slots[i].instance.Draining) {
		// Others are left, and it went on purpose.
		s.slots = slices.Delete(s.slots, i, i+1)
	} else {
		gone := *s.slots[i].instance
		gone.Presence, gone.Since = how, now
		s.slots[i] = &slot{instance: &gone, stated: s.slots[i].stated}
		s.handOver(i)
	}
	if s.drain.untilGone && s.noInstances() {
		s.drain = drain{}
	}
	news := s.publish()
	s.mu.Unlock()
	if news {
		s.changed(s)
	}
}

// slotOf returns the session's place: its own, or the one that judge.AssignSlot gives
// to it. The newest session of a name wins once its process has started: the
// older ones end. A session that is not the newest ends itself.
func (s *service) slotOf(from *Session, started bool, now judge.Instant) (*slot, error) {
	if from.ended != nil {
		return nil, from.ended
	}
	i := slices.IndexFunc(s.slots, func(p *slot) bool { return p.session == from })
	switch {
	case i >= 0 && started && s.slots[i].instance.Newcomer:
		return s.promoteNewcomer(i), nil
	case i >= 0:
		return s.slots[i], nil
	case s.retired || s.owner.Load() != from.id.UID:
		return nil, errGone
	}
	s.dropForgotten(now)
	s.dropStopped(from.id.Instance)
	for _, p := range s.slots {
		if p.instance.Name == from.id.Instance && p.session != nil && p.session.number > from.number {
			return nil, s.errReplaced()
		}
	}
	i = judge.AssignSlot(s.current.Load().policy.Policy, s.instances(), from.id.Instance, started, s.judgedNow())
	if i == len(s.slots) {
		return s.addSlot(from, now)
	}
	p := s.takeSlot(i, from, now)
	if started {
		s.endOthers(p)
	}
	return p, nil
}

// addSlot adds a place for the session: as a newcomer where others are, which
// remember if they are failing.
func (s *service) addSlot(from *Session, now judge.Instant) (*slot, error) {
	if len(s.slots) >= MaxInstances {
		return nil, fmt.Errorf("%w: %s has %d processes, as many as a service may have", ErrLimit, s.name, MaxInstances)
	}
	with, spare := judge.AddSlot(s.current.Load().policy.Policy, s.instances(), s.judgedNow())
	for i, in := range with {
		s.slots[i].instance = in
	}
	p := &slot{session: from, instance: &judge.Instance{Name: from.id.Instance, Since: now, Newcomer: len(with) > 0, Seq: spare}}
	s.slots = append(s.slots, p)
	return p, nil
}

// promoteNewcomer gives a newcomer that has started the place of the older process of
// its name, if there is one.
func (s *service) promoteNewcomer(i int) *slot {
	p := s.slots[i]
	if j := judge.Namesake(s.instances(), i); j >= 0 {
		p.instance = p.instance.TakeSlotOf(s.slots[j].instance)
		s.endOthers(p)
	}
	return p
}

// endOthers ends the sessions of p's name but p's own, and drops their places.
func (s *service) endOthers(p *slot) {
	s.slots = slices.DeleteFunc(s.slots, func(q *slot) bool {
		if q == p || q.instance.Name != p.session.id.Instance {
			return false
		}
		s.endSession(q, s.errReplaced())
		return true
	})
}

// endSession ends the session in the place, if there is one, for the reason err.
func (s *service) endSession(p *slot, err error) {
	if p.session != nil {
		s.poll = s.poll.without(p.session)
		p.session.endWith(err)
	}
}

// dropForgotten drops the vacancies of processes that nobody misses any more, or ever
// did: they were lost for too long, or before they counted.
func (s *service) dropForgotten(now judge.Instant) {
	shot := s.current.Load()
	counted := shot.facts.Counted(shot.policy.Policy, now)
	s.slots = slices.DeleteFunc(s.slots, func(p *slot) bool {
		return p.session == nil && !slices.Contains(counted, p.instance)
	})
}

// takeSlot gives place i to the session. Who takes a newcomer's is one. A process that
// comes back to a restarted sidecar has been failing for as long as it is.
func (s *service) takeSlot(i int, from *Session, now judge.Instant) *slot {
	old := s.slots[i]
	s.endSession(old, s.errReplaced())
	s.slots[i] = &slot{session: from, instance: &judge.Instance{
		Name:     from.id.Instance,
		Since:    now,
		Newcomer: old.instance.Newcomer,
		Seq:      old.instance.Seq,
	}}
	if old.instance.Presence == judge.Awaited {
		s.slots[i].instance.ReliefSeq = old.instance.ReliefSeq
	}
	return s.slots[i]
}

// handOver gives vacancy i to its heir, if it has one.
func (s *service) handOver(i int) {
	heir := judge.Successor(s.instances(), i)
	if heir < 0 {
		return
	}
	p := s.slots[heir]
	p.instance = p.instance.TakeSlotOf(s.slots[i].instance)
	s.slots = slices.Delete(s.slots, i, i+1)
}

// configure judges the service by another policy from now on, and by what was
// seen of its host for it, all of it at once: a mixture of two policies would be
// neither.
func (s *service) configure(policy *Policy, seen HostReport) {
	s.mu.Lock()
	s.setHost(policy, seen)
	for _, p := range s.slots {
		p.applyPolicy(policy)
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
	for _, p := range s.slots {
		s.endSession(p, err)
	}
	s.slots = nil
	if s.drain.untilGone || !privileged(s.drain.by) {
		s.drain = drain{} // or it was the wish of him who has lost the service
	}
	news := s.publish()
	s.mu.Unlock()
	if news {
		s.changed(s)
	}
}

// errReplaced is what the agent of a session that is not its process's newest is
// told.
func (s *service) errReplaced() error {
	return fmt.Errorf("%w: give each process of %s an instance name of its own", ErrReplaced, s.name)
}

// publish makes the present facts' snapshot and reports whether watchers are
// to be told of it. It takes the time itself, under mu, so that no snapshot is
// of before the one it follows.
func (s *service) publish() (news bool) { return s.publishBy(s.current.Load().policy) }

// publishBy is publish by a policy that may be another than before.
func (s *service) publishBy(policy *Policy) (news bool) {
	now := s.judgedNow()
	before := s.current.Load()
	until := s.advance(now)
	after := until.withPolicy(policy).advance(s.facts(), now)
	s.recordChange(until, after, now)
	s.current.Store(after)
	if !s.retired { // or its timer would fire for ever
		s.schedule(min(after.next, s.expires()), now)
	}
	if s.membersChanged != nil && !(sameMembers(before.facts.Instances, after.facts.Instances) && before.facts.Drained == after.facts.Drained) {
		s.membersChanged()
	}
	return before.differs(after)
}

// advance returns what the passing of time has made of the present by now, and
// notes the changes on the way.
func (s *service) advance(now judge.Instant) *snapshot {
	shot := s.current.Load()
	for now >= shot.next {
		after := shot.step()
		s.recordChange(shot, after, shot.next)
		shot = after
	}
	return shot
}

// schedule sees to it that elapse is called at the instant next. A timer that fires
// early costs less than one that is put off at every report.
func (s *service) schedule(next, now judge.Instant) {
	if next >= s.timerAt {
		return
	}
	s.timerAt = next
	if s.timer == nil {
		s.timer = time.AfterFunc(next.Sub(now), s.tick)
		return
	}
	s.timer.Reset(next.Sub(now))
}

// tick publishes what the passing of time has made of the facts.
func (s *service) tick() {
	s.mu.Lock()
	s.timerAt = judge.Never
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
	answer := newAnswer(shot.verdicts[a], now, real)
	answer.service, answer.snap = s, shot
	return answer
}

// lookup returns what is told of the service at now. It waits for no writer.
func (s *service) lookup(a judge.Aspect, now, real judge.Instant) Answer {
	return s.answer(s.current.Load().at(now), a, now, real)
}
