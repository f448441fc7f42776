package statusmsg

import (
	"strings"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// Source gives the answers. Its methods are safe for concurrent use.
type Source interface {
	frontend.Source
	// Names returns the sorted names of the known services.
	Names() []string
	// Status returns the status of a service, and whether it is known.
	Status(name string) (registry.ServiceStatus, bool)
	// History returns the last changes of a service, the oldest first, and
	// whether it is known.
	History(name string) ([]registry.Change, bool)
}

// CheckerSource returns the checkers that the front ends recorded. Its methods are safe
// for concurrent use.
type CheckerSource interface {
	// ByService returns the checkers of a service, or of all services together if
	// it is empty.
	ByService(service string) []checkers.Stats
	// Unknown returns the checkers of names that were unknown.
	Unknown() []checkers.Unknown
	// BFDSessions returns the BFD sessions, in the order in which they are shown.
	BFDSessions() []checkers.BFDStats
	// Gate returns the gate of a service, and whether it has one.
	Gate(service string) (checkers.GateStats, bool)
}

// Checkers are the checkers at one time. NewCheckers makes it.
type Checkers struct {
	source   Source
	recorded CheckerSource
	sessions map[target][]*statusv1.BFDSession
}

// target is what a name means.
type target struct {
	service string // "" for all services together
	known   bool
}

// NewCheckers returns the present checkers of the source's services.
func NewCheckers(source Source, recorded CheckerSource) *Checkers {
	c := &Checkers{source: source, recorded: recorded, sessions: make(map[target][]*statusv1.BFDSession)}
	for _, b := range recorded.BFDSessions() {
		a, _ := source.Lookup([]byte(b.Name), registry.AnyAge)
		var to target
		to.service, to.known = a.Service()
		c.sessions[to] = append(c.sessions[to], bfdSession(b))
	}
	return c
}

// AddTo adds to the message the checkers, BFD sessions and gate of its service.
func (c *Checkers) AddTo(s *statusv1.Service) {
	s.BfdSessions = c.sessions[target{s.Name, true}]
	s.Checkers = translateCheckers(c.recorded.ByService(s.Name))
	if g, ok := c.recorded.Gate(s.Name); ok {
		s.Gate = gate(g)
	}
}

// Others returns the checkers and BFD sessions of all services together and of
// unknown names. It omits the names that became known since.
func (c *Checkers) Others() *statusv1.CheckersResponse {
	r := &statusv1.CheckersResponse{All: translateCheckers(c.recorded.ByService(""))}
	r.BfdSessions = append(c.sessions[target{known: true}], c.sessions[target{}]...)
	for _, u := range c.recorded.Unknown() {
		if a, _ := c.source.Lookup([]byte(u.Name), 0); a.Status != judge.ServiceUnknown {
			continue
		}
		r.Unknown = append(r.Unknown, &statusv1.UnknownName{
			Name:    strings.ToValidUTF8(u.Name, "\uFFFD"), // recorded as the checker sent it
			Checker: checker(u.Stats),
		})
	}
	return r
}
