package agent

import (
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// A fakeStream runs a reporter and takes its messages as a stream does.
type fakeStream struct {
	t *testing.T
	*reporter
	mailbox *mailbox
	since   time.Time
}

// newFakeStream runs a reporter until the test ends.
func newFakeStream(t *testing.T, marks *landmark.Set) *fakeStream {
	r := newReporter(marks, slog.New(slog.DiscardHandler))
	background(t, func() { r.run(t.Context()) })
	st := &fakeStream{t: t, reporter: r}
	st.connect()
	return st
}

// connect starts a new stream.
func (st *fakeStream) connect() { st.mailbox, st.since = newMailbox(), time.Now() }

// next waits for the next message.
func (st *fakeStream) next() *reportv1.StreamRequest {
	st.ready <- st.mailbox
	return <-st.mailbox.messages
}

// declaration waits for the next message, which must be a declaration.
func (st *fakeStream) declaration() []*reportv1.Landmark {
	st.t.Helper()
	m := st.next()
	if m.GetDeclaration() == nil {
		st.t.Fatalf("got %v, want a declaration", m)
	}
	return m.GetDeclaration().Landmarks
}

// report waits for the next message, which must be a report.
func (st *fakeStream) report() *reportv1.Report {
	st.t.Helper()
	m := st.next()
	if m.GetReport() == nil {
		st.t.Fatalf("got %v, want a report", m)
	}
	return m.GetReport()
}

// until takes reports until the given time has passed, and returns the last.
func (st *fakeStream) until(passed time.Duration) *reportv1.Report {
	st.t.Helper()
	end := time.Now().Add(passed)
	r := st.report()
	for time.Now().Before(end) {
		r = st.report()
	}
	return r
}

// within fails the test unless the next report arrives in the given time.
func (st *fakeStream) within(limit time.Duration, event string) *reportv1.Report {
	st.t.Helper()
	start := time.Now()
	r := st.report()
	if took := time.Since(start); took > limit {
		st.t.Errorf("%s: report after %v, want it within %v", event, took, limit)
	}
	return r
}

// request sends a GetState request, and waits until the loops have their commands.
func (st *fakeStream) request(number uint64) {
	st.requests <- getStateRequest{st.mailbox, number}
	synctest.Wait()
}

// background runs f, which must return when the test's context is done.
func background(t *testing.T, f func()) {
	var running sync.WaitGroup
	running.Go(f)
	t.Cleanup(running.Wait)
}

func age(f *reportv1.Fact) time.Duration { return time.Duration(f.AgeUs) * time.Microsecond }

// serve runs a healthy main loop.
func serve(t *testing.T, loop *landmark.Loop) {
	background(t, func() {
		for {
			select {
			case answer := <-loop.C():
				answer()
			case <-t.Context().Done():
				return
			}
		}
	})
}
