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
			s.usual()
			s.director(nil, "well", "wedged")
			s.settle("well", healthy)
			s.attack(name, s.sidecar.agents(), stranger)
			s.last(seconds*time.Second/2, 4*seconds*time.Second)
		}}
	}
	flapping := local("flapping", "up to 2,000 services change 5 times a second, with long reasons", 5)
	return []attack{
		local("report flood", "100 connections report as fast as they can", 6),
		local("connect loop", "20 loops connect, report, and hang up", 4),
		local("unfinished messages", "10 connections begin 100 messages of 500 kB each", 4),
		flapping,
		{name: "agent connections", what: "2 users hold all the connections that they get, and a new program starts", who: "local user", measured: true, play: agentConnections},
		{name: "names", what: "5 users take up to 2,000 services each, and a new program starts", who: "local user", onlyLong: true, play: names},
		{name: "agent socket removed", what: "agent.sock is removed, and a new program starts", who: "operator", play: socketRemoved},
	}
}

// agentConnections fills the agent socket, after which a new program of root or
// of this user must find room.
func agentConnections(s *scene) {
	s.prepare()
	if !s.long {
		s.sidecar.files = 512
	}
	s.boot()
	s.pair()
	for user := range uint32(2) {
		s.attack("agent connections", s.sidecar.agents(), stranger+user)
	}
	s.last(2*time.Second, 6*time.Second)
	s.newcomer()
}

// newcomer starts a program that must be found to serve.
func (s *scene) newcomer() {
	s.check("newcomer")
	s.turn("newcomer", healthy, func() { s.run("newcomer", "1") })
}

// names uses up the names, and a new program of this user must find one. Then the
// users go, and their names go back.
func names(s *scene) {
	s.usual()
	var takers []*process
	for user := range uint32(5) {
		takers = append(takers, s.attack("names", s.sidecar.agents(), stranger+user))
	}
	for _, p := range takers {
		await(2*patience, func() bool { return p.wrote("taken") })
	}
	s.newcomer()
	for _, p := range takers {
		p.kill()
	}
	s.last(time.Second, 2*time.Second)
	s.attack("names", s.sidecar.agents(), stranger+9)
	s.last(time.Second, 5*time.Second)
	s.check("late-newcomer")
	s.turn("late-newcomer", healthy, func() { s.run("late-newcomer", "1") })
}

// socketRemoved removes the agent socket. A program that starts must come to
// report all the same.
func socketRemoved(s *scene) {
	s.usual()
	s.must(os.Remove(s.sidecar.agents()))
	// Programs redial every half second.
	await(patience, func() bool { _, err := os.Stat(s.sidecar.agents()); return err == nil })
	s.newcomer()
}

// floodReports reports for a service of its own on each of 100 connections, with
// no pause.
func floodReports(ctx context.Context, target string) error {
	return each(ctx, 100, func(ctx context.Context, i int) {
		reporting(ctx, target, 1, func(int) string { return fmt.Sprint("flood", i) }, func(streams []intakev1.IntakeService_StreamClient) error {
			for n := 0; ; n++ {
				if err := streams[0].Send(level(n, "")); err != nil {
					return err
				}
			}
		})
	})
}

// connectInALoop begins a session and hangs up, over and over.
func connectInALoop(ctx context.Context, target string) error {
	return each(ctx, 20, func(ctx context.Context, i int) {
		for ctx.Err() == nil {
			reporting(ctx, target, 1, func(int) string { return fmt.Sprint("loop", i) }, func([]intakev1.IntakeService_StreamClient) error { return nil })
		}
	})
}

// takeNames takes 2,000 names and keeps them.
func takeNames(ctx context.Context, target string) error {
	return each(ctx, 1, func(ctx context.Context, _ int) {
		crowd(ctx, target, 2000, func(streams []intakev1.IntakeService_StreamClient) error {
			fmt.Fprintln(os.Stderr, "taken")
			<-ctx.Done()
			return nil
		})
	})
}

// flap changes 2,000 services again and again, each time for a long reason.
func flap(ctx context.Context, target string) error {
	return each(ctx, 1, func(ctx context.Context, _ int) {
		crowd(ctx, target, 2000, func(streams []intakev1.IntakeService_StreamClient) error {
			reason := strings.Repeat("because ", 120)
			for n := 0; len(streams) > 0; n++ {
				streams = slices.DeleteFunc(streams, func(stream intakev1.IntakeService_StreamClient) bool {
					return stream.Send(level(n, reason)) != nil
				})
				time.Sleep(200 * time.Millisecond)
			}
			return nil
		})
	})
}

// crowd reports for so many services, named after the user.
func crowd(ctx context.Context, target string, services int, then func([]intakev1.IntakeService_StreamClient) error) {
	reporting(ctx, target, services, func(i int) string { return fmt.Sprintf("crowd%d.%d", os.Getuid(), i) }, then)
}

// streamsOfOne is how many streams the attackers have on one connection: as many
// as any agent may.
const streamsOfOne = 2

// reporting opens a stream for each of the services, as an agent does, and hands
// over those that were welcomed.
func reporting(ctx context.Context, target string, services int, name func(i int) string, then func([]intakev1.IntakeService_StreamClient) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var streams []intakev1.IntakeService_StreamClient
	var conn *grpc.ClientConn
	for i := range services {
		if i%streamsOfOne == 0 {
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
			level(0, ""),
		} {
			if stream.Send(m) != nil {
				break // the Recv below has the reason
			}
		}
		streams = append(streams, stream)
	}
	// What landmarkd refuses is done without.
	streams = slices.DeleteFunc(streams, func(stream intakev1.IntakeService_StreamClient) bool {
		_, err := stream.Recv()
		return err != nil
	})
	if len(streams) == 0 {
		return errors.New("every stream was refused")
	}
	return then(streams)
}

// level is a report, which is well every other time.
func level(n int, reason string) *reportv1.StreamRequest {
	return &reportv1.StreamRequest{Message: &reportv1.StreamRequest_Report{Report: &reportv1.Report{
		Facts: []*reportv1.Fact{{Reached: true, Count: uint64(n + 1), Met: n%2 == 0, Reason: reason}}}}}
}

// sendUnfinishedMessages begins large reports and sends all but their end.
func sendUnfinishedMessages(ctx context.Context, target string) error {
	return unfinished(ctx, target, streamMethod, 10, 100, message(500_000, 499_999))
}

// holdAgentConnections holds as many connections as it can get, which begin as
// an agent's.
func holdAgentConnections(ctx context.Context, target string) error {
	return each(ctx, 500, func(ctx context.Context, i int) {
		reporting(ctx, target, 1, func(int) string { return fmt.Sprintf("hold%d.%d", os.Getuid(), i) }, func(streams []intakev1.IntakeService_StreamClient) error {
			for n := 0; ; n += 2 {
				if err := streams[0].Send(level(n, "")); err != nil {
					return err
				}
				time.Sleep(time.Second)
			}
		})
		time.Sleep(200 * time.Millisecond)
	})
}
