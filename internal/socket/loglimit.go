package socket

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"
)

const (
	// linesPerService is how many lines a minute are logged about one service of
	// one user: some restarts of each of its processes.
	linesPerService = 30
	// linesPerUser is how many are logged about all services of one user.
	linesPerUser = 1000
)

// LogLimit bounds what one user can make landmarkd log, so that a program that
// connects in a loop does not flood the log. Each minute the log says how many
// lines were left out.
type LogLimit struct {
	logger *slog.Logger

	mu      sync.Mutex // guards what follows
	windows map[logKey]*logWindow
	swept   time.Time // when windows that are over were last removed
}

// logKey is what lines are counted for.
type logKey struct {
	uid     uint32
	service string // "" = all of the user's
}

// logWindow is the minute that began with a line.
type logWindow struct {
	began      time.Time
	logged     int
	suppressed int
}

func (w *logWindow) expired(now time.Time) bool {
	return now.Sub(w.began) >= logInterval && w.suppressed == 0
}

// NewLogLimit returns a limit whose own lines go to the logger.
func NewLogLimit(logger *slog.Logger) *LogLimit {
	return &LogLimit{logger: logger, windows: make(map[logKey]*logWindow)}
}

// Logger returns the logger for lines about the user's service. It leaves out
// what is beyond the limit.
func (l *LogLimit) Logger(logger *slog.Logger, uid uint32, service string) *slog.Logger {
	return slog.New(limitedHandler{logger.Handler(), l, uid, service})
}

// limitedHandler asks the limit about each line.
type limitedHandler struct {
	slog.Handler
	limit   *LogLimit
	uid     uint32
	service string
}

func (h limitedHandler) Handle(ctx context.Context, r slog.Record) error {
	if !h.limit.allow(h.uid, h.service, time.Now()) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h limitedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

func (h limitedHandler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}

// allow reports whether a line may be logged, and counts it.
func (l *LogLimit) allow(uid uint32, service string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) >= logInterval {
		maps.DeleteFunc(l.windows, func(_ logKey, w *logWindow) bool { return w.expired(now) })
		l.swept = now
	}
	// A user beyond the limit gets no further windows, so names cost no memory.
	user := l.window(logKey{uid: uid}, now)
	if user.logged >= linesPerUser {
		l.suppress(logKey{uid: uid}, user)
		return false
	}
	of := l.window(logKey{uid, service}, now)
	if of.logged >= linesPerService {
		l.suppress(logKey{uid, service}, of)
		return false
	}
	user.logged++
	of.logged++
	return true
}

func (l *LogLimit) window(s logKey, now time.Time) *logWindow {
	w := l.windows[s]
	if w == nil || w.expired(now) {
		w = &logWindow{began: now}
		l.windows[s] = w
	}
	return w
}

// suppress counts a line that is not logged. The first of a window has the count
// logged at the window's end.
func (l *LogLimit) suppress(s logKey, w *logWindow) {
	if w.suppressed++; w.suppressed == 1 {
		time.AfterFunc(time.Until(w.began.Add(logInterval)), func() { l.flush(s) })
	}
}

func (l *LogLimit) flush(s logKey) {
	l.mu.Lock()
	n := l.windows[s].suppressed
	delete(l.windows, s)
	l.mu.Unlock()
	logger := l.logger.With("uid", s.uid)
	if s.service != "" {
		logger = logger.With("service", s.service)
	}
	logger.Warn("log lines were left out, because there were too many in a minute", "lines", n)
}
