package agent

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/collector"
	"github.com/landmark-health/landmark/internal/contract"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// A fakeStream runs a reporter and takes its messages as a stream does.
type fakeStream struct {
	t *testing.T
	*reporter
	slot  *sendSlot
	since time.Time
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
func (st *fakeStream) connect() { st.slot, st.since = newSendSlot(), time.Now() }

// next waits for the next message.
func (st *fakeStream) next() *reportv1.StreamRequest {
	st.ready <- st.slot
	return <-st.slot.messages
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
	st.requests <- getStateRequest{st.slot, number}
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

func TestReportsFollowTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Second)
		marks.Alive("slow", time.Minute)
		serve(t, loop)
		st := newFakeStream(t, &marks)
		st.declaration()
		count := st.until(100 * time.Millisecond).Facts[0].Count
		at := time.Now()
		for n := range uint64(100) {
			r := st.report()
			if gap := time.Since(at); gap != 250*time.Millisecond {
				t.Fatalf("report %d came %v after the previous one, want 250ms", n, gap)
			}
			at = time.Now()
			// A report is made before the next command, so a healthy loop has none open.
			if f := r.Facts[0]; f.Open || f.Count != count+n+1 || age(f) != 250*time.Millisecond {
				t.Fatalf("report %d: %v, want the fact of a healthy loop", n, f)
			}
		}
	})
}

// Reports continue without a landmark, so that the sidecar knows that the process
// lives.
func TestReportsWithoutLandmarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFakeStream(t, new(landmark.Set))
		if l := st.declaration(); len(l) != 0 {
			t.Errorf("declared %v, want none", l)
		}
		st.report()
		st.report()
		st.report()
		if passed := time.Since(st.since); passed != time.Second {
			t.Errorf("three reports took %v, want 1s", passed)
		}
	})
}

// Only the main loop can answer for the main loop: neither a healthy agent nor other
// landmarks, a post or the sidecar's requests can.
func TestOnlyMainLoopAnswers(t *testing.T) {
	tests := []struct {
		name string
		// make declares the loop, which answers once and never again.
		make func(t *testing.T, marks *landmark.Set) *landmark.Loop
	}{
		{"blocked", func(t *testing.T, marks *landmark.Set) *landmark.Loop {
			l := marks.Loop("main loop", time.Second)
			background(t, func() { (<-l.C())() })
			return l
		}},
		{"receives a command and hangs", func(t *testing.T, marks *landmark.Set) *landmark.Loop {
			l := marks.Loop("main loop", time.Second)
			background(t, func() { (<-l.C())(); <-l.C() })
			return l
		}},
		{"runs the first command again and again", func(t *testing.T, marks *landmark.Set) *landmark.Loop {
			l := marks.Loop("main loop", time.Second)
			background(t, func() {
				for answer := <-l.C(); t.Context().Err() == nil; time.Sleep(time.Second) {
					answer()
				}
			})
			return l
		}},
		{"post blocks", func(t *testing.T, marks *landmark.Set) *landmark.Loop {
			calls := 0
			return marks.Loop("main loop", time.Second, landmark.Post(func(answer func()) {
				if calls++; calls == 1 {
					answer()
					return
				}
				<-t.Context().Done()
			}))
		}},
		{"post drops commands", func(t *testing.T, marks *landmark.Set) *landmark.Loop {
			calls := 0
			return marks.Loop("main loop", time.Second, landmark.Post(func(answer func()) {
				if calls++; calls == 1 {
					answer()
				}
			}))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var marks landmark.Set
				tt.make(t, &marks)
				busy := marks.Alive("busy", time.Second)
				st := newFakeStream(t, &marks)
				st.declaration()
				st.until(10 * time.Millisecond)
				start := time.Now()
				var number uint64
				for time.Since(start) < time.Hour {
					for range 10 {
						busy.Reach()
					}
					number++
					st.request(number)
					r := st.report()
					f := r.Facts[0]
					hangs := time.Since(start)
					if f.Count != 1 || age(f) < hangs || r.Answered != 0 {
						t.Fatalf("hanging for %v: %v, answered %d", hangs, r.Facts, r.Answered)
					}
					if hangs > 500*time.Millisecond && !f.Open {
						t.Fatalf("hanging for %v: no command is open: %v", hangs, f)
					}
					if b := r.Facts[1]; age(b) != 0 {
						t.Fatalf("hanging for %v: the busy landmark is %v old, want 0", hangs, age(b))
					}
				}
			})
		})
	}
}

func TestFirstAndOverdueAreReportedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		reader := marks.Alive("reader", time.Minute)
		loop := marks.Loop("main loop", 4*time.Second)
		st := newFakeStream(t, &marks)
		st.declaration()
		st.until(2100 * time.Millisecond)

		reader.Reach()
		if r := st.within(minStepGap, "first reached"); !r.Facts[0].Reached {
			t.Errorf("first reached: %v", r)
		}
		(<-loop.C())()
		if r := st.within(minStepGap, "loop answered first"); !r.Facts[1].Reached || r.Facts[1].Open {
			t.Errorf("loop answered first: %v", r)
		}
		st.until(61 * time.Second)
		time.Sleep(10 * time.Millisecond)
		(<-loop.C())()
		if r := st.within(minStepGap, "loop answered when overdue"); age(r.Facts[1]) > minStepGap {
			t.Errorf("loop answered when overdue: %v", r)
		}
		time.Sleep(10 * time.Millisecond)
		reader.Reach()
		if r := st.within(minStepGap, "overdue landmark reached"); age(r.Facts[0]) > 0 {
			t.Errorf("overdue landmark reached: %v", r)
		}
	})
}

func TestChangesAreReportedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		answering := marks.Deadline("answering", 4*time.Second)
		queue := marks.Level("queue", landmark.Above(10, 20))
		db := marks.Condition("db")
		guide := marks.Condition("guide", landmark.TTL(4*time.Second))
		st := newFakeStream(t, &marks)
		st.declaration()
		st.until(110 * time.Millisecond)

		// Each step is between two reports, long enough after the previous step, and
		// must show in a report at once.
		var first, second landmark.Work
		steps := []struct {
			name string
			do   func()
			want func([]*reportv1.Fact) bool
		}{
			{"work begun first", func() { first = answering.Begin() }, func(f []*reportv1.Fact) bool { return f[0].Open }},
			{"level set first", func() { queue.Set(0) }, func(f []*reportv1.Fact) bool { return f[1].Reached }},
			{"level degraded", func() { queue.Set(11) }, func(f []*reportv1.Fact) bool { return f[1].Value == 11 }},
			{"level failing", func() { queue.Set(20) }, func(f []*reportv1.Fact) bool { return f[1].Value == 20 }},
			{"level good", func() { queue.Set(10) }, func(f []*reportv1.Fact) bool { return f[1].Value == 10 }},
			{"condition set first", func() { db.Set(false, "a") }, func(f []*reportv1.Fact) bool { return f[2].Reason == "a" }},
			{"condition met", func() { db.Set(true, "b") }, func(f []*reportv1.Fact) bool { return f[2].Met }},
			{"condition no longer met", func() { db.Set(false, "c") }, func(f []*reportv1.Fact) bool { return !f[2].Met }},
			{"condition with a TTL", func() { guide.Set(true, "") }, func(f []*reportv1.Fact) bool { return f[3].Met }},
			{"overdue work ended, other is open", func() {
				st.until(2 * time.Second)
				second = answering.Begin()
				st.until(2510 * time.Millisecond)
				first.End()
			}, func(f []*reportv1.Fact) bool { return f[0].Open && f[0].Pending == 1 && age(f[0]) < 4*time.Second }},
			{"condition renewed after its TTL", func() { guide.Set(true, "") },
				func(f []*reportv1.Fact) bool { return age(f[3]) == 0 }},
			{"overdue work ended", func() {
				st.until(4 * time.Second)
				time.Sleep(10 * time.Millisecond)
				second.End()
			}, func(f []*reportv1.Fact) bool { return !f[0].Open }},
		}
		for _, step := range steps {
			time.Sleep(10 * time.Millisecond)
			step.do()
			if r := st.within(minStepGap, step.name); !step.want(r.Facts) {
				t.Errorf("%s: %v", step.name, r)
			}
		}
	})
}

// A change that cannot change a verdict waits for the next report.
func TestMinorChangesWaitForTheNextReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		answering := marks.Deadline("answering", time.Minute)
		queue := marks.Level("queue", landmark.Above(10, 20))
		db := marks.Condition("db", landmark.TTL(time.Minute))
		work := func() {
			defer answering.Begin().End()
			queue.Set(float64(time.Now().UnixMilli() % 10))
			db.Set(true, time.Now().String())
		}
		work()
		st := newFakeStream(t, &marks)
		background(t, func() {
			for ; t.Context().Err() == nil; time.Sleep(time.Millisecond) {
				work()
			}
		})
		st.declaration()
		st.report()
		for n := range 20 {
			start := time.Now()
			st.report()
			if gap := time.Since(start); gap != contract.MaxReportInterval {
				t.Fatalf("report %d came %v after the previous one", n, gap)
			}
		}
	})
}

// A program that is always just in time never seems late before the next report.
func TestProgramInTimeNeverSeemsLate(t *testing.T) {
	const within = time.Second
	for _, takes := range []time.Duration{100 * time.Millisecond, 510 * time.Millisecond, 800 * time.Millisecond,
		910 * time.Millisecond, 990 * time.Millisecond} {
		t.Run(takes.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var marks landmark.Set
				batches := marks.Deadline("batches", within)
				reader := marks.Alive("reader", within)
				guide := marks.Condition("guide", landmark.TTL(within))
				background(t, func() {
					for t.Context().Err() == nil {
						w := batches.Begin()
						reader.Reach()
						guide.Set(true, "")
						time.Sleep(takes)
						w.End()
					}
				})
				st := newFakeStream(t, &marks)
				st.declaration()
				last, reportedAt := st.report(), time.Now()
				for time.Since(st.since) < time.Minute {
					next := st.report()
					for i, f := range last.Facts {
						if seems := age(f) + time.Since(reportedAt); f.Reached && seems >= within {
							t.Fatalf("%s seemed %v old before the next report",
								collector.Of(&marks).Landmarks()[i].Name, seems)
						}
					}
					last, reportedAt = next, time.Now()
				}
			})
		})
	}
}

// The program's functions are called in the background. One that hangs delays no
// report, and shows.
func TestHangingFunctionsDelayNoReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		hang := make(chan struct{})
		hangs := func() {
			select {
			case <-hang:
				<-t.Context().Done()
			default:
			}
		}
		var length, checks atomic.Int64
		marks.Level("queue", landmark.Above(10, 20), landmark.Poll(func() float64 {
			hangs()
			return float64(length.Load())
		}))
		marks.Condition("db", landmark.Check(2*time.Second, 700*time.Millisecond, func(context.Context) error {
			checks.Add(1)
			hangs()
			return nil
		}))
		st := newFakeStream(t, &marks)
		st.declaration()
		time.Sleep(minStepGap)
		if f := st.within(0, "called first").Facts; !f[0].Reached || !f[1].Met {
			t.Errorf("called first: %v", f)
		}
		st.until(9 * time.Second)
		if n := checks.Load(); n != 5 {
			t.Errorf("checked %d times in 9 s, want 5", n)
		}
		length.Store(15)
		st.until(contract.MaxReportInterval)
		if f := st.report().Facts; f[0].Value != 15 || f[0].Count < 20 {
			t.Errorf("called for each report: %v", f)
		}
		close(hang)
		started := time.Now()
		for {
			f := st.report().Facts
			if !f[1].Met {
				if f[1].Reason != "no answer within 700ms" {
					t.Errorf("reason %q", f[1].Reason)
				}
				break
			}
			if time.Since(started) > 2700*time.Millisecond+minStepGap {
				t.Fatalf("a check hangs for %v: %v", time.Since(started), f[1])
			}
		}
		for range 100 {
			start := time.Now()
			st.report()
			if gap := time.Since(start); gap > contract.MaxReportInterval {
				t.Fatalf("a report came %v after the previous one", gap)
			}
		}
		if f := st.report().Facts; age(f[0]) < 50*time.Second || f[0].Value != 15 || f[1].Met {
			t.Errorf("hanging for 50 s: %v", f)
		}
	})
}

func TestDrainIsReportedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		marks.Alive("reader", time.Minute).Reach()
		st := newFakeStream(t, &marks)
		st.declaration()
		st.until(100 * time.Millisecond)
		for _, draining := range []bool{true, false, true} {
			time.Sleep(time.Millisecond)
			st.setDraining(draining)
			if r := st.within(0, "changed"); r.Draining != draining {
				t.Errorf("draining %t: report %v", draining, r)
			}
		}
		st.setDraining(true)
		st.connect()
		st.declaration()
		if r := st.within(0, "new stream"); !r.Draining {
			t.Errorf("new stream: report %v, want draining", r)
		}
		if r := st.report(); !r.Draining {
			t.Errorf("next report %v, want draining", r)
		}
	})
}

// Many landmarks that are late and in time in turn do not keep the agent busy.
func TestReportRateIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		var late []*landmark.Alive
		for i := range 100 {
			late = append(late, marks.Alive(string(rune('A'+i)), time.Millisecond))
		}
		st := newFakeStream(t, &marks)
		background(t, func() {
			for t.Context().Err() == nil {
				for _, a := range late { // each is reached every 10 ms
					a.Reach()
					time.Sleep(100 * time.Microsecond)
				}
			}
		})
		st.declaration()
		reports := 0
		for time.Since(st.since) < 10*time.Second {
			st.report()
			reports++
		}
		if reports > 10*200+2 {
			t.Errorf("%d reports in 10 s, want at most %d", reports, 10*200+2)
		}
	})
}

// While a stream cannot send, no messages wait. Its next message is the current state.
func TestReportsAreNotQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Second)
		alive := marks.Alive("reader", 2*time.Second)
		serve(t, loop)
		st := newFakeStream(t, &marks)
		st.declaration()
		st.report()
		alive.Reach()
		time.Sleep(time.Hour)
		if n := len(st.slot.messages); n != 0 {
			t.Errorf("%d messages wait, want 0", n)
		}
		r := st.within(0, "report due")
		if f := r.Facts[0]; f.Count < 4*3600-10 || age(f) > 250*time.Millisecond {
			t.Errorf("the loop received too few commands while the stream could not send: %v", f)
		}
		if f := r.Facts[1]; age(f) < time.Hour-time.Second {
			t.Errorf("age of a landmark reached an hour ago: %v", age(f))
		}
	})
}

// A new stream gets the true ages of what happened before it.
func TestReconnectionReportsTrueAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		healthy := marks.Loop("healthy", time.Second)
		hanging := marks.Loop("hanging", time.Second)
		reader := marks.Alive("reader", time.Second)
		serve(t, healthy)
		st := newFakeStream(t, &marks)
		(<-hanging.C())()
		reader.Reach()
		st.declaration()
		st.report()
		time.Sleep(time.Hour + time.Millisecond) // between two commands
		st.connect()
		if l := st.declaration(); len(l) != 3 || l[1].Name != "hanging" {
			t.Errorf("declared again: %v", l)
		}
		f := st.within(0, "new stream").Facts
		if f[0].Open || age(f[0]) > 250*time.Millisecond {
			t.Errorf("healthy loop: %v", f[0])
		}
		if !f[1].Open || age(f[1]) < time.Hour {
			t.Errorf("hanging loop: %v", f[1])
		}
		if age(f[2]) < time.Hour-time.Second {
			t.Errorf("unreached landmark: %v", f[2])
		}
	})
}

func TestLateLandmarksAreDeclared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		marks.Alive("first", time.Minute)
		st := newFakeStream(t, &marks)
		st.declaration()
		st.until(time.Second)

		second := marks.Alive("second", 200*time.Millisecond,
			landmark.StartWithin(time.Minute), landmark.Informational)
		second.Reach()
		start := time.Now()
		l := st.declaration()
		if len(l) != 2 {
			t.Fatalf("declared %v, want 2 landmarks", l)
		}
		want := &reportv1.Landmark{
			Name: "second", Kind: reportv1.Kind_KIND_ALIVE, Impact: reportv1.Impact_IMPACT_INFORMATIONAL,
			WithinUs: 200_000, StartWithinUs: 60_000_000,
		}
		if l[1].String() != want.String() {
			t.Errorf("declared %v, want %v", l[1], want)
		}
		if r := st.report(); len(r.Facts) != 2 || !r.Facts[1].Reached {
			t.Errorf("reported %v, want 2 facts and the second reached", r)
		}
		if took := time.Since(start); took > minStepGap {
			t.Errorf("the declaration and its report took %v, want at most %v", took, minStepGap)
		}
		for range 4 {
			st.report()
		}
		if took := time.Since(start); took > 200*time.Millisecond+minStepGap {
			t.Errorf("4 reports at the interval of the new landmark took %v", took)
		}
	})
}
