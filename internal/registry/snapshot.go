package registry

import (
	"github.com/landmark-health/landmark/internal/judge"
)

// snapshot is a service's facts and the verdicts on them. It is immutable, and
// holds until next.
type snapshot struct {
	policy   *Policy
	facts    judge.Service
	history  judge.History // after this evaluation
	verdicts [judge.Aspects]verdictRecord
	next     judge.Instant
}

// advance returns the snapshot that the facts make of s at now.
func (s *snapshot) advance(facts judge.Service, now judge.Instant) *snapshot {
	facts.History = s.history
	result := judge.Evaluate(s.policy.Policy, facts, now)
	n := &snapshot{policy: s.policy, facts: facts, history: result.History, next: result.Next}
	for a, v := range result.Verdicts {
		n.verdicts[a] = s.verdicts[a].advance(v, now)
	}
	return n
}

// withPolicy returns s, to be advanced under another policy.
func (s *snapshot) withPolicy(policy *Policy) *snapshot {
	if policy == s.policy {
		return s
	}
	n := *s
	n.policy = policy
	return &n
}

// at returns the snapshot that time alone has made of s by now, which is usually s
// itself. Every reader, whenever it comes, finds the same changes at the same
// instants.
func (s *snapshot) at(now judge.Instant) *snapshot {
	for now >= s.next {
		s = s.step()
	}
	return s
}

// step returns the next snapshot that time alone makes of s.
func (s *snapshot) step() *snapshot { return s.advance(s.facts, s.next) }

// empty reports whether there is nothing to answer about: the service is not
// configured and has no instance, usually because its first report is just being
// taken.
func (s *snapshot) empty() bool { return len(s.facts.Instances) == 0 && !s.policy.Configured }

// differs reports whether watchers must be woken when s becomes n.
func (s *snapshot) differs(n *snapshot) bool {
	for a := range s.verdicts {
		if s.verdicts[a].differs(n.verdicts[a]) {
			return true
		}
	}
	return s.facts.Drained != n.facts.Drained // people see it, even where a worse cause is shown
}

// sameCauses reports whether s and n have the same statuses and causes.
func (s *snapshot) sameCauses(n *snapshot) bool {
	for a := range s.verdicts {
		if s.verdicts[a].changes != n.verdicts[a].changes {
			return false
		}
	}
	return true
}

// landmarks describes the snapshot's landmarks at now.
func (s *snapshot) landmarks(now judge.Instant) []Landmark {
	states := judge.Describe(s.policy.Policy, s.facts, now)
	if len(states) == 0 {
		return nil
	}
	landmarks := make([]Landmark, len(states))
	for i, r := range states {
		landmarks[i] = Landmark{r, max(0, now.Sub(r.At))}
	}
	return landmarks
}

// verdictRecord is a verdict, since when its status holds, and how often it has
// changed.
type verdictRecord struct {
	judge.Verdict
	since   judge.Instant // of the status
	changes uint32        // of status or cause; wraps
}

// advance returns the record after the verdict v at now.
func (r verdictRecord) advance(v judge.Verdict, now judge.Instant) verdictRecord {
	n := verdictRecord{Verdict: v, since: r.since, changes: r.changes}
	if v.Status != r.Status {
		n.since = now
	}
	if v.Status != r.Status || v.Cause != r.Cause {
		n.changes++
	}
	return n
}

// differs reports whether watchers must be woken when r becomes n.
func (r verdictRecord) differs(n verdictRecord) bool {
	return r.changes != n.changes || r.Weight != n.Weight || r.Failing != n.Failing
}
