package bfd

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/bfd"
)

// rejection is why a packet is discarded.
type rejection int

const (
	fromAfar           rejection = iota // its hop limit is not 255
	unknownPeer                         // no session is configured for its addresses
	malformed                           // it breaks the protocol's rules
	otherDiscriminator                  // it is for another session of its peer
	unauthenticated                     // it is not authenticated as the session's key_file says

	rejectionKinds = iota
)

// rejectionNames are the reasons in the log.
var rejectionNames = [rejectionKinds]string{
	"hop_limit_below_255", "unknown_peer", "malformed", "other_discriminator", "unauthenticated",
}

// rejections counts discarded packets by reason.
type rejections [rejectionKinds]atomic.Uint64

func (r *rejections) count(reason rejection) { r[reason].Add(1) }

// countError counts a packet that was discarded with err.
func (r *rejections) countError(err error) {
	switch {
	case errors.Is(err, bfd.ErrDiscriminator):
		r.count(otherDiscriminator)
	case errors.Is(err, bfd.ErrAuthentication):
		r.count(unauthenticated)
	default:
		r.count(malformed)
	}
}

// log logs new rejections once a minute, until ctx is done. A flood of packets so
// cannot flood the log.
func (r *rejections) log(ctx context.Context, logger *slog.Logger) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	var logged [rejectionKinds]uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for reason := range r {
			if n := r[reason].Load(); n > logged[reason] {
				logger.Warn("BFD packets discarded", "why", rejectionNames[reason], "in_last_minute", n-logged[reason], "total", n)
				logged[reason] = n
			}
		}
	}
}
