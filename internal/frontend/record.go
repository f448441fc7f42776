package frontend

import (
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/registry"
)

// Checkers remember who was given answers. Their methods may be called by any
// number of goroutines at once.
type Checkers interface {
	Record(q checkers.Check, c checkers.Checker, at time.Duration)
	Watch(c checkers.Checker) *checkers.Watch
}

// Record records that the checker was given the answer about the name.
func Record(to Checkers, c checkers.Checker, name []byte, a *registry.Answer) {
	to.Record(CheckOf(name, a), c, time.Duration(a.At()))
}

// CheckOf is what the answer about the name was given to: a question about a
// service, whichever of its aspects was named.
func CheckOf(name []byte, a *registry.Answer) checkers.Check {
	service, known := a.Service()
	return checkers.Check{Name: name, Service: service, Known: known}
}
