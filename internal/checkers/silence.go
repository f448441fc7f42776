package checkers

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
)

const (
	// minPause is the shortest time between two runs of findEvents, and maxPause
	// the longest while a checker is steady.
	minPause = time.Second
	maxPause = minSilence
	// maxDelay is how late a timer may fire before Run assumes that the sidecar
	// was stopped or starved. Checks were missed then.
	maxDelay = time.Second
	// maxLines is how many events are logged in a minute.
	maxLines = 20
	// never is later than any time.
	never = time.Duration(math.MaxInt64)
)

// Run logs each steady checker that falls silent, once, and each that is back,
// until ctx is done. It uses no CPU while no checker is steady.
func (t *Tracker) Run(ctx context.Context) error {
	due, log := never, eventLog{logger: t.logger}
	for t.waitUntil(ctx, due) {
		now := t.now()
		if due != never && now-due > maxDelay {
			t.awakeSince.Store(int64(now))
		}
		events, next := t.findEvents(now)
		log.write(events, now)
		if due = never; next != never {
			due = min(max(next, now+minPause), now+maxPause)
		}
		if len(events) > 0 || due != never {
			sleep.For(ctx, minPause)
		}
	}
	return nil
}

// waitUntil waits until the time due or a wakeup, and reports whether ctx is not
// done.
func (t *Tracker) waitUntil(ctx context.Context, due time.Duration) bool {
	var fires <-chan time.Time
	if due != never {
		timer := time.NewTimer(due - t.now())
		defer timer.Stop()
		fires = timer.C
	}
	select {
	case <-fires:
	case <-t.wakeups:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// wake makes Run look for events.
func (t *Tracker) wake() {
	select {
	case t.wakeups <- struct{}{}:
	default:
	}
}

// event is that a checker of a service fell silent, or is back.
type event struct {
	service   string
	checker   Checker
	back      bool
	silentFor time.Duration
	usualRate float64 // checks per second before the silence; 0 if the checker watched
}

// findEvents returns what has happened since its last call, sorted by service,
// and when the next checker falls silent if it does not check again.
func (t *Tracker) findEvents(now time.Duration) (events []event, next time.Duration) {
	next = never
	for service, l := range *t.services.Load() {
		found, due := l.findEvents(now, time.Duration(t.awakeSince.Load()))
		for _, e := range found {
			e.service = service
			events = append(events, e)
		}
		next = min(next, due)
	}
	slices.SortStableFunc(events, func(a, b event) int { return strings.Compare(a.service, b.service) })
	return events, next
}

func (l *list) findEvents(now, awakeSince time.Duration) (events []event, next time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next = never
	for i := range l.entries {
		e := &l.entries[i]
		if e.wasSilentFor > 0 {
			events = append(events, event{checker: e.checker, back: true, silentFor: e.wasSilentFor})
			e.wasSilentFor = 0
		}
		seenSince := l.seenSince(e, now, awakeSince)
		switch {
		case !e.steady || e.watching > 0 || e.reportedSilent:
		case e.silent(now, seenSince):
			events = append(events, event{checker: e.checker, silentFor: now - e.last, usualRate: e.usualRate()})
			e.reportedSilent = true
		default:
			next = min(next, max(e.last, seenSince)+e.silentAfter()+1)
		}
	}
	return events, next
}

// eventLog logs events, and once a minute that there are too many.
type eventLog struct {
	logger *slog.Logger
	minute time.Duration // when the current minute began
	logged int           // events in this minute
	full   bool          // it has logged in this minute that there are more
}

func (l *eventLog) write(events []event, now time.Duration) {
	if now-l.minute >= time.Minute {
		l.minute, l.logged, l.full = now, 0, false
	}
	n := min(len(events), maxLines-l.logged)
	l.logged += n
	for _, e := range events[:n] {
		e.log(l.logger)
	}
	if more := len(events) - n; more > 0 && !l.full {
		l.full = true
		l.logger.Warn("more checkers fell silent or are back than are logged in a minute: run landmark status to see them", "checkers", more)
	}
}

func (e event) log(logger *slog.Logger) {
	args := []any{"service", e.service, "checker", e.checker.Address(), "by", string(e.checker.Via), "silent_for", e.silentFor.Round(100 * time.Millisecond)}
	if e.back {
		logger.Info("a checker is back", args...)
		return
	}
	if e.usualRate > 0 {
		args = append(args, "checks_per_second", strconv.FormatFloat(e.usualRate, 'g', 2, 64))
	}
	logger.Warn("a checker has fallen silent", args...)
}
