// Package statusmsg makes messages of landmark.status.v1 of the registry's answers and
// of the checkers. The front ends for people share it.
package statusmsg

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// The numbers of the judge's statuses, causes, states, kinds and impacts are
// those of the schemas.

// maxLandmarks is how many landmarks of a service are sent, so that a message
// stays well below the 4 MiB that gRPC clients accept. One process has no more;
// several that each declare others may have.
const maxLandmarks = contract.MaxLandmarks

// Service returns the state of a service. Its landmarks and what its processes say of
// themselves are in it only if withLandmarks is true.
func Service(p registry.ServiceStatus, withLandmarks bool) *statusv1.Service {
	s := &statusv1.Service{
		Name:      p.Name,
		Readiness: answer(p.Answers[judge.Readiness]),
		Liveness:  answer(p.Answers[judge.Liveness]),
		Startup:   answer(p.Answers[judge.Startup]),
		Drained:   p.Drained,
	}
	if withLandmarks {
		s.Landmarks = Landmarks(p.Answers[judge.Readiness].Landmarks())
		for _, text := range p.Texts {
			s.Texts = append(s.Texts, &statusv1.StatusText{Instance: text.Instance, Text: text.Text})
		}
	}
	return s
}

func answer(a registry.Answer) *statusv1.AspectStatus {
	return &statusv1.AspectStatus{
		Verdict: &statusv1.Verdict{
			Status: statusv1.Status(a.Status),
			Cause:  statusv1.Cause(a.Cause),
			Weight: uint32(a.Weight),
			Reason: a.Reason(),
		},
		FactsAge:  durationpb.New(a.Age),
		StatusAge: durationpb.New(a.StatusAge),
		Changes:   a.Changes,
	}
}

// Change returns a change of a service. The time of day is now.
func Change(c registry.Change, now time.Time) *statusv1.Change {
	verdict := func(a judge.Aspect) *statusv1.Verdict {
		v := c.Verdicts[a]
		return &statusv1.Verdict{
			Status: statusv1.Status(v.Status),
			Cause:  statusv1.Cause(v.Cause),
			Weight: uint32(v.Weight),
			Reason: v.Reason,
		}
	}
	return &statusv1.Change{
		Time:      timestamppb.New(now.Add(-c.Age)),
		Age:       durationpb.New(c.Age),
		Readiness: verdict(judge.Readiness),
		Liveness:  verdict(judge.Liveness),
		Startup:   verdict(judge.Startup),
		Landmarks: Landmarks(c.Landmarks),
	}
}

// Landmarks returns the states of landmarks, of at most maxLandmarks of them.
func Landmarks(landmarks []registry.Landmark) []*statusv1.Landmark {
	landmarks = landmarks[:min(len(landmarks), maxLandmarks)]
	translated := make([]*statusv1.Landmark, len(landmarks))
	for i, r := range landmarks {
		translated[i] = &statusv1.Landmark{
			Declared: declared(r.Declared), State: statusv1.State(r.State), Fact: fact(r), Presumed: r.Presumed,
		}
	}
	return translated
}

func declared(d *judge.Declared) *reportv1.Landmark {
	l := &reportv1.Landmark{
		Name:          d.Name,
		Kind:          reportv1.Kind(d.Kind),
		Impact:        reportv1.Impact(d.Impact),
		WithinUs:      microseconds(d.Within),
		StartWithinUs: microseconds(d.StartWithin),
		TtlUs:         microseconds(d.TTL),
	}
	if d.Kind == judge.KindLevel {
		l.Limits = &reportv1.Limits{DegradeAt: d.Limits.DegradeAt, FailAt: d.Limits.FailAt, Below: d.Limits.Below}
	}
	return l
}

func fact(r registry.Landmark) *reportv1.Fact {
	return &reportv1.Fact{
		Reached: r.Reached,
		AgeUs:   microseconds(r.Age),
		Count:   r.Count,
		Open:    r.Open,
		LagUs:   microseconds(r.Lag),
		Pending: r.Pending,
		Value:   r.Value,
		Met:     r.Met,
		Reason:  r.Reason,
	}
}

func microseconds(d time.Duration) uint64 { return uint64(d.Microseconds()) }

func translateCheckers(all []checkers.Stats) []*statusv1.Checker {
	translated := make([]*statusv1.Checker, len(all))
	for i, s := range all {
		translated[i] = checker(s)
	}
	return translated
}

func checker(s checkers.Stats) *statusv1.Checker {
	return &statusv1.Checker{
		Address:        s.Address(),
		FrontEnd:       string(s.Via),
		SinceLastCheck: durationpb.New(s.SinceLast),
		PerSecond:      s.Rate,
		UsualPerSecond: s.UsualRate,
		Total:          s.Total,
		Watching:       s.Watching,
		Silent:         s.Silent,
	}
}

func bfdSession(b checkers.BFDStats) *statusv1.BFDSession {
	return &statusv1.BFDSession{
		Name:     b.Name,
		Peer:     b.Peer.String(),
		Local:    b.Local.String(),
		Up:       b.Up,
		Silent:   !b.PeerAlive,
		StateAge: durationpb.New(b.SinceChange),
		Reason:   b.Why,
	}
}

func gate(g checkers.GateStats) *statusv1.Gate {
	address := g.Address.String()
	if g.Address.Addr().IsUnspecified() {
		address = fmt.Sprint(":", g.Address.Port())
	}
	return &statusv1.Gate{
		Name: g.Name, Address: address, Open: g.Open, StateAge: durationpb.New(g.SinceChange), Problem: g.Problem,
	}
}
