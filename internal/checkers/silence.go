package checkers

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// rest is the least time between one look at all checkers and the next, and
	// lookAgain the most while somebody asks steadily.
	rest      = time.Second
	lookAgain = leastQuiet
	// late is how much later than it was to a look may be for the sidecar to
	// have heard all who asked: if it was stopped, or starved, they did.
	late = time.Second
	// maxLines is how many checkers the log is told of in a minute, one by one.
	maxLines = 20
	// never is later than any instant.
	never = time.Duration(math.MaxInt64)
)

// Run tells the log of each steady checker that falls silent, once, and of each
// that is back, until ctx is done. It costs nothing while nobody asks steadily.
func (m *Tracker) Run(ctx context.Context) error {
	due, lines := never, lines{logger: m.logger}
	for m.await(ctx, due) {
		now := m.now()
		if due != never && now-due > late {
			m.awake.Store(int64(now))
		}
		events, next := m.look(now)
		lines.tell(events, now)
		if due = never; next != never {
			due = min(max(next, now+rest), now+lookAgain)
		}
		if len(events) > 0 || due != never {
			pause(ctx, rest)
		}
	}
	return nil
}

// await waits until the instant due, or for news, and reports whether ctx is
// not done.
func (m *Tracker) await(ctx context.Context, due time.Duration) bool {
	var fires <-chan time.Time
	if due != never {
		timer := time.NewTimer(due - m.now())
		defer timer.Stop()
		fires = timer.C
	}
	select {
	case <-fires:
	case <-m.news:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// wake has Run look at all checkers.
func (m *Tracker) wake() {
	select {
	case m.news <- struct{}{}:
	default:
	}
}

// event is that a checker of a service fell silent, or is back.
type event struct {
	service string
	checker Checker
	back    bool
	silent  time.Duration // for how long
	usual   float64       // questions a second before; 0 if it watched
}

// look returns what has happened since the last look, in the order of the
// services' names, and when the next checker falls silent if it does not ask.
func (m *Tracker) look(now time.Duration) (events []event, next time.Duration) {
	next = never
	for service, l := range *m.services.Load() {
		happened, due := l.look(now, time.Duration(m.awake.Load()))
		for _, e := range happened {
			e.service = service
			events = append(events, e)
		}
		next = min(next, due)
	}
	slices.SortStableFunc(events, func(a, b event) int { return strings.Compare(a.service, b.service) })
	return events, next
}

func (l *list) look(now, awake time.Duration) (events []event, next time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next = never
	for i := range l.entries {
		e := &l.entries[i]
		if e.away > 0 {
			events = append(events, event{checker: e.checker, back: true, silent: e.away})
			e.away = 0
		}
		switch {
		case !e.steady || e.watching > 0 || e.missed:
		case e.silent(now, awake):
			events = append(events, event{checker: e.checker, silent: now - e.last, usual: e.usual()})
			e.missed = true
		default:
			next = min(next, max(e.last, awake)+e.patience()+1)
		}
	}
	return events, next
}

// lines tells the log of events, and once a minute that they are too many.
type lines struct {
	logger *slog.Logger
	minute time.Duration // when it began
	told   int           // in it, one by one
	full   bool          // it was told in it that there are more
}

func (l *lines) tell(events []event, now time.Duration) {
	if now-l.minute >= time.Minute {
		l.minute, l.told, l.full = now, 0, false
	}
	room := min(len(events), maxLines-l.told)
	l.told += room
	for _, e := range events[:room] {
		e.log(l.logger)
	}
	if more := len(events) - room; more > 0 && !l.full {
		l.full = true
		l.logger.Warn("more checkers fell silent or are back than are told in a minute: landmark status tells which", "checkers", more)
	}
}

func (e event) log(logger *slog.Logger) {
	who := []any{"service", e.service, "checker", e.checker.Address(), "by", string(e.checker.Via), "silent_for", e.silent.Round(100 * time.Millisecond)}
	if e.back {
		logger.Info("a checker is back", who...)
		return
	}
	if e.usual > 0 {
		who = append(who, "asked_per_second", strconv.FormatFloat(e.usual, 'g', 2, 64))
	}
	logger.Warn("a checker has fallen silent", who...)
}
