package agent

import (
	"time"

	"github.com/landmark-health/landmark/internal/collector"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// This file builds the messages of landmark.report.v1.

func helloMessage(service, instance, clock string) *reportv1.StreamRequest {
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Hello{
		Hello: &reportv1.Hello{Service: service, Instance: instance, Clock: clock, Goroutines: true},
	}}
}

func declarationMessage(states []landmarkState) *reportv1.StreamRequest {
	landmarks := make([]*reportv1.Landmark, len(states))
	for i, s := range states {
		landmarks[i] = &reportv1.Landmark{
			Name:          s.Name,
			Kind:          reportv1.Kind(s.Kind),
			Impact:        reportv1.Impact(s.Impact),
			WithinUs:      microseconds(s.Within),
			StartWithinUs: microseconds(s.StartWithin),
			TtlUs:         microseconds(s.TTL),
		}
		if s.Kind == collector.KindLevel {
			landmarks[i].Limits = &reportv1.Limits{
				DegradeAt: s.Limits.DegradeAt,
				FailAt:    s.Limits.FailAt,
				Below:     s.Limits.Below,
			}
		}
	}
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Declaration{
		Declaration: &reportv1.Declaration{Landmarks: landmarks},
	}}
}

func reportMessage(states []landmarkState, answered uint64, draining bool, sampledAt uint64) *reportv1.StreamRequest {
	facts := make([]*reportv1.Fact, len(states))
	for i, s := range states {
		facts[i] = fact(s.current)
	}
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Report{
		Report: &reportv1.Report{Facts: facts, Answered: answered, Draining: draining, ReadAtUs: sampledAt},
	}}
}

func fact(s collector.Sample) *reportv1.Fact {
	return &reportv1.Fact{
		Reached: s.Reached,
		AgeUs:   microseconds(s.Age),
		Count:   s.Count,
		Open:    s.Open,
		LagUs:   microseconds(s.Lag),
		Pending: s.Pending,
		Value:   s.Value,
		Met:     s.Met,
		Reason:  s.Reason,
	}
}

func goodbyeMessage() *reportv1.StreamRequest {
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Goodbye{Goodbye: &reportv1.Goodbye{}}}
}

// microseconds converts d, which is never negative, to the unit of the wire.
func microseconds(d time.Duration) uint64 { return uint64(d.Microseconds()) }
