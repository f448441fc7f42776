package grpchealth

import "github.com/landmark-health/landmark/internal/frontend"

// Source is where answers come from.
type Source interface {
	frontend.Source
	// Names returns the names of the services that were reported, sorted.
	Names() []string
}
