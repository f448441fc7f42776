package sidecar

import (
	"iter"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/metrics"
)

// measureOwn returns what the metrics show of the sidecar itself. The front ends add
// theirs when they are bound.
func (s *Sidecar) measureOwn(c Config) metrics.Own {
	own := metrics.Own{
		Version:    c.Version,
		Answers:    make(map[string]*frontend.Answers),
		Refused:    make(map[string]iter.Seq2[string, uint64]),
		Closed:     s.refusals.Counts,
		Pauses:     s.clock.Pauses,
		Reloads:    s.reloads.get,
		LogDropped: c.LogDropped,
	}
	if s.journal != nil {
		own.Journal = s.journal.Stats
	}
	return own
}

// reloadCounts count the loads of the configuration file.
type reloadCounts struct {
	mu     sync.Mutex
	counts metrics.Reloads // guarded by mu
}

// count counts a load that ended with err.
func (r *reloadCounts) count(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.LastFailed = err != nil
	if err != nil {
		r.counts.Failed++
		return
	}
	r.counts.OK++
	r.counts.LastOK = time.Now()
}

func (r *reloadCounts) get() metrics.Reloads {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}
