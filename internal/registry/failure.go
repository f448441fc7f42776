package registry

import (
	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/judge"
)

// Failure says that the work of a process has just begun to fail: a first Alive,
// Deadline or Loop of it fails, or it is silent. There is one for each episode, which
// ends when all of that is over, and at most one in evidence.MinInterval.
type Failure struct {
	Service  string
	Instance string
	UID      uint32 // of the process
	Process  evidence.Process
	// Silent means that the process has not reported for so long that it is stale.
	Silent bool
	// Landmarks are the names of those that fail, evidence.MaxLandmarks at most.
	Landmarks []string

	service *service
	session *Session
}

// OnFailure makes the registry call f at each failure. f is called with locks held: it
// must not block or call the registry. OnFailure must be called before the first Open.
func (r *Registry) OnFailure(f func(Failure)) { r.onFailure = f }

// AddEvidence keeps what was seen now of the process.
func (f *Failure) AddEvidence(e evidence.Evidence) { f.service.addEvidence(f.session, e, Undated) }

// SetProcess says which process reports. It must be called before the first report.
func (s *Session) SetProcess(p evidence.Process) { s.process = p }

// episode is whether the work of a process fails.
type episode struct {
	failing  bool
	reported bool // a Failure was ever reported, the last one at the instant
	at       judge.Instant
}

// begin reports whether a Failure must be reported at now.
func (e *episode) begin(failing bool, now judge.Instant) bool {
	began := failing && !e.failing
	e.failing = failing
	if !began || e.reported && now.Sub(e.at) < evidence.MinInterval {
		return false
	}
	e.reported, e.at = true, now
	return true
}

// noticeFailures reports the failures that have begun by now. The snapshot is of the
// present slots. The caller holds mu.
func (s *service) noticeFailures(snap *snapshot, now judge.Instant) {
	if s.hooks.failure == nil {
		return
	}
	for i, sl := range s.slots {
		if sl.session == nil {
			continue
		}
		in := snap.facts.Instances[i]
		silent := now.Sub(in.ReportedAt) > snap.policy.StaleAfter
		if !silent && snap.verdicts[judge.Readiness].Failing == 0 && !sl.session.episode.failing {
			continue // the usual case, at once
		}
		work := failingWork(in, now)
		if sl.session.episode.begin(silent || len(work) > 0, now) {
			s.hooks.failure(Failure{
				Service: s.name, Instance: in.Name, UID: sl.session.id.UID, Process: sl.session.process,
				Silent: silent, Landmarks: work, service: s, session: sl.session,
			})
		}
	}
}

// failingWork returns the names of the Alives, Deadlines and Loops that fail at now.
func failingWork(in *judge.Instance, now judge.Instant) (names []string) {
	for i := range in.Landmarks {
		l := &in.Landmarks[i]
		if l.ShowsWork() && len(names) < evidence.MaxLandmarks && l.Evaluate(now).State == judge.Failing {
			names = append(names, l.Name)
		}
	}
	return names
}
