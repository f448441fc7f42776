package socket

import (
	"log/slog"
	"maps"
	"sync"
	"time"
)

// logInterval is the shortest time between two lines about the same client.
const logInterval = time.Minute

// Refusals logs refused connections, at most once a minute for each client. Its
// methods are safe for concurrent use.
type Refusals struct {
	logger     *slog.Logger
	mu         sync.Mutex           // guards what follows
	lastLogged map[string]time.Time // by client
	swept      time.Time            // when old entries of lastLogged were last removed
	counts     map[string]uint64    // by kind of client
}

// NewRefusals returns Refusals that log to the logger.
func NewRefusals(logger *slog.Logger) *Refusals {
	return &Refusals{logger: logger, lastLogged: make(map[string]time.Time), counts: make(map[string]uint64)}
}

// Log counts that a connection was refused because limit connections are open, and logs
// it. kind is one of few kinds of clients, such as agents, and client says which of them.
func (r *Refusals) Log(kind, client string, limit int) {
	r.count(kind)
	if r.due(client, time.Now()) {
		r.logger.Warn("connections refused, more than may be open", "of", client, "limit", limit)
	}
}

func (r *Refusals) count(kind string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[kind]++
}

// Counts yields the kinds of clients of which connections were refused, and how many were.
func (r *Refusals) Counts(yield func(kind string, n uint64) bool) {
	r.mu.Lock()
	counts := maps.Clone(r.counts)
	r.mu.Unlock()
	for kind, n := range counts {
		if !yield(kind, n) {
			return
		}
	}
}

// LogFailure logs that the listener cannot accept connections.
func (r *Refusals) LogFailure(listener string, err error) {
	if r.due("accept "+listener, time.Now()) {
		r.logger.Error("connections cannot be accepted; trying again", "of", listener, "err", err)
	}
}

// due reports whether a line about the client may be logged now, and records that
// it is.
func (r *Refusals) due(client string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := func(_ string, at time.Time) bool { return now.Sub(at) >= logInterval }
	if old("", r.swept) {
		maps.DeleteFunc(r.lastLogged, old)
		r.swept = now
	}
	if at, ok := r.lastLogged[client]; ok && !old(client, at) {
		return false
	}
	r.lastLogged[client] = now
	return true
}
