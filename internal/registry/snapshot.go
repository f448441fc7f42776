package registry

import (
	"github.com/landmark-health/landmark/internal/judge"
)

// snapshot is a service's facts and what they come to. It is immutable, and
// true until next.
type snapshot struct {
	policy   *Policy
	facts    judge.Service
	history  judge.History // after this evaluation
	verdicts [judge.Aspects]verdictRecord
	next     judge.Instant
}

// verdictRecord is a verdict and its past.
type verdictRecord struct {
	judge.Verdict
	since   judge.Instant // since when the status stands
	changes uint32        // of status or cause
}

// advance returns the standing that the verdict v makes of st at now.
func (st verdictRecord) advance(v judge.Verdict, now judge.Instant) verdictRecord {
	n := verdictRecord{Verdict: v, since: st.since, changes: st.changes}
	if v.Status != st.Status {
		n.since = now
	}
	if v.Status != st.Status || v.Cause != st.Cause {
		n.changes++
	}
	return n
}

// differs reports whether a watcher is to be told that st became n.
func (st verdictRecord) differs(n verdictRecord) bool {
	return st.changes != n.changes || st.Weight != n.Weight || st.Failing != n.Failing
}

// advance returns the snapshot that the facts make of s at now.
func (s *snapshot) advance(facts judge.Service, now judge.Instant) *snapshot {
	facts.History = s.history
	j := judge.Evaluate(s.policy.Policy, facts, now)
	n := &snapshot{policy: s.policy, facts: facts, history: j.History, next: j.Next}
	for a, v := range j.Verdicts {
		n.verdicts[a] = s.verdicts[a].advance(v, now)
	}
	return n
}

// applyPolicy returns the snapshot as what another policy's follows.
func (s *snapshot) withPolicy(policy *Policy) *snapshot {
	if policy == s.policy {
		return s
	}
	n := *s
	n.policy = policy
	return &n
}

// at returns the snapshot that s has become by now through the passing of
// time alone: s itself, mostly. Whoever asks, and whenever, finds the same
// changes at the same instants.
func (s *snapshot) at(now judge.Instant) *snapshot {
	for now >= s.next {
		s = s.step()
	}
	return s
}

// step returns what time alone makes of s next.
func (s *snapshot) step() *snapshot { return s.advance(s.facts, s.next) }

// differs reports whether watchers are to be told that s became n.
func (s *snapshot) differs(n *snapshot) bool {
	for a := range s.verdicts {
		if s.verdicts[a].differs(n.verdicts[a]) {
			return true
		}
	}
	return s.facts.Drained != n.facts.Drained // people are shown it, even where a worse cause is told
}

// sameCauses reports whether s and n tell the same statuses and causes.
func (s *snapshot) sameCauses(n *snapshot) bool {
	for a := range s.verdicts {
		if s.verdicts[a].changes != n.verdicts[a].changes {
			return false
		}
	}
	return true
}

// records describes the snapshot's landmarks at now.
func (s *snapshot) records(now judge.Instant) []Record {
	var records []Record
	for _, r := range judge.Describe(s.policy.Policy, s.facts, now) {
		records = append(records, Record{r, max(0, now.Sub(r.At))})
	}
	return records
}
