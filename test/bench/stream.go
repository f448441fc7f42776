package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// stream reports for the crowd's services over its connections, as agents do
// that have no news, until ctx is done.
func (c crowd) stream(ctx context.Context, socket string) error {
	group, ctx := errgroup.WithContext(ctx)
	for n := range c.connections {
		group.Go(func() error { return c.connect(ctx, socket, n) })
	}
	return group.Wait()
}

// connect reports for the services of connection n.
func (c crowd) connect(ctx context.Context, socket string, n int) error {
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	var sessions []*session
	for i := n; i < c.services; i += c.connections {
		s, err := c.open(ctx, conn, serviceName(i))
		if err != nil {
			return fmt.Errorf("%s: %w", serviceName(i), err)
		}
		sessions = append(sessions, s)
	}
	phase := every * time.Duration(n) / time.Duration(c.connections)
	return c.report(ctx, sessions, time.Now().Add(phase))
}

// session is one service's stream.
type session struct {
	stream intakev1.IntakeService_StreamClient
	begun  time.Time
	kinds  []reportv1.Kind
	sent   uint64 // reports
}

// open opens a stream for the service and declares its landmarks.
func (c crowd) open(ctx context.Context, conn *grpc.ClientConn, service string) (*session, error) {
	stream, err := intakev1.NewIntakeServiceClient(conn).Stream(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{stream: stream, begun: time.Now()}
	declaration := &reportv1.Declaration{}
	for i := range c.landmarks {
		kind := []reportv1.Kind{
			reportv1.Kind_KIND_LOOP, reportv1.Kind_KIND_CONDITION, reportv1.Kind_KIND_ALIVE,
			reportv1.Kind_KIND_DEADLINE, reportv1.Kind_KIND_LEVEL,
		}[i%5]
		l := &reportv1.Landmark{Name: fmt.Sprintf("landmark %d", i), Kind: kind}
		switch kind {
		case reportv1.Kind_KIND_LEVEL:
			l.Limits = &reportv1.Limits{DegradeAt: 100, FailAt: 200}
		case reportv1.Kind_KIND_CONDITION:
		default:
			l.WithinUs = uint64(within.Microseconds())
		}
		declaration.Landmarks = append(declaration.Landmarks, l)
		s.kinds = append(s.kinds, kind)
	}
	for _, m := range []*reportv1.StreamRequest{
		{Message: &reportv1.StreamRequest_Hello{Hello: &reportv1.Hello{Service: service, Instance: "a"}}},
		{Message: &reportv1.StreamRequest_Declaration{Declaration: declaration}},
		s.next(),
	} {
		if err := stream.Send(m); err != nil {
			return nil, err
		}
	}
	_, err = stream.Recv() // the Welcome
	return s, err
}

// report has every session report once in each interval, all together, or by
// turns, from begun on.
func (c crowd) report(ctx context.Context, sessions []*session, begun time.Time) error {
	for round := 0; ; round++ {
		for i, s := range sessions {
			due := begun.Add(time.Duration(round) * every)
			if c.byTurns {
				due = due.Add(every * time.Duration(i) / time.Duration(len(sessions)))
			}
			if wait := time.Until(due); wait > 0 {
				if err := sleep(ctx, wait); err != nil {
					return nil
				}
			}
			if err := s.stream.Send(s.next()); err != nil {
				return err
			}
		}
	}
}

// next is the session's next report: that of a program whose landmarks are all
// well.
func (s *session) next() *reportv1.StreamRequest {
	s.sent++
	facts := make([]*reportv1.Fact, len(s.kinds))
	for i, kind := range s.kinds {
		age := time.Since(s.begun) // of what was set once
		switch kind {
		case reportv1.Kind_KIND_ALIVE, reportv1.Kind_KIND_LOOP, reportv1.Kind_KIND_DEADLINE:
			age = every / 2
		}
		f := &reportv1.Fact{Reached: true, AgeUs: uint64(age.Microseconds()), Count: s.sent}
		switch kind {
		case reportv1.Kind_KIND_LOOP:
			f.LagUs = 150
		case reportv1.Kind_KIND_LEVEL:
			f.Value = 42
		case reportv1.Kind_KIND_CONDITION:
			f.Met = true
		}
		facts[i] = f
	}
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Report{Report: &reportv1.Report{Facts: facts}}}
}
