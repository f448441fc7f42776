package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/landmark-health/landmark/internal/sleep"
	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// runStreams reports for the services over the workload's connections, as agents do
// when nothing changes, until ctx is done.
func (w workload) runStreams(ctx context.Context, socket string) error {
	group, ctx := errgroup.WithContext(ctx)
	for n := range w.connections {
		group.Go(func() error { return w.runConn(ctx, socket, n) })
	}
	return group.Wait()
}

// runConn reports for the services of connection n.
func (w workload) runConn(ctx context.Context, socket string, n int) error {
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	var sessions []*session
	for i := n; i < w.services; i += w.connections {
		s, err := w.open(ctx, conn, serviceName(i))
		if err != nil {
			return fmt.Errorf("%s: %w", serviceName(i), err)
		}
		s.number = i
		sessions = append(sessions, s)
	}
	phase := reportInterval * time.Duration(n) / time.Duration(w.connections)
	return w.report(ctx, sessions, time.Now().Add(phase))
}

// session is the stream of one service.
type session struct {
	stream intakev1.IntakeService_StreamClient
	start  time.Time
	kinds  []reportv1.Kind
	sent   uint64 // how many reports
	number int    // of the service
	failed bool   // its Conditions do not hold
}

// open opens a stream for the service and sends its declaration and first report.
func (w workload) open(ctx context.Context, conn *grpc.ClientConn, service string) (*session, error) {
	stream, err := intakev1.NewIntakeServiceClient(conn).Stream(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{stream: stream, start: time.Now()}
	declaration := &reportv1.Declaration{}
	for i := range w.landmarks {
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

// report sends a report of every session in each interval from start on, staggered or
// all at once.
func (w workload) report(ctx context.Context, sessions []*session, start time.Time) error {
	for round := 0; ; round++ {
		for i, s := range sessions {
			due := start.Add(time.Duration(round) * reportInterval)
			if w.staggered {
				due = due.Add(reportInterval * time.Duration(i) / time.Duration(len(sessions)))
			}
			if wait := time.Until(due); wait > 0 {
				if !sleep.For(ctx, wait) {
					return nil
				}
			}
			if w.changesIn(round, s.number) {
				s.failed = !s.failed
			}
			if err := s.stream.Send(s.next()); err != nil {
				return err
			}
		}
	}
}

// changesFrom is how long a workload makes no changes, so that all services are serving at
// first.
const changesFrom = 4 * time.Second

// changesIn reports whether the service changes its status with this report.
func (w workload) changesIn(round, service int) bool {
	if w.changes == 0 || time.Duration(round)*reportInterval < changesFrom {
		return false
	}
	reports := w.services * int(time.Second/reportInterval) / w.changes // between two changes of a service
	return (round+service)%reports == 0
}

// next returns the next report, of a program whose landmarks are all healthy unless it has
// failed.
func (s *session) next() *reportv1.StreamRequest {
	s.sent++
	facts := make([]*reportv1.Fact, len(s.kinds))
	for i, kind := range s.kinds {
		age := time.Since(s.start) // of landmarks that are set once
		switch kind {
		case reportv1.Kind_KIND_ALIVE, reportv1.Kind_KIND_LOOP, reportv1.Kind_KIND_DEADLINE:
			age = reportInterval / 2
		}
		f := &reportv1.Fact{Reached: true, AgeUs: uint64(age.Microseconds()), Count: s.sent}
		switch kind {
		case reportv1.Kind_KIND_LOOP:
			f.LagUs = 150
		case reportv1.Kind_KIND_LEVEL:
			f.Value = 42
		case reportv1.Kind_KIND_CONDITION:
			f.Met = !s.failed
		}
		facts[i] = f
	}
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Report{Report: &reportv1.Report{Facts: facts}}}
}
