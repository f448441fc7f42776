package recorder

import (
	"context"
	"log/slog"
	"time"

	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// logged is what the log last said of a service.
type logged struct {
	status  judge.Status // of readiness
	since   judge.Instant
	startup judge.Status
}

// Changed implements registry.ServiceRecorder.
func (s *service) Changed(c registry.Change, uid uint32, at judge.Instant) {
	s.setOwner(uid)
	s.write(journal.Line{Type: journal.TypeVerdict, At: at, Verdict: changeOf(c)})
	s.log(c, uid, at)
}

// log logs the change as one line. What takes a service out without an order is a warning.
func (s *service) log(c registry.Change, uid uint32, at judge.Instant) {
	readiness, liveness, startup := c.Verdicts[judge.Readiness], c.Verdicts[judge.Liveness], c.Verdicts[judge.Startup]
	before := s.logged
	attrs := []slog.Attr{slog.String("service", s.name), slog.String("status", readiness.Status.String())}
	reason := readiness.Reason
	if readiness.Cause != judge.None {
		attrs = append(attrs, slog.String("cause", readiness.Cause.String()))
	}
	if liveness.Status != readiness.Status {
		attrs = append(attrs, slog.String("liveness", liveness.Status.String()))
	}
	if before != nil && startup.Status != before.startup {
		attrs = append(attrs, slog.String("startup", startup.Status.String()))
	}
	if reason == "" {
		reason = liveness.Reason
	}
	if reason != "" {
		attrs = append(attrs, slog.String("reason", reason))
	}
	level, since := slog.LevelInfo, at
	switch {
	case before == nil:
	case before.status == readiness.Status:
		since = before.since
	default:
		attrs = append(attrs, slog.String("after", duration.Format(at.Sub(before.since))))
		if readiness.Status == judge.NotServing && readiness.Cause != judge.Draining && readiness.Cause != judge.Stopped {
			level = slog.LevelWarn
		}
	}
	s.logged = &logged{readiness.Status, since, startup.Status}
	s.logger(uid).LogAttrs(context.Background(), level, "verdict changed", attrs...)
}

// logger returns the logger of the service, which belongs to the user.
func (s *service) logger(uid uint32) *slog.Logger {
	return s.recorder.logLimit.Logger(s.recorder.logger, uid, s.name)
}

// changeOf returns the change as the journal has it.
func changeOf(c registry.Change) *journal.Change {
	verdict := func(a judge.Aspect) journal.Verdict {
		v := c.Verdicts[a]
		return journal.Verdict{Status: journal.Status(v.Status), Cause: journal.Cause(v.Cause), Weight: v.Weight, Reason: v.Reason}
	}
	j := &journal.Change{Judged: journal.Judged{
		Readiness: verdict(judge.Readiness), Liveness: verdict(judge.Liveness), Startup: verdict(judge.Startup),
	}}
	for _, r := range c.Landmarks {
		j.Landmarks = append(j.Landmarks, journal.LandmarkState{
			Declared: journal.DeclaredOf(r.Declared), State: journal.State(r.State),
			Reached: r.Reached, Age: r.Age, Open: r.Open, Pending: r.Pending, Lag: r.Lag, Value: journal.Number(r.Value),
			Met: r.Met, Unreadable: r.Unreadable, Triggered: r.Triggered, Reason: r.Landmark.Reason,
		})
	}
	return j
}

// Earlier returns the changes of the service that earlier landmarkds have seen in the last
// day, by the journal, the oldest first.
func (r *Recorder) Earlier(service string) (changes []registry.Change) {
	if r.journal == nil {
		return nil
	}
	now := time.Now()
	for _, e := range r.journal.Entries(service, now.Add(-journal.PastAge)) {
		if !e.Own {
			changes = append(changes, fromJournal(e, now))
		}
	}
	return changes
}

// fromJournal returns the change that the journal has. Its age is by the time of day, which
// may have been set since.
func fromJournal(e journal.Entry, now time.Time) registry.Change {
	c := registry.Change{Age: max(0, now.Sub(e.Time))}
	for a, v := range e.Verdicts() {
		c.Verdicts[a] = registry.VerdictSummary{Status: judge.Status(v.Status), Cause: judge.Cause(v.Cause), Weight: v.Weight, Reason: v.Reason}
	}
	for i := range e.Landmarks {
		l := &e.Landmarks[i]
		landmark := &judge.Landmark{
			Declared: new(l.Judge()), Reached: l.Reached, Open: l.Open, Pending: l.Pending, Lag: l.Lag, Value: float64(l.Value),
			Met: l.Met, Unreadable: l.Unreadable, Triggered: l.Triggered, Reason: l.Reason,
		}
		c.Landmarks = append(c.Landmarks, registry.Landmark{LandmarkState: judge.LandmarkState{Landmark: landmark, State: judge.State(l.State)}, Age: l.Age})
	}
	return c
}
