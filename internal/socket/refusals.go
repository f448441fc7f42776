package socket

import (
	"log/slog"
	"maps"
	"sync"
	"time"
)

// logInterval is how long nothing more is said of a client that was refused.
const logInterval = time.Minute

// Refusals tells the log of refused connections, once a minute at most for
// each client, however often one tries.
type Refusals struct {
	logger     *slog.Logger
	mu         sync.Mutex           // guards what follows
	lastLogged map[string]time.Time // when each client was last told of
	swept      time.Time            // when told was last rid of what is too old to matter
}

// NewRefusals returns Refusals that tell the logger.
func NewRefusals(logger *slog.Logger) *Refusals {
	return &Refusals{logger: logger, lastLogged: make(map[string]time.Time)}
}

// Log tells that a connection of the client was refused, because there are as
// many as the limit. It may be called by any number of goroutines.
func (r *Refusals) Log(client string, limit int) {
	if r.due(client, time.Now()) {
		r.logger.Warn("connections refused, more than may be open", "of", client, "limit", limit)
	}
}

// logFailure tells that no connection of the listener can be accepted.
func (r *Refusals) logFailure(listener string, err error) {
	if r.due("accept "+listener, time.Now()) {
		r.logger.Error("connections cannot be accepted; trying again", "of", listener, "err", err)
	}
}

// due reports whether the client is to be told of, and takes it as told.
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
