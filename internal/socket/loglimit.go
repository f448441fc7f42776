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
	// one user: enough for some restarts of each of its processes.
	linesPerService = 30
	// linesPerUser is how many lines a minute are logged about all services of one
	// user.
	linesPerUser = 1000
)

// LogLimit bounds how much one user can make landmarkd log, so that a program that
// connects in a loop does not flood the log. Each minute it logs how many lines it
// suppressed. Its methods are safe for concurrent use.
type LogLimit struct {
	logger *slog.Logger

	mu      sync.Mutex // guards what follows
	windows map[logKey]*logWindow
	swept   time.Time // when expired windows were last removed
}

// logKey is the subject for which lines are counted.
type logKey struct {
	uid     uint32
	service string // "" = all services of the user
}

// logWindow counts the lines of one minute, which begins with the first line.
type logWindow struct {
	began      time.Time
	logged     int
	suppressed int
}

func (w *logWindow) expired(now time.Time) bool {
	return now.Sub(w.began) >= logInterval && w.suppressed == 0
}

// NewLogLimit returns a limit that logs its own lines to the logger.
func NewLogLimit(logger *slog.Logger) *LogLimit {
	return &LogLimit{logger: logger, windows: make(map[logKey]*logWindow)}
}

// Logger returns a logger for lines about the user's service, which drops lines
// beyond the limit. The service must not be empty.
func (l *LogLimit) Logger(logger *slog.Logger, uid uint32, service string) *slog.Logger {
	return slog.New(limitedHandler{logger.Handler(), l, uid, service})
}

// limitedHandler drops the lines that the limit does not allow.
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
	// A user beyond the limit gets no new windows, so that names use no memory.
	user := l.window(logKey{uid: uid}, now)
	if user.logged >= linesPerUser {
		l.suppress(logKey{uid: uid}, user)
		return false
	}
	one := l.window(logKey{uid, service}, now)
	if one.logged >= linesPerService {
		l.suppress(logKey{uid, service}, one)
		return false
	}
	user.logged++
	one.logged++
	return true
}

// window returns the current window of the subject.
func (l *LogLimit) window(s logKey, now time.Time) *logWindow {
	w := l.windows[s]
	if w == nil || w.expired(now) {
		w = &logWindow{began: now}
		l.windows[s] = w
	}
	return w
}

// suppress counts a line that is not logged. The first such line of a window
// schedules the line that reports their number.
func (l *LogLimit) suppress(s logKey, w *logWindow) {
	if w.suppressed++; w.suppressed == 1 {
		time.AfterFunc(time.Until(w.began.Add(logInterval)), func() { l.flush(s) })
	}
}

// flush ends the window, and logs how many lines it suppressed.
func (l *LogLimit) flush(s logKey) {
	l.mu.Lock()
	n := l.windows[s].suppressed
	delete(l.windows, s)
	l.mu.Unlock()
	logger := l.logger.With("uid", s.uid)
	if s.service != "" {
		logger = logger.With("service", s.service)
	}
	logger.Warn("log lines suppressed: too many in a minute", "lines", n)
}
