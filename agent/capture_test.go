package agent

import (
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/collector"
	"github.com/landmark-health/landmark/internal/hostclock"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// A hangingProgram reaches a landmark, and then hangs until it is freed.
type hangingProgram struct {
	name string
	// run reaches a landmark of the set that is named "mark", calls reached, and hangs in
	// hangHere until free is closed.
	run   func(marks *landmark.Set, reached func(), free chan struct{})
	where string // it hangs, in the summary
}

//go:noinline
func hangHere(free chan struct{}) { <-free }

//go:noinline
func hangInLock(free chan struct{}) {
	var mu sync.Mutex
	mu.Lock()
	go func() { <-free; mu.Unlock() }()
	mu.Lock()
}

//go:noinline
func spinHere(free chan struct{}) {
	var freed atomic.Bool
	go func() { <-free; freed.Store(true) }()
	for !freed.Load() {
	}
}

//go:noinline
func deep(n int, free chan struct{}) {
	if n == 0 {
		hangHere(free)
		return
	}
	deep(n-1, free)
}

//go:noinline
func tick(a *landmark.Alive) { a.Reach() }

var hangingPrograms = []hangingProgram{
	{"a Loop that is received", func(marks *landmark.Set, reached func(), free chan struct{}) {
		loop := marks.Loop("mark", time.Second)
		go collector.Of(marks).Landmarks()[0].SendCommand(time.Now())
		(<-loop.C())()
		reached()
		hangHere(free)
	}, `"mark" is in github.com/landmark-health/landmark/agent.hangHere (capture_test.go:`},
	{"a Loop that is posted", func(marks *landmark.Set, reached func(), free chan struct{}) {
		queue := make(chan func())
		marks.Loop("mark", time.Second, landmark.Post(func(f func()) { queue <- f }))
		collector.Of(marks).Landmarks()[0].SendCommand(time.Now())
		(<-queue)()
		reached()
		hangHere(free)
	}, `"mark" is in github.com/landmark-health/landmark/agent.hangHere (capture_test.go:`},
	{"an Alive", func(marks *landmark.Set, reached func(), free chan struct{}) {
		alive := marks.Alive("mark", time.Second)
		alive.Reach()
		reached()
		hangHere(free)
	}, `"mark" is in github.com/landmark-health/landmark/agent.hangHere (capture_test.go:`},
	{"an Alive that is reached in a function that has returned", func(marks *landmark.Set, reached func(), free chan struct{}) {
		tick(marks.Alive("mark", time.Second))
		reached()
		hangHere(free)
	}, `"mark" is in github.com/landmark-health/landmark/agent.hangHere (capture_test.go:`},
	{"a Deadline", func(marks *landmark.Set, reached func(), free chan struct{}) {
		defer marks.Deadline("mark", time.Second).Begin().End()
		reached()
		hangHere(free)
	}, `"mark" is in github.com/landmark-health/landmark/agent.hangHere (capture_test.go:`},
	{"a hang far below", func(marks *landmark.Set, reached func(), free chan struct{}) {
		marks.Alive("mark", time.Second).Reach()
		reached()
		deep(100, free)
	}, `"mark" is in github.com/landmark-health/landmark/agent.hangHere (capture_test.go:`},
	{"a lock", func(marks *landmark.Set, reached func(), free chan struct{}) {
		marks.Alive("mark", time.Second).Reach()
		reached()
		hangInLock(free)
	}, `"mark" is in github.com/landmark-health/landmark/agent.hangInLock (capture_test.go:`},
	{"a computation", func(marks *landmark.Set, reached func(), free chan struct{}) {
		marks.Alive("mark", time.Second).Reach()
		reached()
		spinHere(free)
	}, `"mark" is in github.com/landmark-health/landmark/agent.spinHere (capture_test.go:`},
}

// captureOf captures the stacks when the landmark of the set fails.
func captureOf(marks *landmark.Set) *capture {
	l := collector.Of(marks).Landmarks()[0]
	c := &capture{landmarks: []string{l.Name}, site: l.Stack()}
	c.make()
	return c
}

// The summary names the function in which the goroutine hangs that reaches the landmark,
// and its stack comes first, among many others.
func TestCaptureFindsTheLoop(t *testing.T) {
	free := make(chan struct{})
	var others sync.WaitGroup
	defer others.Wait()
	defer close(free)
	for i := range 1000 {
		others.Go(func() { deep(i%5, free) })
	}
	doing := map[string]string{"a lock": "waiting for a lock (sync.Mutex)", "a computation": "running"}
	for _, p := range hangingPrograms {
		t.Run(p.name, func(t *testing.T) {
			var marks landmark.Set
			reached, own := make(chan struct{}), make(chan struct{})
			var running sync.WaitGroup
			running.Go(func() { p.run(&marks, func() { close(reached) }, own) })
			defer running.Wait()
			defer close(own)
			<-reached
			want := doing[p.name]
			if want == "" {
				want = "waiting to receive from a channel"
			}
			var c *capture
			const grouped = "200 goroutines: waiting to receive from a channel\n"
			for range 1000 { // it may not hang yet, and others may not run yet
				if c = captureOf(&marks); strings.HasPrefix(c.summary, p.where) && strings.Contains(c.summary, "), "+want) && strings.Contains(c.text, grouped) {
					break
				}
				<-time.After(time.Millisecond)
			}
			if !strings.HasPrefix(c.summary, p.where) || !strings.Contains(c.summary, "), "+want) {
				t.Errorf("%s, want %s…), %s", c.summary, p.where, want)
			}
			if !strings.HasPrefix(c.text, `goroutine of "mark": `) {
				t.Errorf("the text begins with\n%.200s", c.text)
			}
			if !strings.Contains(c.text, grouped) {
				t.Errorf("the others are not grouped:\n%s", c.text)
			}
		})
	}
}

// A goroutine that has ended is not taken for another.
func TestCaptureOfAnEndedLoop(t *testing.T) {
	var marks landmark.Set
	alive := marks.Alive("mark", time.Second)
	done := make(chan struct{})
	go func() { tick(alive); close(done) }()
	<-done
	if c := captureOf(&marks); !strings.HasPrefix(c.summary, `the goroutine that reaches "mark" has ended: none of `) {
		t.Error(c.summary)
	}
	var never landmark.Set
	never.Alive("mark", time.Second)
	if c := captureOf(&never); c.summary != `"mark" was never reached, so it is not known which goroutine should reach it` {
		t.Error(c.summary)
	}
}

// Very many different stacks are cut, the landmark's is not.
func TestCaptureIsBounded(t *testing.T) {
	var p profile
	fmt.Fprintf(&p, "goroutine profile: total %d\n", 3*maxGroups)
	pc, _, _, _ := runtime.Caller(0)
	for range 3 * maxGroups {
		fmt.Fprintf(&p, "1 @ %#x %#x\n#\t0x1\tsomething\n\n", pc, pc)
	}
	c := &capture{landmarks: []string{"mark"}, site: []uintptr{pc, pc}}
	c.describe(&p)
	if len(c.text) > maxCapture || len(p.groups) != maxGroups || !strings.HasSuffix(c.text, " more goroutines are left out\n") {
		t.Errorf("%d bytes of %d groups, ending with %q", len(c.text), len(p.groups), c.text[len(c.text)-60:])
	}
}

func FuzzProfile(f *testing.F) {
	f.Add("goroutine profile: total 2\n2 @ 0x1 0x2\n# labels: {\"a\":\"b\"}\n#\t0x1\tf\n\n")
	f.Add("x @ 0x1\n1 @ y\n-1 @ 0x1\n# labels: {}\n")
	f.Fuzz(func(t *testing.T, text string) {
		var whole, bytewise profile
		whole.Write([]byte(text))
		for i := range len(text) {
			bytewise.Write([]byte(text[i : i+1]))
		}
		if whole.total != bytewise.total || len(whole.groups) != len(bytewise.groups) {
			t.Errorf("in one piece %+v, in pieces %+v", whole, bytewise)
		}
		c := &capture{landmarks: []string{"mark"}}
		c.describe(&whole)
	})
}

// One capture an episode, at most one in captureGap, each sent once.
func TestStacksAreSentOncePerEpisode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		alive := marks.Alive("mark", time.Second)
		r := newReporter(&marks, discardLogger())
		r.stacks = newStackWatch()
		background(t, func() { r.run(t.Context()) })
		st := &fakeStream{t: t, reporter: r}
		st.connect()
		alive.Reach()
		st.declaration()
		begin := time.Now()
		var sent []*reportv1.Evidence
		var at []time.Duration
		pass := func(d time.Duration, healthy bool) {
			for end := time.Now().Add(d); time.Now().Before(end); {
				if healthy {
					alive.Reach()
				}
				if e := st.report().Evidence; e != nil {
					sent, at = append(sent, e), append(at, time.Since(begin))
				}
			}
		}
		pass(5*time.Second, true)
		pass(time.Minute, false)
		pass(2*time.Second, true)
		pass(5*time.Second, false)
		pass(2*time.Second, true)
		pass(5*time.Second, false) // within captureGap of the last
		if len(sent) != 2 {
			t.Fatalf("%d are sent, at %v: %v", len(sent), at, sent)
		}
		if at[0] < 6*time.Second || at[0] > 6*time.Second+300*time.Millisecond || at[1] < 67*time.Second {
			t.Errorf("they are sent at %v", at)
		}
		if e := sent[0]; len(e.Landmarks) != 1 || e.Landmarks[0] != "mark" || e.Summary == "" || e.Text == "" || e.AgeUs > 1e6 {
			t.Errorf("%v", e)
		}
	})
}

// NoStacks captures nothing, and by default something is captured.
func TestNoStacks(t *testing.T) {
	var marks landmark.Set
	marks.Alive("mark", time.Second)
	for _, off := range []bool{false, true} {
		cfg, err := Config{Service: "epg", Landmarks: &marks, NoStacks: off}.complete()
		if err != nil {
			t.Fatal(err)
		}
		a := newAgent(cfg, nil, hostclock.Clock{})
		if (a.reporter.stacks == nil) != off {
			t.Errorf("NoStacks %t: %v", off, a.reporter.stacks)
		}
		a.logs.close()
	}
}

// stops returns the longest time for which the program was stopped while f ran, by the
// runtime's own count, in seconds; the time rounds up by a tenth at most.
func stops(f func()) float64 {
	before := pauses()
	f()
	now := pauses()
	longest := 0.0
	for i, n := range now.Counts {
		if n > before.Counts[i] {
			longest = now.Buckets[i+1]
		}
	}
	if math.IsInf(longest, 1) {
		return math.MaxFloat64
	}
	return longest
}

func pauses() *metrics.Float64Histogram {
	sample := []metrics.Sample{{Name: "/sched/pauses/total/other:seconds"}}
	metrics.Read(sample)
	return sample[0].Value.Float64Histogram()
}

// withGoroutines calls f while there are n goroutines with stacks of different depths.
func withGoroutines(n int, f func()) {
	free := make(chan struct{})
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { deep(i%20, free) })
	}
	runtime.Gosched()
	f()
	close(free)
	running.Wait()
}

// The capture stops the program for far less than runtime.Stack, and not longer if there
// are more goroutines. BenchmarkCapture measures it.
func TestCaptureStopsTheProgramBriefly(t *testing.T) {
	best := func(f func()) float64 { // without what other programs do
		least := math.MaxFloat64
		for range 20 {
			least = min(least, stops(f))
		}
		return least
	}
	withGoroutines(5000, func() {
		buf := make([]byte, maxCapture)
		stack := best(func() { runtime.Stack(buf, true) })
		own := best(func() { (&capture{landmarks: []string{"mark"}}).make() })
		t.Logf("stopped for %.0f µs, by runtime.Stack for %.0f µs", own*1e6, stack*1e6)
		if own*5 > stack {
			t.Errorf("a capture stops the program for %.0f µs, and runtime.Stack for %.0f µs: want less than a fifth", own*1e6, stack*1e6)
		}
	})
}

// BenchmarkCapture says how long the program is stopped in the middle of all captures, and
// how long a capture takes.
func BenchmarkCapture(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		for _, how := range []struct {
			name string
			f    func()
		}{
			{"capture", func() { (&capture{landmarks: []string{"mark"}}).make() }},
			{"profile", func() { pprof.Lookup("goroutine").WriteTo(new(profile), 1) }},
			{"runtime.Stack", func() { runtime.Stack(make([]byte, maxCapture), true) }},
		} {
			b.Run(fmt.Sprintf("%d/%s", n, how.name), func(b *testing.B) {
				withGoroutines(n, func() {
					var all []float64
					for b.Loop() {
						all = append(all, stops(how.f))
					}
					median, worst := medianAndMax(all)
					b.ReportMetric(median*1e6, "stop-µs")
					b.ReportMetric(worst*1e6, "max-stop-µs")
				})
			})
		}
	}
}

func medianAndMax(all []float64) (median, most float64) {
	slices.Sort(all)
	return all[len(all)/2], all[len(all)-1]
}

func discardLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }
