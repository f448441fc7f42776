package recorder

import (
	"context"
	"log/slog"

	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// last is what the log last said of a service.
type last struct {
	status judge.Status // of readiness
	since  judge.Instant
}

// Changed implements registry.ServiceRecorder.
func (s *service) Changed(c registry.Change, uid uint32, at judge.Instant) {
	if s.recorder.journal != nil {
		s.write(journal.Line{Type: journal.TypeVerdict, At: at, Verdict: changeOf(c)})
	}
	s.log(c, uid, at)
}

// log logs the change as one line. What takes a service out without an order is a warning.
func (s *service) log(c registry.Change, uid uint32, at judge.Instant) {
	readiness, liveness := c.Verdicts[judge.Readiness], c.Verdicts[judge.Liveness]
	attrs := []slog.Attr{slog.String("service", s.name), slog.String("status", readiness.Status.String())}
	reason := readiness.Reason
	if readiness.Cause != judge.None {
		attrs = append(attrs, slog.String("cause", readiness.Cause.String()))
	}
	if liveness.Status != readiness.Status {
		attrs = append(attrs, slog.String("liveness", liveness.Status.String()))
	}
	if reason == "" {
		reason = liveness.Reason
	}
	if reason != "" {
		attrs = append(attrs, slog.String("reason", reason))
	}
	before := s.last
	if before != nil && before.status == readiness.Status {
		s.logger(uid).LogAttrs(context.Background(), slog.LevelInfo, "verdict changed", attrs...)
		return
	}
	level := slog.LevelInfo
	if before != nil {
		attrs = append(attrs, slog.String("after", duration.Format(at.Sub(before.since))))
		if readiness.Status == judge.NotServing && readiness.Cause != judge.Draining && readiness.Cause != judge.Stopped {
			level = slog.LevelWarn
		}
	}
	s.last = &last{readiness.Status, at}
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
			Name: r.Name, Kind: journal.Kind(r.Kind), Impact: journal.Impact(r.Impact), State: journal.State(r.State),
			Age: r.Age, Limit: limitOf(r.Landmark), Value: journal.Number(r.Value), Reason: r.Landmark.Reason,
		})
	}
	return j
}
