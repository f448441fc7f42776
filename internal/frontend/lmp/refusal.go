package lmp

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// refusal is why a request got no answer.
type refusal int

const (
	malformed       refusal = iota // it breaks the protocol's rules
	unauthenticated                // it is not signed with one of the server's keys
	watchOverUDP                   // a WATCH needs TCP
	notOurAddress                  // it was sent to a broadcast or multicast address
	crowded                        // too many connections
	unfinished                     // a frame took too long to come

	refusalKinds = iota
)

var refusalNames = [refusalKinds]string{
	"malformed", "unauthenticated", "watch_over_udp", "broadcast_or_multicast",
	"too_many_connections", "unfinished",
}

// refusals counts the requests that got no answer, by why.
type refusals [refusalKinds]atomic.Uint64

func (r *refusals) count(why refusal) { r[why].Add(1) }

// countError counts a request for what the codec said of it.
func (r *refusals) countError(err error) {
	if errors.Is(err, lmp.ErrUnauthenticated) {
		r.count(unauthenticated)
		return
	}
	r.count(malformed)
}

// log tells of new refusals once a minute, so that whoever sends nonsense can
// be found and cannot flood the log.
func (r *refusals) log(ctx context.Context, logger *slog.Logger) error {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	var told [refusalKinds]uint64
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		for why := range r {
			if n := r[why].Load(); n > told[why] {
				logger.Warn("monitoring requests refused", "why", refusalNames[why], "in_last_minute", n-told[why], "total", n)
				told[why] = n
			}
		}
	}
}
