package agent

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/hostclock"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// A reporter reads the landmarks, puts the get-state commands, has the landmarks
// asked that want it, and composes the messages, each at its time, whether or
// not there is a stream to take them. It waits for nobody: not for the program,
// and not for the sidecar. One goroutine, run, owns all that it holds but the
// first fields.
type reporter struct {
	marks  *landmark.Set
	logger *slog.Logger
	clock  hostclock.Clock // by which reports are dated

	// draining is what the program wants; drained is ready when it changed.
	draining atomic.Bool
	drained  chan struct{}

	calls sync.WaitGroup // of the program's functions; to be waited for after run

	// From the goroutines of a stream.
	ready     chan *outlet  // this stream can take a message
	questions chan question // the sidecar asks for the state

	tracks     []track
	interval   time.Duration // between reports when nothing changes
	steppedAt  time.Time     // the latest step
	readAt     uint64        // likewise, by the clock
	look       time.Time     // when to take the next step
	nextReport time.Time
	reportedAt time.Time // the latest report
	owed       bool      // a report is to be given as soon as one can be taken
	faulty     bool      // the set's error was logged

	stream   *outlet // the present or latest stream
	idle     bool    // stream takes a message
	declared int     // how many tracks were declared on stream, -1 = nothing yet
	pull     pull    // the questions on stream
}

// A track is a landmark and the reporter's memory of it.
type track struct {
	landmark.Landmark
	reading    landmark.Reading // the latest
	told       landmark.Reading // the latest that was reported
	nextPrompt time.Time        // for one that takes commands or is asked
}

func (t *track) takesCommands() bool { return t.Kind == landmark.KindLoop }

// An outlet is where a stream takes messages from the reporter.
type outlet struct {
	messages chan *reportv1.StreamRequest // with room for the one it asked for
}

func newOutlet() *outlet {
	return &outlet{messages: make(chan *reportv1.StreamRequest, 1)}
}

// A question is a GetState that came on a stream.
type question struct {
	stream *outlet
	number uint64
}

func newReporter(marks *landmark.Set, logger *slog.Logger) *reporter {
	return &reporter{
		marks:     marks,
		logger:    logger,
		interval:  reportInterval(nil),
		drained:   make(chan struct{}, 1),
		ready:     make(chan *outlet),
		questions: make(chan question),
	}
}

// drain notes whether the program drains, which is to be told at once. It may
// be called on any goroutine, and never blocks.
func (r *reporter) drain(draining bool) {
	if r.draining.Swap(draining) == draining {
		return
	}
	select {
	case r.drained <- struct{}{}:
	default: // it has yet to hear of the change before
	}
}

// run works until ctx is done.
func (r *reporter) run(ctx context.Context) {
	changed, stop := r.marks.Watch()
	defer stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		// The clock is read first: if the process is stopped between the two, a
		// report is taken for older than it is.
		readAt, now := r.clock.Now(), time.Now()
		if !now.Before(r.look) {
			r.readAt = readAt
			r.step(ctx, now)
		}
		timer.Reset(r.look.Sub(now))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-changed:
			r.hurry()
		case <-r.drained:
			r.owed = true
			r.look = time.Time{}
		case stream := <-r.ready:
			r.serve(stream)
		case q := <-r.questions:
			r.ask(q)
		}
	}
}

// step does what is due at the instant now. The report goes first and the
// commands after it, so that a command that a report calls open has been open
// for a while.
func (r *reporter) step(ctx context.Context, now time.Time) {
	r.steppedAt = now
	r.grow()
	r.read(now)
	if !now.Before(r.nextReport) {
		r.owed = true
		r.nextReport = now.Add(r.interval)
	}
	if r.owed && r.idle {
		r.give(now)
	}
	r.look = r.nextReport
	for i := range r.tracks {
		r.prompt(ctx, &r.tracks[i], now)
	}
}

// grow takes in what was declared since the step before.
func (r *reporter) grow() {
	marks := r.marks.Landmarks()
	if len(marks) > len(r.tracks) {
		for _, m := range marks[len(r.tracks):] {
			r.tracks = append(r.tracks, track{Landmark: m})
		}
		r.interval = reportInterval(r.tracks)
		r.nextReport = time.Time{}
	}
	if err := r.marks.Err(); err != nil && !r.faulty {
		r.faulty = true
		r.logger.Error("a landmark is not reported", "err", err)
	}
}

// read reads every landmark, and owes a report where there is news.
func (r *reporter) read(now time.Time) {
	for i := range r.tracks {
		t := &r.tracks[i]
		t.reading = t.Read(now)
		if t.newsworthy(r.reportedAt, now, r.nextReport) {
			r.owed = true
		}
	}
	r.pull.settle(r.tracks)
	if r.pull.answered() > r.pull.told {
		r.owed = true
	}
}

// give hands the stream its next message: what it was not told of yet is
// declared before it is reported.
func (r *reporter) give(now time.Time) {
	r.idle = false
	if r.declared < len(r.tracks) {
		r.pull.extend(r.tracks, max(0, r.declared), now)
		r.declared = len(r.tracks)
		r.stream.messages <- declarationMessage(r.tracks)
		return // and still owed
	}
	r.owed = false
	r.reportedAt = now
	for i := range r.tracks {
		r.tracks[i].told = r.tracks[i].reading
	}
	r.pull.told = r.pull.answered()
	r.stream.messages <- reportMessage(r.tracks, r.pull.told, r.draining.Load(), r.readAt)
}

// prompt puts the get-state command to a Loop, and has a Level or a Condition
// asked, that is due for it.
func (r *reporter) prompt(ctx context.Context, t *track, now time.Time) {
	every := r.promptInterval(t)
	if every == 0 {
		return
	}
	if !now.Before(t.nextPrompt) {
		t.nextPrompt = now.Add(every)
		if _, ok := t.PutCommand(now); !ok {
			mark := t.Landmark // for t moves when tracks grows
			r.calls.Go(func() { mark.Ask(ctx) })
		}
	}
	if t.nextPrompt.Before(r.look) {
		r.look = t.nextPrompt
	}
}

// hurry brings the next step forward because something changed.
func (r *reporter) hurry() {
	at := r.steppedAt.Add(minStepGap)
	if r.pull.pending() {
		at = time.Time{}
	}
	if at.Before(r.look) {
		r.look = at
	}
}

// serve takes note that a stream can take a message. A new stream is told
// everything.
func (r *reporter) serve(stream *outlet) {
	if stream != r.stream {
		r.stream, r.declared, r.pull = stream, -1, pull{}
		r.owed = true
	}
	r.idle = true
	if r.owed {
		r.look = time.Time{}
	}
}

// ask puts the sidecar's question to the Loops. Where no answer has to be
// waited for, the report is due now.
func (r *reporter) ask(q question) {
	if q.stream != r.stream || r.declared < 0 {
		return // of a stream that has ended, or too early: nothing may seem answered
	}
	r.pull.ask(q.number, r.tracks, time.Now())
	if r.pull.answered() > r.pull.told {
		r.look = time.Time{}
	}
}
