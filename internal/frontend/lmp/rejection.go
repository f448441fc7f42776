package lmp

import (
	"errors"

	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// rejection is why a request or a connection gets no answer.
type rejection int

const (
	malformed          rejection = iota // the frame breaks the protocol's rules
	unauthenticated                     // the frame is not signed with one of the server's keys
	watchOverUDP                        // a WATCH needs TCP
	groupAddress                        // the datagram was sent to a broadcast or multicast address
	tooManyConnections                  // or too many large frames at once
	unfinished                          // the frame did not arrive in time
	overloaded                          // too many wait already, and memory may be wrong
	noRoom                              // the socket had no room for the answer
	held                                // landmarkd was stopped before it sent the answer, which is too old: see maxHeld
	failedToReceive                     // the kernel returned an error instead of a datagram
)

// rejections counts rejections by reason.
type rejections struct {
	frontend.Rejections[rejection]
}

// newRejections returns rejections whose names are those in the log and the metrics.
func newRejections() rejections {
	return rejections{frontend.NewRejections[rejection](
		"malformed", "unauthenticated", "watch_over_udp", "broadcast_or_multicast",
		"too_many_connections", "unfinished", "overloaded", "no_room", "held", "failed_to_receive",
	)}
}

// countError counts a request that the codec or the source rejected with err. Any other
// end of a request is its client's, or the server stops.
func (r *rejections) countError(err error) {
	switch {
	case errors.Is(err, lmp.ErrUnauthenticated):
		r.Count(unauthenticated)
	case errors.Is(err, lmp.ErrMalformed):
		r.Count(malformed)
	case errors.Is(err, registry.ErrOverloaded):
		r.Count(overloaded)
	}
}
