package grpcstatus

import (
	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
)

// Source is what the front end reads. Its methods may be called by any number
// of goroutines at once.
type Source interface {
	frontend.Source
	// Names returns the names of the services that are known, sorted.
	Names() []string
	// Present returns what is told of a service, and whether it is known.
	Present(name string) (registry.ServiceStatus, bool)
	// History returns the last changes of a service, the oldest first, and
	// whether it is known.
	History(name string) ([]registry.Change, bool)
}

// Checkers is who asks, as the front ends have it remembered. Its methods may be
// called by any number of goroutines at once.
type Checkers interface {
	// ByService returns the checkers of a service, or of all together if it is empty.
	ByService(service string) []checkers.Stats
	// Unknown tells who asks for names that nobody knew.
	Unknown() []checkers.Unknown
}
