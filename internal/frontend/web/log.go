package web

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// logInterval is the shortest time between two lines.
const logInterval = time.Minute

// logLimit is a handler for what clients cause, such as failed handshakes. It logs
// warnings and errors only, and at most one a minute, so that no client floods the log.
type logLimit struct {
	slog.Handler
	state *logState // shared with the handlers of WithAttrs
}

type logState struct {
	mu      sync.Mutex // guards what follows
	last    time.Time
	dropped int // lines since
}

func newLogLimit(h slog.Handler) logLimit { return logLimit{h, new(logState)} }

// Enabled implements slog.Handler.
func (l logLimit) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && l.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (l logLimit) Handle(ctx context.Context, r slog.Record) error {
	dropped, ok := l.state.allow(r.Time)
	if !ok {
		return nil
	}
	line := slog.NewRecord(r.Time, r.Level, "HTTP requests or connections failed", r.PC)
	line.AddAttrs(slog.String("last", r.Message))
	r.Attrs(func(a slog.Attr) bool { line.AddAttrs(a); return true })
	if dropped > 0 {
		line.AddAttrs(slog.Int("others_since_last_line", dropped))
	}
	return l.Handler.Handle(ctx, line)
}

// allow reports whether a line may be logged now, and how many were dropped before it.
func (s *logState) allow(now time.Time) (dropped int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) < logInterval {
		s.dropped++
		return 0, false
	}
	dropped, s.dropped, s.last = s.dropped, 0, now
	return dropped, true
}

// WithAttrs implements slog.Handler.
func (l logLimit) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logLimit{l.Handler.WithAttrs(attrs), l.state}
}

// WithGroup implements slog.Handler.
func (l logLimit) WithGroup(name string) slog.Handler {
	return logLimit{l.Handler.WithGroup(name), l.state}
}
