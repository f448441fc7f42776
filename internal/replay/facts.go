package replay

import (
	"math"
	"slices"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

const (
	// renewed is the instant of what is renewed in time: it never becomes too old.
	renewed judge.Instant = math.MaxInt64 / 4
	// tooOld is the instant of what is too old for every limit.
	tooOld judge.Instant = math.MinInt64 / 4
)

// instantOf returns when something was last renewed, by what a line says of its age.
func instantOf(a journal.Age) judge.Instant {
	if a.Late {
		return a.At
	}
	return renewed
}

// instanceOf returns the process as the judge takes it. Its landmarks are those that
// landmarksOf returns.
func instanceOf(p *journal.Process, policy *registry.Policy) *judge.Instance {
	return &judge.Instance{
		Name: p.Name, Presence: judge.Presence(p.Presence), Since: p.Since, ReportedAt: instantOf(p.Reports),
		Started: p.Started, Draining: p.Draining, Newcomer: p.Newcomer, Notifies: p.Notifies,
		Seq: p.Order, ReliefSeq: p.Relief,
		Landmarks: landmarksOf(p.Landmarks, policy),
	}
}

// hostOf returns what was read of the host as the judge takes it. Landmarks of the host are
// declared by the configuration: those that policy does not have are left out, unless it is
// the recorded one.
func hostOf(h *journal.Host, policy *registry.Policy, recorded bool) judge.Host {
	host := judge.Host{ReadAt: instantOf(h.Reads), Landmarks: landmarksOf(h.Landmarks, nil)}
	if recorded {
		return host
	}
	host.Landmarks = slices.DeleteFunc(host.Landmarks, func(l judge.Landmark) bool { return hostDeclared(l.Declared, policy) == nil })
	for i := range host.Landmarks {
		host.Landmarks[i].Declared = hostDeclared(host.Landmarks[i].Declared, policy)
	}
	return host
}

// hostDeclared returns what the policy declares of the host's landmark, nil if it has no
// such landmark. How long a result of an active check is valid follows from how often it was
// made, so that stays as recorded.
func hostDeclared(recorded *judge.Declared, policy *registry.Policy) *judge.Declared {
	for _, h := range policy.Host {
		if h.Name == recorded.Name && h.Kind == recorded.Kind {
			d := h.Declared
			d.TTL = recorded.TTL
			return &d
		}
	}
	return nil
}

// landmarksOf returns landmarks as the judge takes them under the policy.
func landmarksOf(lines []journal.Landmark, policy *registry.Policy) []judge.Landmark {
	landmarks := make([]judge.Landmark, len(lines))
	for i := range lines {
		l := &lines[i]
		landmarks[i] = judge.Landmark{
			Declared: declaredOf(l, policy), Reached: l.Reached, At: instantOf(l.Age), Open: l.Open,
			Value: float64(l.Value), Met: l.Met, Unreadable: l.Unreadable, Triggered: l.Triggered,
			ExtendedTo: l.ExtendedTo, Reason: l.Reason,
		}
	}
	return landmarks
}

// declaredOf returns what is declared of the landmark, under the policy if there is one.
func declaredOf(l *journal.Landmark, policy *registry.Policy) *judge.Declared {
	d := l.Judge()
	if policy != nil {
		d = policy.Apply(d)
	}
	return &d
}
