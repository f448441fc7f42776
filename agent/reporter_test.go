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

// A desk runs a reporter, and stands where its stream would.
type desk struct {
	t *testing.T
	*reporter
	outlet *outlet
	since  time.Time
}

// newDesk runs a reporter until the test ends.
func newDesk(t *testing.T, marks *landmark.Set) *desk {
	r := newReporter(marks, slog.New(slog.DiscardHandler))
	background(t, func() { r.run(t.Context()) })
	d := &desk{t: t, reporter: r}
	d.connect()
	return d
}

// connect begins another stream.
func (d *desk) connect() { d.outlet, d.since = newOutlet(), time.Now() }

// next takes the next message, waiting for it.
func (d *desk) next() *reportv1.StreamRequest {
	d.ready <- d.outlet
	return <-d.outlet.messages
}

// declaration takes the next message, which must be one.
func (d *desk) declaration() []*reportv1.Landmark {
	d.t.Helper()
	m := d.next()
	if m.GetDeclaration() == nil {
		d.t.Fatalf("got %v, want a declaration", m)
	}
	return m.GetDeclaration().Landmarks
}

// report takes the next message, which must be one.
func (d *desk) report() *reportv1.Report {
	d.t.Helper()
	m := d.next()
	if m.GetReport() == nil {
		d.t.Fatalf("got %v, want a report", m)
	}
	return m.GetReport()
}

// until takes reports until the given time has passed, and returns the last.
func (d *desk) until(passed time.Duration) *reportv1.Report {
	d.t.Helper()
	end := time.Now().Add(passed)
	r := d.report()
	for time.Now().Before(end) {
		r = d.report()
	}
	return r
}

// within fails the test unless the next report comes in the given time.
func (d *desk) within(limit time.Duration, why string) *reportv1.Report {
	d.t.Helper()
	asked := time.Now()
	r := d.report()
	if took := time.Since(asked); took > limit {
		d.t.Errorf("%s: report after %v, want it within %v", why, took, limit)
	}
	return r
}

// ask puts a question, and waits until the loops have been asked.
func (d *desk) ask(number uint64) {
	d.questions <- question{d.outlet, number}
	synctest.Wait()
}

// background runs f, which ends with the test's context, until the test's end.
func background(t *testing.T, f func()) {
	var running sync.WaitGroup
	running.Go(f)
	t.Cleanup(running.Wait)
}

func age(f *reportv1.Fact) time.Duration { return time.Duration(f.AgeUs) * time.Microsecond }

// serve is a healthy main loop.
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

func TestReporterFollowsCadence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Second)
		marks.Alive("slow", time.Minute)
		serve(t, loop)
		d := newDesk(t, &marks)
		d.declaration()
		count := d.until(100 * time.Millisecond).Facts[0].Count
		at := time.Now()
		for n := range uint64(100) {
			r := d.report()
			if gap := time.Since(at); gap != 250*time.Millisecond {
				t.Fatalf("report %d came %v after the one before", n, gap)
			}
			at = time.Now()
			// A report goes before the next command: a healthy loop has none open.
			if f := r.Facts[0]; f.Open || f.Count != count+n+1 || age(f) != 250*time.Millisecond {
				t.Fatalf("report %d of a healthy loop: %v", n, f)
			}
		}
	})
}

// With no landmark there is still a sign of life.
func TestReporterWithoutLandmarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, new(landmark.Set))
		if l := d.declaration(); len(l) != 0 {
			t.Errorf("declared %v", l)
		}
		d.report()
		d.report()
		d.report()
		if passed := time.Since(d.since); passed != time.Second {
			t.Errorf("three reports took %v, want 1s", passed)
		}
	})
}

// Nothing but the main loop can vouch for the main loop: not a healthy agent,
// not other landmarks, not a post, not the sidecar's questions.
func TestNothingElseVouchesForMainLoop(t *testing.T) {
	tests := []struct {
		name string
		// make declares the loop and lets it answer once, never again.
		make func(t *testing.T, marks *landmark.Set) *landmark.Loop
	}{
		{"blocked", func(t *testing.T, marks *landmark.Set) *landmark.Loop {
			l := marks.Loop("main loop", time.Second)
			background(t, func() { (<-l.C())() })
			return l
		}},
		{"takes a command and hangs in it", func(t *testing.T, marks *landmark.Set) *landmark.Loop {
			l := marks.Loop("main loop", time.Second)
			background(t, func() { (<-l.C())(); <-l.C() })
			return l
		}},
		{"runs the old command again and again", func(t *testing.T, marks *landmark.Set) *landmark.Loop {
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
		{"post accepts and never runs", func(t *testing.T, marks *landmark.Set) *landmark.Loop {
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
				d := newDesk(t, &marks)
				d.declaration()
				d.until(10 * time.Millisecond)
				start := time.Now()
				var asked uint64
				for time.Since(start) < time.Hour {
					for range 10 {
						busy.Reach()
					}
					asked++
					d.ask(asked)
					r := d.report()
					f := r.Facts[0]
					stood := time.Since(start)
					if f.Count != 1 || age(f) < stood || r.Answered != 0 {
						t.Fatalf("after %v: %v, answered %d", stood, r.Facts, r.Answered)
					}
					if stood > 500*time.Millisecond && !f.Open {
						t.Fatalf("after %v no command is open: %v", stood, f)
					}
					if b := r.Facts[1]; age(b) != 0 {
						t.Fatalf("after %v the busy landmark is %v old", stood, age(b))
					}
				}
			})
		})
	}
}

func TestReporterTellsNewsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		reader := marks.Alive("reader", time.Minute)
		loop := marks.Loop("main loop", 4*time.Second)
		d := newDesk(t, &marks)
		d.declaration()
		d.until(2100 * time.Millisecond)

		reader.Reach()
		if r := d.within(minStepGap, "first reached"); !r.Facts[0].Reached {
			t.Errorf("first reached: %v", r)
		}
		(<-loop.C())()
		if r := d.within(minStepGap, "loop answered first"); !r.Facts[1].Reached || r.Facts[1].Open {
			t.Errorf("loop answered first: %v", r)
		}
		d.until(61 * time.Second)
		time.Sleep(10 * time.Millisecond)
		(<-loop.C())()
		if r := d.within(minStepGap, "loop answered when overdue"); age(r.Facts[1]) > minStepGap {
			t.Errorf("loop answered when overdue: %v", r)
		}
		time.Sleep(10 * time.Millisecond)
		reader.Reach()
		if r := d.within(minStepGap, "overdue landmark reached"); age(r.Facts[0]) > 0 {
			t.Errorf("overdue landmark reached: %v", r)
		}
	})
}

// Loops that come and go out of time all the while may not keep the agent busy.
func TestReporterIsNotDrivenBySwarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		var late []*landmark.Alive
		for i := range 100 {
			late = append(late, marks.Alive(string(rune('A'+i)), time.Millisecond))
		}
		d := newDesk(t, &marks)
		background(t, func() {
			for t.Context().Err() == nil {
				for _, a := range late { // each passes every 10 ms
					a.Reach()
					time.Sleep(100 * time.Microsecond)
				}
			}
		})
		d.declaration()
		reports := 0
		for time.Since(d.since) < 10*time.Second {
			d.report()
			reports++
		}
		if reports > 10*200+2 {
			t.Errorf("%d reports in 10 s", reports)
		}
	})
}

// A stream that takes nothing is offered nothing, however long; what it then
// takes is the present state.
func TestReporterKeepsNoQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Second)
		alive := marks.Alive("reader", 2*time.Second)
		serve(t, loop)
		d := newDesk(t, &marks)
		d.declaration()
		d.report()
		alive.Reach()
		time.Sleep(time.Hour)
		if n := len(d.outlet.messages); n != 0 {
			t.Errorf("%d messages wait", n)
		}
		r := d.within(0, "owed")
		if f := r.Facts[0]; f.Count < 4*3600-10 || age(f) > 250*time.Millisecond {
			t.Errorf("the loop was not asked while nobody listened: %v", f)
		}
		if f := r.Facts[1]; age(f) < time.Hour-time.Second {
			t.Errorf("a landmark passed an hour ago is said to be %v old", age(f))
		}
	})
}

// A new stream hears the truth about what happened while there was none.
func TestReporterTellsTrueAgesOnReconnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		healthy := marks.Loop("healthy", time.Second)
		wedged := marks.Loop("wedged", time.Second)
		reader := marks.Alive("reader", time.Second)
		serve(t, healthy)
		d := newDesk(t, &marks)
		(<-wedged.C())()
		reader.Reach()
		d.declaration()
		d.report()
		time.Sleep(time.Hour + time.Millisecond) // between two commands
		d.connect()
		if l := d.declaration(); len(l) != 3 || l[1].Name != "wedged" {
			t.Errorf("declared anew: %v", l)
		}
		f := d.within(0, "new stream").Facts
		if f[0].Open || age(f[0]) > 250*time.Millisecond {
			t.Errorf("healthy loop: %v", f[0])
		}
		if !f[1].Open || age(f[1]) < time.Hour {
			t.Errorf("wedged loop: %v", f[1])
		}
		if age(f[2]) < time.Hour-time.Second {
			t.Errorf("forsaken landmark: %v", f[2])
		}
	})
}

func TestReporterDeclaresLateLandmarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		marks.Alive("first", time.Minute)
		d := newDesk(t, &marks)
		d.declaration()
		d.until(time.Second)

		second := marks.Alive("second", 200*time.Millisecond,
			landmark.StartWithin(time.Minute), landmark.WithImpact(landmark.Informational))
		second.Reach()
		asked := time.Now()
		l := d.declaration()
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
		if r := d.report(); len(r.Facts) != 2 || !r.Facts[1].Reached {
			t.Errorf("reported %v", r)
		}
		if took := time.Since(asked); took > minStepGap {
			t.Errorf("a late declaration took %v", took)
		}
		for range 4 {
			d.report()
		}
		if took := time.Since(asked); took > 200*time.Millisecond+minStepGap {
			t.Errorf("the cadence does not follow the new landmark: 4 reports took %v", took)
		}
	})
}
