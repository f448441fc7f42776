package bfd

import (
	"errors"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/internal/frontend"
)

// rejection is why a packet is discarded.
type rejection int

const (
	fromAfar           rejection = iota // its hop limit is not 255
	unknownPeer                         // no session is configured for its addresses
	malformed                           // it breaks the protocol's rules
	otherDiscriminator                  // it is for another session of its peer
	unauthenticated                     // it is not authenticated as the session's key_file says
)

// rejections counts discarded packets by reason.
type rejections struct {
	frontend.Rejections[rejection]
}

// newRejections returns rejections whose names are those in the log and the metrics.
func newRejections() rejections {
	return rejections{frontend.NewRejections[rejection](
		"hop_limit_below_255", "unknown_peer", "malformed", "other_discriminator", "unauthenticated",
	)}
}

// countError counts a packet that was discarded with err.
func (r *rejections) countError(err error) {
	switch {
	case errors.Is(err, bfd.ErrDiscriminator):
		r.Count(otherDiscriminator)
	case errors.Is(err, bfd.ErrAuthentication):
		r.Count(unauthenticated)
	default:
		r.Count(malformed)
	}
}
