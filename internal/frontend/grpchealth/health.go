// Package grpchealth is the front end for grpc.health.v1, which gRPC clients,
// Envoy, kubelet and grpc-health-probe speak. It translates the registry's
// answers into statuses, and judges nothing itself.
//
// It does not use grpc-go's health.Server, which stores statuses that a program
// sets. Here each answer is evaluated when it is sent, so that no status outlives
// the facts that it rests on.
//
// The protocol: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
package grpchealth

import (
	"context"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

const (
	// maxAgeKey is the metadata by which a checker limits the age of the facts
	// behind an answer, as the monitoring protocol does: an unsigned decimal
	// number of milliseconds of 32 bits. 0 sets no limit.
	maxAgeKey = "landmark-max-age-ms"
	// maxShownName is how much of an unknown name an error repeats, in runes.
	// The longest name of a service and an aspect fits in.
	maxShownName = 128
	// maxListed is how many names List returns, "" included: as many as
	// grpc-go's own server.
	maxListed = 100
)

// Source gives the answers.
type Source interface {
	frontend.Source
	// Names returns the sorted names of the services that were reported.
	Names() []string
}

// Config configures the service.
type Config struct {
	Source   Source            // gives the answers
	Checkers frontend.Checkers // records who received them
}

// Register registers grpc.health.v1 on the server. A Watch ends when its
// stream's context is done. It returns the answers to Check.
func Register(server grpc.ServiceRegistrar, c Config) *frontend.Answers {
	s := &service{config: c}
	healthpb.RegisterHealthServer(server, s)
	return &s.answers
}

// service is grpc.health.v1.Health.
type service struct {
	healthpb.UnimplementedHealthServer
	config  Config
	answers frontend.Answers // of Check
}

// Check answers with facts that are as young as the checker's metadata demands.
// The error for an unknown name is NOT_FOUND. The status SERVICE_UNKNOWN is for
// Watch alone; as an answer to Check it crashed Envoy.
func (s *service) Check(ctx context.Context, q *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	timing := s.answers.Begin()
	maxAge, err := parseMaxAge(ctx)
	if err != nil {
		return nil, err
	}
	name := []byte(q.GetService())
	answer, final := s.config.Source.Lookup(name, maxAge)
	if !final {
		timing.Wait()
		if answer, err = s.config.Source.Await(grpcserver.WithClient(ctx), name, maxAge); err != nil {
			return nil, grpcserver.StatusError(err)
		}
	}
	frontend.RecordChecker(s.config.Checkers, checker(ctx, checkers.GRPCCheck), name, &answer)
	s.answers.End(timing)
	if answer.Status == judge.ServiceUnknown {
		return nil, status.Errorf(codes.NotFound,
			"no program has reported a service named %.*q: compare the name with those that List returns, and check that the program runs and finds this landmarkd's socket",
			maxShownName, q.GetService())
	}
	return response(answer), nil
}

// parseMaxAge returns the maximum age in the checker's metadata, 0 if there is
// none. The error is INVALID_ARGUMENT.
func parseMaxAge(ctx context.Context) (time.Duration, error) {
	values := metadata.ValueFromIncomingContext(ctx, maxAgeKey)
	if len(values) == 0 {
		return 0, nil
	}
	// Several values, joined, are no number and so an error.
	value := strings.Join(values, ",")
	ms, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		return 0, status.Errorf(codes.InvalidArgument,
			"metadata %s is %.64q: give one unsigned decimal number of milliseconds below 2^32", maxAgeKey, value)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// checker returns who makes the call.
func checker(ctx context.Context, via checkers.FrontEnd) checkers.Checker {
	c := checkers.Checker{Via: via}
	if p, ok := peer.FromContext(ctx); ok {
		c.From = checkers.AddressOf(p.Addr)
	}
	return c
}

// responses are all the answers, by status. The numbers of the judge's statuses are those
// of grpc.health.v1. Nothing changes a message that is sent, so that all checkers share them.
var responses = func() (all [judge.ServiceUnknown + 1]*healthpb.HealthCheckResponse) {
	for s := range all {
		all[s] = &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_ServingStatus(s)}
	}
	return all
}()

// response translates an answer.
func response(a registry.Answer) *healthpb.HealthCheckResponse { return responses[a.Status] }

// List returns the status of every service that was reported and, as "", of all
// together. The facts may have any age. The names of aspects are not listed.
func (s *service) List(ctx context.Context, _ *healthpb.HealthListRequest) (*healthpb.HealthListResponse, error) {
	names := append(s.config.Source.Names(), "")
	if len(names) > maxListed {
		return nil, status.Errorf(codes.ResourceExhausted,
			"there are %d names, and List returns at most %d: call Check for the ones you need", len(names), maxListed)
	}
	ctx = grpcserver.WithClient(ctx)
	statuses := make(map[string]*healthpb.HealthCheckResponse, len(names))
	for _, name := range names {
		answer, err := s.config.Source.Await(ctx, []byte(name), registry.AnyAge)
		if err != nil {
			return nil, grpcserver.StatusError(err)
		}
		statuses[name] = response(answer)
	}
	return &healthpb.HealthListResponse{Statuses: statuses}, nil
}
