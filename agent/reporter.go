package agent

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/collector"
	"github.com/landmark-health/landmark/internal/hostclock"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// A reporter samples the landmarks, sends the get-state commands, calls the
// functions of the landmarks that have one, and makes the messages, each when it is
// due, with or without a stream. It waits neither for the program nor for the sidecar.
// The fields below requests belong to one goroutine, run.
type reporter struct {
	marks  collector.Set
	logger *slog.Logger
	clock  hostclock.Clock // dates the reports

	manager *managerReport // nil if there is no service manager
	stacks  *stackWatch    // nil if no stacks are captured

	// draining is what the program wants. drainChanged is ready when it changed.
	draining     atomic.Bool
	drainChanged chan struct{}

	calls sync.WaitGroup // of the program's functions; wait for it after run

	// From the goroutines of a stream.
	ready    chan *mailbox        // the stream can send a message
	requests chan getStateRequest // the sidecar requests the state

	landmarks  []landmarkState
	interval   time.Duration // between reports when nothing changes
	sampledAt  uint64        // the latest step, by the clock
	changed    bool          // a landmark has changed since the latest step
	changedAt  time.Time     // the latest step after a change
	nextStep   time.Time
	nextReport time.Time
	reportedAt time.Time // the latest report
	reportDue  bool      // send a report as soon as the stream can
	errLogged  bool      // the set's error was logged

	stream        *mailbox      // the current or latest stream
	idle          bool          // the stream can send a message
	declared      int           // landmarks declared on the stream, -1 = no declaration yet
	stateRequests stateRequests // the requests on the stream
}

// A landmarkState is a landmark and what the reporter knows of it.
type landmarkState struct {
	collector.Landmark
	current  collector.Sample // the latest
	reported collector.Sample // the latest that was reported
	nextCall time.Time        // of SendCommand or CallProgram
}

// A mailbox takes one message at a time from the reporter to a stream.
type mailbox struct {
	messages chan *reportv1.StreamRequest // holds the one that the stream asked for
}

func newMailbox() *mailbox {
	return &mailbox{messages: make(chan *reportv1.StreamRequest, 1)}
}

// A getStateRequest is a GetState that arrived on a stream.
type getStateRequest struct {
	stream *mailbox
	number uint64
}

func newReporter(marks *landmark.Set, logger *slog.Logger) *reporter {
	return &reporter{
		marks:        collector.Of(marks),
		logger:       logger,
		interval:     reportInterval(nil),
		drainChanged: make(chan struct{}, 1),
		ready:        make(chan *mailbox),
		requests:     make(chan getStateRequest),
	}
}

// setDraining records whether the program drains, which is reported at once. It
// may be called on any goroutine, and never blocks.
func (r *reporter) setDraining(draining bool) {
	if r.draining.Swap(draining) == draining {
		return
	}
	select {
	case r.drainChanged <- struct{}{}:
	default: // run has not received the previous change yet
	}
}

// run works until ctx is done.
func (r *reporter) run(ctx context.Context) {
	changed, stop := r.marks.Watch()
	defer stop()
	alarm := newAlarm()
	defer alarm.Stop()
	for {
		// Read the clock first. If the process is stopped between the two, a report
		// seems older than it is, never younger.
		sampledAt, now := r.clock.Now(), time.Now()
		if !now.Before(r.nextStep) {
			r.sampledAt = sampledAt
			r.step(ctx, now)
		}
		alarm.set(r.nextStep, now)
		select {
		case <-ctx.Done():
			r.manager.stopping()
			return
		case <-alarm.C:
			alarm.ticked()
			r.stepNow()
		case <-changed:
			r.stepSoon()
		case <-r.drainChanged:
			r.reportDue = true
			r.stepNow()
		case stream := <-r.ready:
			r.setReady(stream)
		case q := <-r.requests:
			r.request(q)
		case c := <-r.stacks.result():
			r.stacks.take(c)
			r.reportDue = true
			r.stepNow()
		}
	}
}

// step does what is due at the time now. It reports before it sends commands, so
// that a command that a report shows as open has been open for a while.
func (r *reporter) step(ctx context.Context, now time.Time) {
	if r.changed {
		r.changed, r.changedAt = false, now
	}
	r.addLandmarks()
	r.sample(now)
	if r.nextReport.Sub(now) <= slack {
		r.reportDue = true
		r.nextReport = now.Add(r.interval)
	}
	if r.reportDue && r.idle {
		r.sendNext(now)
	}
	r.nextStep = r.nextReport
	if at := r.manager.step(r.landmarks, now); !at.IsZero() && at.Before(r.nextStep) {
		r.nextStep = at
	}
	if at := r.stacks.step(r.landmarks, now, r.calls.Go); !at.IsZero() && at.Before(r.nextStep) {
		r.nextStep = at
	}
	for i := range r.landmarks {
		r.call(ctx, &r.landmarks[i], now)
	}
}

// addLandmarks adds the landmarks that were declared since the previous step.
func (r *reporter) addLandmarks() {
	marks := r.marks.Landmarks()
	if len(marks) > len(r.landmarks) {
		for _, m := range marks[len(r.landmarks):] {
			r.landmarks = append(r.landmarks, landmarkState{Landmark: m})
		}
		r.interval = reportInterval(r.landmarks)
		r.nextReport = time.Time{}
	}
	if err := r.marks.Err(); err != nil && !r.errLogged {
		r.errLogged = true
		r.logger.Error("a landmark is not reported", "err", err)
	}
}

// sample samples every landmark, and makes a report due if one needs it.
func (r *reporter) sample(now time.Time) {
	for i := range r.landmarks {
		s := &r.landmarks[i]
		s.current = s.Sample(now)
		if s.needsReport(r.reportedAt, now, r.nextReport) {
			r.reportDue = true
		}
	}
	r.stateRequests.update(r.landmarks)
	if r.stateRequests.answered() > r.stateRequests.reported {
		r.reportDue = true
	}
}

// sendNext gives the stream its next message: the declaration of new landmarks, or
// the report.
func (r *reporter) sendNext(now time.Time) {
	r.idle = false
	if r.declared < len(r.landmarks) {
		r.stateRequests.add(r.landmarks, max(0, r.declared), now)
		r.declared = len(r.landmarks)
		r.stream.messages <- declarationMessage(r.landmarks)
		return // the report is still due
	}
	r.reportDue = false
	r.reportedAt = now
	for i := range r.landmarks {
		r.landmarks[i].reported = r.landmarks[i].current
	}
	r.stateRequests.reported = r.stateRequests.answered()
	m := reportMessage(r.landmarks, r.stateRequests.reported, r.draining.Load(), r.sampledAt)
	m.GetReport().Evidence = r.stacks.message(now)
	r.stream.messages <- m
}

// call sends the get-state command to a Loop, or calls the function of a Level or
// Condition, if that is due.
func (r *reporter) call(ctx context.Context, s *landmarkState, now time.Time) {
	interval := r.callInterval(s)
	if interval == 0 {
		return
	}
	if s.nextCall.Sub(now) <= slack {
		s.nextCall = now.Add(interval)
		if s.SendCommand != nil {
			s.SendCommand(now)
		} else {
			callProgram := s.CallProgram // s moves when landmarks grows
			r.calls.Go(func() { callProgram(ctx) })
		}
	}
	if s.nextCall.Before(r.nextStep) {
		r.nextStep = s.nextCall
	}
}

// stepNow makes the next step due at once.
func (r *reporter) stepNow() { r.nextStep = time.Time{} }

// stepSoon makes the next step due because a landmark changed: at once, unless there was
// such a step just before.
func (r *reporter) stepSoon() {
	r.changed = true
	if r.stateRequests.pending() {
		r.stepNow()
		return
	}
	if at := r.changedAt.Add(minStepGap); at.Before(r.nextStep) {
		r.nextStep = at
	}
}

// setReady records that a stream can send a message. A new stream needs the whole
// state.
func (r *reporter) setReady(stream *mailbox) {
	if stream != r.stream {
		r.stream, r.declared, r.stateRequests = stream, -1, stateRequests{}
		r.reportDue = true
	}
	r.idle = true
	if r.reportDue {
		r.stepNow()
	}
}

// request sends the sidecar's request to the Loops. If there is no answer to wait
// for, the report is due now.
func (r *reporter) request(q getStateRequest) {
	if q.stream != r.stream || r.declared < 0 {
		return // of a stream that has ended, or before the declaration: it stays unanswered
	}
	r.stateRequests.request(q.number, r.landmarks, time.Now())
	if r.stateRequests.answered() > r.stateRequests.reported {
		r.stepNow()
	}
}
