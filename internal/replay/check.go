package replay

import (
	"errors"
	"slices"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/probe"
)

// compareProbe compares fall and rise of the active check with those of the policy to
// judge by. If they differ, the results of the single checks are counted again.
func (s *service) compareProbe(p *journal.Policy) {
	var given *probe.Check
	if s.given != nil {
		for _, h := range s.given.Host {
			if h.Probe != nil {
				given = h.Probe
			}
		}
	}
	for _, t := range s.tracks {
		t.check = nil
		if given != nil && p.Fall > 0 && (given.Fall != p.Fall || given.Rise != p.Rise) {
			t.check = given
		}
	}
}

// addCheck takes the result of one active check.
func (s *service) addCheck(c *journal.Check, at judge.Instant) {
	outcome := probe.Outcome{Took: c.Took, Own: c.Own}
	if !c.OK {
		outcome.Err = errors.New(c.Error)
	}
	take := event{at, func(t *track) {
		if t.check == nil {
			return
		}
		t.series = t.series.Add(t.check, outcome)
		if s.facts != nil && s.facts.Host != nil {
			t.takeHost()
			t.applyCheck()
		}
	}}
	if s.facts != nil {
		s.checks = append(s.checks, take)
		return
	}
	for _, t := range s.tracks {
		take.apply(t)
	}
}

// applyCheck gives the landmark of the active check the result by fall and rise of the
// policy to judge by.
func (t *track) applyCheck() {
	if t.check == nil || !t.series.Checked {
		return
	}
	t.host.Landmarks = slices.Clone(t.host.Landmarks)
	for i := range t.host.Landmarks {
		if l := &t.host.Landmarks[i]; l.Name == probe.Name && l.Kind == judge.KindCondition {
			l.Met, l.Unreadable, l.Reason = t.series.Holds, t.series.Own, t.series.Reason
		}
	}
}
