package main

import (
	"context"
	"fmt"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	"github.com/landmark-health/landmark/test/bench/load"
	"github.com/landmark-health/landmark/test/bench/report"
)

// grpcCheckRow saturates a gRPC server.
var grpcCheckRow = row{
	name: "grpc check",
	lines: []report.Line{
		{What: "grpc.health.v1 Check, saturated, against grpc-go's health.Server: answers a second", Unit: "×", Goal: report.Goal{AtLeast: 1}},
		{What: "the same: processor time for an answer", Unit: "×", Goal: report.Goal{AtMost: 1}},
	},
	measure: measureGRPCCheck,
}

// healthRequest is the request about the service.
var healthRequest = func() []byte {
	b, err := proto.Marshal(&healthpb.HealthCheckRequest{Service: checked})
	if err != nil {
		panic(err) // the message is a constant
	}
	return b
}()

const (
	// grpcClients is how many clients call at once, each from an address of its own,
	// because landmarkd lets one address open 4,000 streams a second.
	grpcClients = 32
	// grpcOpen is how many calls each keeps open.
	grpcOpen = 4
)

func measureGRPCCheck(ctx context.Context, s *suite) (m measured, err error) {
	health, err := startSelf(healthMode)
	if err != nil {
		return m, err
	}
	defer health.stop()
	d, err := s.startServing(ctx, "")
	if err != nil {
		return m, err
	}
	defer d.stop()
	subject := func(p process, address string) func() (answers, error) {
		return func() (answers, error) {
			return p.under(func() (int, time.Duration, error) {
				g := load.GRPC{Server: address, Message: healthRequest, Connections: grpcClients}
				return g.Check(ctx, grpcOpen, s.scaled(saturation))
			})
		}
	}
	all, err := inTurn(ctx, s.rounds(9), subject(d.process, d.grpcAddress), subject(health.process, health.address))
	if err != nil {
		return m, err
	}
	m.figures = []figure{
		throughput(all[0], all[1]),
		ratio(ratios(all[0], all[1], eachOf), fmt.Sprintf("%d connections, %d calls on each", grpcClients, grpcOpen)),
	}
	m.throughput = []report.Group{{Name: "Check over gRPC", Values: []float64{medianOf(all[0], rateOf) / 1e3, medianOf(all[1], rateOf) / 1e3, 0}}}
	return m, nil
}
