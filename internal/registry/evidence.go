package registry

import (
	"slices"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/judge"
)

const (
	// MaxEvidence bounds the evidence of one service, in bytes, and
	// MaxEvidencePerUser that of one user's services, and MaxAllEvidence that of all.
	// Above a limit the oldest evidence of the service is dropped, or of the service
	// with the most, of that user or of the user with the most.
	MaxEvidence        = 1 << 20
	MaxEvidencePerUser = 4 << 20
	MaxAllEvidence     = 8 << 20
	// evidenceBefore is how long before a change evidence may have been captured that
	// belongs to the change: agents see a landmark fail a little earlier or later than
	// the sidecar.
	evidenceBefore = 2 * time.Second
)

// Evidence is an [evidence.Evidence] of a service.
type Evidence struct {
	evidence.Evidence
	// Number counts the evidence of the service, from 1.
	Number uint64
	// Age is the time since the capture, by the sidecar's own clock.
	Age time.Duration
	// Change is the Number of the change that it belongs to. It is 0 if it belongs to
	// none, as when a landmark with the impact informational fails.
	Change uint64
}

// Evidence returns the evidence of the service, the oldest first, and whether the
// service is known. It is only for those who may see it: see MayOrder.
func (r *Registry) Evidence(name string) (all []Evidence, known bool) {
	s := r.service(name)
	if s == nil {
		return nil, false
	}
	_, real := s.clock.Read()
	return s.evidence.of(s, real), true
}

// LatestEvidence returns the Number of the service's latest evidence, 0 if there is
// none.
func (r *Registry) LatestEvidence(name string) uint64 {
	s := r.service(name)
	if s == nil {
		return 0
	}
	return s.evidence.latest(s)
}

// MayOrder returns nil if the operator with the uid may drain, resume and forget the
// service, and see its evidence. The error wraps ErrUnknown or ErrNotOwner.
func (r *Registry) MayOrder(name string, operator uint32) error {
	_, err := r.serviceFor(name, operator)
	return err
}

// AddEvidence keeps what the process says of itself, which was captured at the given
// age before its latest report. It is ignored before the first report, and once the
// session has ended.
func (s *Session) AddEvidence(e evidence.Evidence, age time.Duration) {
	if s.service == nil {
		return
	}
	s.service.mu.Lock()
	at := s.latest.Add(-age)
	s.service.mu.Unlock()
	s.service.addEvidence(s, e, at)
}

// addEvidence keeps what was seen of the session's process at the instant, or now if that
// is Undated.
func (s *service) addEvidence(from *Session, e evidence.Evidence, at judge.Instant) {
	e = e.Bounded()
	e.Instance, e.PID = from.id.Instance, from.process.PID
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired || s.owner.Load() != from.id.UID || !slices.ContainsFunc(s.slots, func(sl *slot) bool { return sl.session == from }) {
		return
	}
	_, real := s.clock.Read()
	at = min(at, real)
	added := evidenceAt{Evidence{Evidence: e}, at}
	added.Change = s.history.explainedBy(&added)
	s.evidence.add(s, from.id.UID, added)
}

// evidenceStore is the evidence of all services.
type evidenceStore struct {
	mu    sync.Mutex // taken with service.mu held, never the other way round
	lists map[*service]*evidenceList
	users map[uint32]int // bytes, without zeros
	total int            // bytes
}

// evidenceList is the evidence of one service, the oldest first.
type evidenceList struct {
	kept   []evidenceAt
	latest uint64 // number
	uid    uint32 // whose processes it is of
	bytes  int
}

// evidenceAt is evidence of an instant. Its Age is not set.
type evidenceAt struct {
	Evidence
	at judge.Instant
}

// add adds the evidence of a process of the user, and drops the oldest of the
// service, or of the user, until no limit is exceeded.
func (st *evidenceStore) add(s *service, uid uint32, e evidenceAt) {
	st.mu.Lock()
	defer st.mu.Unlock()
	l := st.lists[s]
	if l == nil || l.uid != uid {
		st.drop(s) // of a user who has lost the service
		l = &evidenceList{uid: uid}
		st.lists[s] = l
	}
	l.latest++
	e.Number = l.latest
	l.kept = append(l.kept, e)
	st.charge(l, e.Size())
	for l.bytes > MaxEvidence {
		st.dropOldest(l)
	}
	for st.users[uid] > MaxEvidencePerUser {
		st.dropOldest(st.largest(uid))
	}
	for st.total > MaxAllEvidence {
		st.dropOldest(st.largest(st.fullest()))
	}
}

// charge adds n bytes, which may be negative, to the list. The caller holds mu.
func (st *evidenceStore) charge(l *evidenceList, n int) {
	l.bytes += n
	st.total += n
	if st.users[l.uid] += n; st.users[l.uid] == 0 {
		delete(st.users, l.uid)
	}
}

// dropOldest drops the oldest evidence of the list. The caller holds mu.
func (st *evidenceStore) dropOldest(l *evidenceList) {
	st.charge(l, -l.kept[0].Size())
	l.kept = slices.Delete(l.kept, 0, 1)
}

// fullest returns the user with the most bytes. The caller holds mu.
func (st *evidenceStore) fullest() (uid uint32) {
	most := 0
	for u, n := range st.users {
		if n > most {
			uid, most = u, n
		}
	}
	return uid
}

// largest returns the list of the user with the most bytes. The caller holds mu.
func (st *evidenceStore) largest(uid uint32) (largest *evidenceList) {
	for _, l := range st.lists {
		if l.uid == uid && (largest == nil || l.bytes > largest.bytes) {
			largest = l
		}
	}
	return largest
}

// drop drops all evidence of the service. The caller holds mu.
func (st *evidenceStore) drop(s *service) {
	if l := st.lists[s]; l != nil {
		st.charge(l, -l.bytes)
		delete(st.lists, s)
	}
}

// forget drops all evidence of a service that is dropped, or that another user has
// taken.
func (st *evidenceStore) forget(s *service) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.drop(s)
}

// attach makes evidence from shortly before the change, which belongs to no change yet,
// that of the change.
func (st *evidenceStore) attach(s *service, c *changeAt) {
	if !c.shownByEvidence() {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	l := st.lists[s]
	if l == nil {
		return
	}
	for i := len(l.kept) - 1; i >= 0 && l.kept[i].Change == 0; i-- {
		if e := &l.kept[i]; c.follows(e) {
			e.Change = c.Number
		}
	}
}

// follows reports whether the change came so soon after the evidence that this explains
// it, or because a landmark of the evidence, which has failed since by the program's own
// limit, fails now by that of the policy.
func (c *changeAt) follows(e *evidenceAt) bool {
	return c.at.Sub(e.at) <= evidenceBefore || slices.ContainsFunc(c.Landmarks, func(r Landmark) bool {
		return r.State == judge.Failing && c.at.Add(-r.Age) <= e.at && slices.Contains(e.Landmarks, r.Name)
	})
}

// of returns the evidence of the service, with its age at now.
func (st *evidenceStore) of(s *service, now judge.Instant) []Evidence {
	st.mu.Lock()
	defer st.mu.Unlock()
	l := st.lists[s]
	if l == nil {
		return nil
	}
	all := make([]Evidence, 0, len(l.kept))
	for _, e := range l.kept {
		e.Age = max(0, now.Sub(e.at))
		all = append(all, e.Evidence)
	}
	return all
}

// latest returns the number of the service's latest evidence, 0 if there is none.
func (st *evidenceStore) latest(s *service) uint64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	if l := st.lists[s]; l != nil {
		return l.latest
	}
	return 0
}

// explainedBy returns the number of the change that the evidence explains, 0 if there is
// none: the latest one then, or one that followed.
func (h *history) explainedBy(e *evidenceAt) uint64 {
	for _, c := range slices.Backward(h.changes) {
		if c.shownByEvidence() && c.follows(e) {
			return c.Number
		}
		if c.at <= e.at {
			break
		}
	}
	return 0
}

// shownByEvidence reports whether the change is of a kind that evidence explains: a
// process is stalled or stale.
func (c *Change) shownByEvidence() bool {
	return slices.ContainsFunc(c.Verdicts[:], func(v VerdictSummary) bool { return v.Cause == judge.Stalled || v.Cause == judge.Stale })
}
