package page

import (
	"math"
	"slices"
	"strconv"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// band is the past of a service: since when it had each class, the oldest first.
type band []segment

type segment struct {
	since   int64
	class   class
	earlier bool // an earlier sidecar has seen it
}

// maxSegments is how many segments of a band are kept.
const maxSegments = registry.MaxChanges + 256

// update reads the service's past, and returns what is new.
func (b *band) update(s *Server, name string) band {
	var fresh band
	last := int64(math.MinInt64)
	if n := len(*b); n > 0 {
		last = (*b)[n-1].since
	} else {
		fresh = s.earlierBand(name)
	}
	changes, _ := s.config.Source.History(name)
	for _, c := range changes {
		// Another reading of a known change may differ by a millisecond.
		if g := s.segmentOf(c, false); len(*b) == 0 || g.since > last+2 {
			fresh = append(fresh, g)
		}
	}
	*b = append(*b, fresh...)
	if old := len(*b) - maxSegments; old > 0 {
		*b = slices.Delete(*b, 0, old)
	}
	return fresh
}

// earlierBand returns what earlier sidecars have seen.
func (s *Server) earlierBand(name string) (b band) {
	for _, c := range s.config.Earlier(name) {
		b = append(b, s.segmentOf(c, true))
	}
	return b
}

func (s *Server) segmentOf(c registry.Change, earlier bool) segment {
	v := c.Verdicts[judge.Readiness]
	return segment{s.elapsed() - c.Age.Milliseconds(), classOf(v.Status, v.Cause, v.Weight), earlier}
}

// append appends the band in JSON: [[since,class],…], with a third number where an earlier
// sidecar has seen it.
func (b band) append(to []byte) []byte {
	to = append(to, '[')
	for i, s := range b {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(to, '[')
		to = strconv.AppendInt(to, s.since, 10)
		to = append(to, ',')
		to = strconv.AppendInt(to, int64(s.class), 10)
		if s.earlier {
			to = append(to, ",1"...)
		}
		to = append(to, ']')
	}
	return append(to, ']')
}
