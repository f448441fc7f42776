package grpchealth

import (
	"context"
	"time"

	"google.golang.org/grpc/peer"

	"github.com/landmark-health/landmark/sidecar/internal/askers"
	"github.com/landmark-health/landmark/sidecar/internal/registry"
)

// Askers remember who asks.
type Askers interface {
	Note(q askers.Question, a askers.Asker, at time.Duration)
	Watch(a askers.Asker) *askers.Watch
}

// asker is who asks in the call.
func asker(ctx context.Context, by askers.FrontEnd) askers.Asker {
	a := askers.Asker{By: by}
	if p, ok := peer.FromContext(ctx); ok {
		a.From = askers.AddressOf(p.Addr)
	}
	return a
}

// question is what was asked about, as the answer tells it.
func question(name []byte, a *registry.Answer) askers.Question {
	service, known := a.Service()
	return askers.Question{Name: name, Service: service, Known: known}
}
