package grpchealth

import (
	"context"
	"time"

	"google.golang.org/grpc/peer"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/registry"
)

// Checkers remember who asks.
type Checkers interface {
	Note(q checkers.Question, a checkers.Checker, at time.Duration)
	Watch(a checkers.Checker) *checkers.Watch
}

// checker is who asks in the call.
func checker(ctx context.Context, by checkers.FrontEnd) checkers.Checker {
	a := checkers.Checker{By: by}
	if p, ok := peer.FromContext(ctx); ok {
		a.From = checkers.AddressOf(p.Addr)
	}
	return a
}

// question is what was asked about, as the answer tells it.
func question(name []byte, a *registry.Answer) checkers.Question {
	service, known := a.Service()
	return checkers.Question{Name: name, Service: service, Known: known}
}
