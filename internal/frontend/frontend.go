// Package frontend is what the front ends share: the source of their answers,
// and the record of the checkers that received one. It knows no front end.
package frontend

import (
	"context"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/registry"
)

// Source gives the answers: outside tests, it is the registry. Its methods are safe
// for concurrent use.
type Source interface {
	// Lookup answers from memory, and reports whether that answer is final.
	Lookup(name []byte, maxAge time.Duration) (a registry.Answer, final bool)
	// Await waits for the final answer. It returns ctx's error, or
	// registry.ErrOverloaded.
	Await(ctx context.Context, name []byte, maxAge time.Duration) (registry.Answer, error)
	// Subscribe subscribes to the changes of the answer.
	Subscribe(name []byte) *registry.Subscription
	// SubscribeFunc is Subscribe for a front end without a goroutine to wait in. It calls
	// changed with locks held.
	SubscribeFunc(name []byte, changed func()) *registry.Subscription
}

// Checkers records the checkers that received answers. Its methods are safe for
// concurrent use.
type Checkers interface {
	Record(q checkers.Check, c checkers.Checker, at time.Duration)
	RecordAll(q checkers.Check, c checkers.Checker, n int, at time.Duration)
	Watch(c checkers.Checker) *checkers.Watch
}

// RecordChecker records that c received the answer a about the name. Front ends call
// it once for each check that they answer. It allocates nothing unless c is new.
func RecordChecker(to Checkers, c checkers.Checker, name []byte, a *registry.Answer) {
	RecordChecks(to, c, name, 1, a)
}

// RecordChecks is RecordChecker for n checks, at least one, that a answers.
func RecordChecks(to Checkers, c checkers.Checker, name []byte, n int, a *registry.Answer) {
	// The answer's own time saves reading the clock again.
	to.RecordAll(CheckOf(name, a), c, n, time.Duration(a.At()))
}

// CheckOf returns the check that a answers. Its Service is the same for each aspect
// of a service.
func CheckOf(name []byte, a *registry.Answer) checkers.Check {
	service, known := a.Service()
	return checkers.Check{Name: name, Service: service, Known: known}
}
