package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/collector"
	"github.com/landmark-health/landmark/internal/contract"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

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
		if r := st.within(0, "first reached"); !r.Facts[0].Reached {
			t.Errorf("first reached: %v", r)
		}
		(<-loop.C())()
		if r := st.within(minStepGap, "loop answered first"); !r.Facts[1].Reached || r.Facts[1].Open {
			t.Errorf("loop answered first: %v", r)
		}
		st.until(61 * time.Second)
		time.Sleep(10 * time.Millisecond)
		(<-loop.C())()
		if r := st.within(0, "loop answered when overdue"); age(r.Facts[1]) > 0 {
			t.Errorf("loop answered when overdue: %v", r)
		}
		time.Sleep(10 * time.Millisecond)
		reader.Reach()
		if r := st.within(0, "overdue landmark reached"); age(r.Facts[0]) > 0 {
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

		// Each step is between two reports, long enough after the previous one, and must
		// show in a report at once.
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
			if r := st.within(0, step.name); !step.want(r.Facts) {
				t.Errorf("%s: %v", step.name, r)
			}
		}
	})
}

// A change waits for an earlier change, and not for an earlier report.
func TestOnlyChangesDelayAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		db := marks.Condition("db", landmark.TTL(time.Second))
		db.Set(true, "")
		st := newFakeStream(t, &marks)
		st.declaration()
		st.report()
		for range 3 {
			st.report() // is due at its time
			db.Set(false, "just after the report")
			if r := st.within(0, "first change"); r.Facts[0].Met {
				t.Errorf("first change: %v", r)
			}
			changed := time.Now()
			time.Sleep(minStepGap / 5)
			db.Set(true, "just after the change")
			r := st.report()
			if took := time.Since(changed); !r.Facts[0].Met || took != minStepGap {
				t.Errorf("second change: %v after the first: %v, want %v", took, r, minStepGap)
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
