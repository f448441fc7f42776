package grpchealth

import (
	"context"

	"google.golang.org/grpc/peer"

	"github.com/landmark-health/landmark/internal/checkers"
)

// checker is who asks in the call.
func checker(ctx context.Context, by checkers.FrontEnd) checkers.Checker {
	a := checkers.Checker{Via: by}
	if p, ok := peer.FromContext(ctx); ok {
		a.From = checkers.AddressOf(p.Addr)
	}
	return a
}
