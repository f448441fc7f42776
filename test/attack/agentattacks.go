package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// agentAttacks are what a local user can do on the agent socket.
func agentAttacks() []attack {
	local := func(name, what string, seconds time.Duration) attack {
		return attack{name: name, what: what, who: "local user", measured: true, play: func(s *scene) {
			s.startPair()
			s.director(nil, "well", "hung")
			s.awaitCheckers("well", healthy)
			s.attack(name, s.sidecar.agents(), attackerUID)
			s.runFor(seconds*time.Second/2, 4*seconds*time.Second)
		}}
	}
	flapping := local("flapping", "up to 2,000 services change 5 times a second, with long reasons", 5)
	return []attack{
		local("report flood", "100 connections report as fast as they can", 6),
		local("stack flood", "100 programs hang 10 times a second, each time with 64 KiB of stacks", 6),
		local("connect loop", "20 loops connect, report, and disconnect", 4),
		local("unfinished messages", "10 connections begin 100 messages of 500 kB each", 4),
		flapping,
		{name: "agent connections", what: "2 users hold all the connections that they get, and a new program starts", who: "local user", measured: true, play: agentConnections},
		{name: "names", what: "5 users take up to 2,000 services each, and a new program starts", who: "local user", onlyLong: true, play: names},
		{name: "agent socket removed", what: "agent.sock is removed, and a new program starts", who: "operator", play: socketRemoved},
	}
}

// agentConnections fills the agent socket. A new program of root or of this user
// must still get a connection.
func agentConnections(s *scene) {
	s.prepare()
	if !s.long {
		s.sidecar.files = 512
	}
	s.boot()
	s.pair()
	for user := range uint32(2) {
		s.attack("agent connections", s.sidecar.agents(), attackerUID+user)
	}
	s.runFor(2*time.Second, 6*time.Second)
	s.startNewcomer()
}

// startNewcomer starts a program that must be reported as serving.
func (s *scene) startNewcomer() {
	s.check("newcomer")
	s.change("newcomer", healthy, func() { s.run("newcomer", "1") })
}

// names uses up the names of services. A new program of this user must still get
// one. Then the users leave, and their names are free again.
func names(s *scene) {
	s.startPair()
	var takers []*process
	for user := range uint32(5) {
		takers = append(takers, s.attack("names", s.sidecar.agents(), attackerUID+user))
	}
	for _, p := range takers {
		await(2*timeout, func() bool { return p.wrote("taken") })
	}
	s.startNewcomer()
	for _, p := range takers {
		p.kill()
	}
	s.runFor(time.Second, 2*time.Second)
	s.attack("names", s.sidecar.agents(), attackerUID+9)
	s.runFor(time.Second, 5*time.Second)
	s.check("late-newcomer")
	s.change("late-newcomer", healthy, func() { s.run("late-newcomer", "1") })
}

// socketRemoved removes the agent socket. A program that starts after that must
// still report.
func socketRemoved(s *scene) {
	s.startPair()
	s.must(os.Remove(s.sidecar.agents()))
	// Programs redial every half second.
	await(timeout, func() bool { _, err := os.Stat(s.sidecar.agents()); return err == nil })
	s.startNewcomer()
}

// floodReports sends reports on 100 connections, each for a service of its own,
// without pause.
func floodReports(ctx context.Context, target string) error {
	return each(ctx, 100, func(ctx context.Context, i int) {
		openStreams(ctx, target, 1, func(int) string { return fmt.Sprint("flood", i) }, func(streams []intakev1.IntakeService_StreamClient) error {
			for n := 0; ; n++ {
				if err := streams[0].Send(report(n, "")); err != nil {
					return err
				}
			}
		})
	})
}

// floodStacks hangs on 100 connections, again and again, and sends stacks with each report.
func floodStacks(ctx context.Context, target string) error {
	loop := &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Declaration{Declaration: &reportv1.Declaration{
		Landmarks: []*reportv1.Landmark{{Name: "loop", Kind: reportv1.Kind_KIND_LOOP, WithinUs: 1_000_000}}}}}
	text := strings.Repeat("main.work\n\t\t/src/main.go:1\n", 64<<10/28)
	return each(ctx, 100, func(ctx context.Context, i int) {
		openStreams(ctx, target, 1, func(int) string { return fmt.Sprint("stacks", i) }, func(streams []intakev1.IntakeService_StreamClient) error {
			if err := streams[0].Send(loop); err != nil {
				return err
			}
			for n := uint64(0); ; n++ {
				hang := &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Report{Report: &reportv1.Report{
					Facts:    []*reportv1.Fact{{Reached: true, Count: n / 2, Open: n%2 == 1, AgeUs: n % 2 * 5_000_000}},
					Evidence: &reportv1.Evidence{Landmarks: []string{"loop"}, Summary: "flood", Text: text},
				}}}
				if err := streams[0].Send(hang); err != nil {
					return err
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	})
}

// connectInALoop begins a session and disconnects, again and again.
func connectInALoop(ctx context.Context, target string) error {
	return each(ctx, 20, func(ctx context.Context, i int) {
		for ctx.Err() == nil {
			openStreams(ctx, target, 1, func(int) string { return fmt.Sprint("loop", i) }, func([]intakev1.IntakeService_StreamClient) error { return nil })
		}
	})
}

// takeNames takes 2,000 names and holds them.
func takeNames(ctx context.Context, target string) error {
	return each(ctx, 1, func(ctx context.Context, _ int) {
		openUserStreams(ctx, target, 2000, func(streams []intakev1.IntakeService_StreamClient) error {
			fmt.Fprintln(os.Stderr, "taken")
			<-ctx.Done()
			return nil
		})
	})
}

// flap changes 2,000 services again and again, each time with a long reason.
func flap(ctx context.Context, target string) error {
	return each(ctx, 1, func(ctx context.Context, _ int) {
		openUserStreams(ctx, target, 2000, func(streams []intakev1.IntakeService_StreamClient) error {
			reason := strings.Repeat("because ", 120)
			for n := 0; len(streams) > 0; n++ {
				streams = slices.DeleteFunc(streams, func(stream intakev1.IntakeService_StreamClient) bool {
					return stream.Send(report(n, reason)) != nil
				})
				time.Sleep(200 * time.Millisecond)
			}
			return nil
		})
	})
}

// openUserStreams opens streams for a number of services, named after the user.
func openUserStreams(ctx context.Context, target string, services int, then func([]intakev1.IntakeService_StreamClient) error) {
	openStreams(ctx, target, services, func(i int) string { return fmt.Sprintf("crowd%d.%d", os.Getuid(), i) }, then)
}

// streamsPerConnection is how many streams an agent may open on one connection.
const streamsPerConnection = 2

// openStreams opens a stream for each of the services, as an agent does, and calls
// then with those that landmarkd accepted.
func openStreams(ctx context.Context, target string, services int, name func(i int) string, then func([]intakev1.IntakeService_StreamClient) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var streams []intakev1.IntakeService_StreamClient
	var conn *grpc.ClientConn
	for i := range services {
		if i%streamsPerConnection == 0 {
			var err error
			if conn, err = grpc.NewClient("unix:"+target, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
				return err
			}
			defer conn.Close()
		}
		stream, err := intakev1.NewIntakeServiceClient(conn).Stream(ctx)
		if err != nil {
			continue
		}
		for _, m := range []*reportv1.StreamRequest{
			{Message: &reportv1.StreamRequest_Hello{Hello: &reportv1.Hello{Service: name(i), Instance: "a"}}},
			{Message: &reportv1.StreamRequest_Declaration{Declaration: &reportv1.Declaration{Landmarks: []*reportv1.Landmark{
				{Name: "mood", Kind: reportv1.Kind_KIND_CONDITION}}}}},
			report(0, ""),
		} {
			if stream.Send(m) != nil {
				break // Recv below returns the reason
			}
		}
		streams = append(streams, stream)
	}
	// Drop the streams that landmarkd refused.
	streams = slices.DeleteFunc(streams, func(stream intakev1.IntakeService_StreamClient) bool {
		_, err := stream.Recv()
		return err != nil
	})
	if len(streams) == 0 {
		return errors.New("every stream was refused")
	}
	return then(streams)
}

// report returns a report whose landmark is healthy every other time.
func report(n int, reason string) *reportv1.StreamRequest {
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Report{Report: &reportv1.Report{
		Facts: []*reportv1.Fact{{Reached: true, Count: uint64(n + 1), Met: n%2 == 0, Reason: reason}}}}}
}

// sendUnfinishedMessages sends large reports without their last byte.
func sendUnfinishedMessages(ctx context.Context, target string) error {
	return unfinished(ctx, target, streamMethod, 10, 100, message(500_000, 499_999))
}

// holdAgentConnections holds as many connections as it can get, each with the
// session of an agent.
func holdAgentConnections(ctx context.Context, target string) error {
	return each(ctx, 500, func(ctx context.Context, i int) {
		openStreams(ctx, target, 1, func(int) string { return fmt.Sprintf("hold%d.%d", os.Getuid(), i) }, func(streams []intakev1.IntakeService_StreamClient) error {
			for n := 0; ; n += 2 {
				if err := streams[0].Send(report(n, "")); err != nil {
					return err
				}
				time.Sleep(time.Second)
			}
		})
		time.Sleep(200 * time.Millisecond)
	})
}
