package grpcstatus

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// The judge's statuses, causes, states, kinds and impacts bear the schemas'
// numbers.

// maxLandmarks is how many landmarks of a service are sent, so that a message
// stays well below the 4 MiB that gRPC clients receive. One process has no
// more; several, that each declared others, may.
const maxLandmarks = contract.MaxLandmarks

// told tells a service, with its landmarks or without.
func told(p registry.ServiceStatus, withLandmarks bool) *statusv1.Service {
	t := &statusv1.Service{
		Name:      p.Name,
		Readiness: standing(p.Answers[judge.Readiness]),
		Liveness:  standing(p.Answers[judge.Liveness]),
		Startup:   standing(p.Answers[judge.Startup]),
		Drained:   p.Drained,
	}
	if withLandmarks {
		t.Landmarks = landmarks(p.Answers[judge.Readiness].Landmarks())
	}
	return t
}

func standing(a registry.Answer) *statusv1.Standing {
	return &statusv1.Standing{
		Verdict: &statusv1.Verdict{
			Status: statusv1.Status(a.Status),
			Cause:  statusv1.Cause(a.Cause),
			Weight: uint32(a.Weight),
			Reason: a.Reason(),
		},
		FactsAge: durationpb.New(a.Age),
		Stood:    durationpb.New(a.StatusAge),
		Changes:  a.Changes,
	}
}

func landmarks(records []registry.Record) []*statusv1.Landmark {
	records = records[:min(len(records), maxLandmarks)]
	told := make([]*statusv1.Landmark, len(records))
	for i, r := range records {
		told[i] = &statusv1.Landmark{Declared: declared(r.Declared), State: statusv1.State(r.State), Fact: fact(r)}
	}
	return told
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

func fact(r registry.Record) *reportv1.Fact {
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
