package frontend

import (
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/registry"
)

// Checkers remember who was given answers. Their methods may be called by any
// number of goroutines at once.
type Checkers interface {
	Note(q checkers.Question, c checkers.Checker, at time.Duration)
	Watch(c checkers.Checker) *checkers.Watch
}

// Record records that the checker was given the answer about the name.
func Record(to Checkers, c checkers.Checker, name []byte, a *registry.Answer) {
	to.Note(Question(name, a), c, time.Duration(a.At()))
}

// Question is what the answer about the name was given to: a question about a
// service, whichever of its aspects was named.
func Question(name []byte, a *registry.Answer) checkers.Question {
	service, known := a.Service()
	return checkers.Question{Name: name, Service: service, Known: known}
}
