package lmp

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

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
	failedToReceive                     // the kernel returned an error instead of a datagram

	rejectionKinds = iota
)

// rejectionNames are the reasons in the log.
var rejectionNames = [rejectionKinds]string{
	"malformed", "unauthenticated", "watch_over_udp", "broadcast_or_multicast",
	"too_many_connections", "unfinished", "overloaded", "no_room", "failed_to_receive",
}

// rejections counts rejections by reason.
type rejections [rejectionKinds]atomic.Uint64

func (r *rejections) count(reason rejection) { r[reason].Add(1) }

// add counts n rejections.
func (r *rejections) add(reason rejection, n int) {
	if n > 0 {
		r[reason].Add(uint64(n))
	}
}

// countError counts a request that the codec or the source rejected with err. Any other
// end of a request is its client's, or the server stops.
func (r *rejections) countError(err error) {
	switch {
	case errors.Is(err, lmp.ErrUnauthenticated):
		r.count(unauthenticated)
	case errors.Is(err, lmp.ErrMalformed):
		r.count(malformed)
	case errors.Is(err, registry.ErrOverloaded):
		r.count(overloaded)
	}
}

// log logs new rejections once a minute, until ctx is done. So an operator
// can find the cause, and a client that sends many bad requests cannot flood the log.
func (r *rejections) log(ctx context.Context, logger *slog.Logger) error {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	var logged [rejectionKinds]uint64
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		for reason := range r {
			if n := r[reason].Load(); n > logged[reason] {
				logger.Warn("monitoring requests refused", "why", rejectionNames[reason], "in_last_minute", n-logged[reason], "total", n)
				logged[reason] = n
			}
		}
	}
}
