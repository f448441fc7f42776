package agent

import (
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// This file puts what an agent says into the messages of landmark.report.v1.

func helloMessage(service, instance, clock string) *reportv1.StreamRequest {
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Hello{
		Hello: &reportv1.Hello{Service: service, Instance: instance, Clock: clock},
	}}
}

func declarationMessage(tracks []track) *reportv1.StreamRequest {
	landmarks := make([]*reportv1.Landmark, len(tracks))
	for i, t := range tracks {
		landmarks[i] = &reportv1.Landmark{
			Name:          t.Name,
			Kind:          reportv1.Kind(t.Kind),
			Impact:        reportv1.Impact(t.Impact),
			WithinUs:      microseconds(t.Within),
			StartWithinUs: microseconds(t.StartWithin),
			TtlUs:         microseconds(t.TTL),
		}
		if t.Kind == landmark.KindLevel {
			landmarks[i].Limits = &reportv1.Limits{
				DegradeAt: t.Limits.DegradeAt,
				FailAt:    t.Limits.FailAt,
				Below:     t.Limits.Below,
			}
		}
	}
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Declaration{
		Declaration: &reportv1.Declaration{Landmarks: landmarks},
	}}
}

func reportMessage(tracks []track, answered uint64, draining bool, readAt uint64) *reportv1.StreamRequest {
	facts := make([]*reportv1.Fact, len(tracks))
	for i, t := range tracks {
		facts[i] = fact(t.reading)
	}
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Report{
		Report: &reportv1.Report{Facts: facts, Answered: answered, Draining: draining, ReadAtUs: readAt},
	}}
}

func fact(r landmark.Reading) *reportv1.Fact {
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

func goodbyeMessage() *reportv1.StreamRequest {
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Goodbye{Goodbye: &reportv1.Goodbye{}}}
}

// microseconds returns d, which is never negative, as the wire has it.
func microseconds(d time.Duration) uint64 { return uint64(d.Microseconds()) }
