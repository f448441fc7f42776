package sampler

import (
	"context"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	loop  = judge.Declared{Name: "main loop", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: time.Second}
	level = judge.Declared{Name: "queue", Kind: judge.KindLevel, Impact: judge.ImpactDegrading, Limits: judge.Limits{DegradeAt: 50, FailAt: 100}}
)

// facts are those of a process with loop and level.
func facts(lag time.Duration, queue float64) []registry.Fact {
	return []registry.Fact{{Reached: true, Lag: lag}, {Reached: true, Value: queue}}
}

func equal(a, b float32) bool {
	return a == b || a != a && b != b || math.Abs(float64(a-b)) <= 0.004*math.Abs(float64(b))
}

func checkSeries(t *testing.T, name string, got []float32, want ...float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %v, want %v", name, got, want)
	}
	for i := range got {
		if !equal(got[i], want[i]) {
			t.Fatalf("%s: got %v, want %v", name, got, want)
		}
	}
}

// Each step has one value of each series, also while the main loop hangs and after its
// process is lost.
func TestPlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := frontendtest.NewRegistry(t, 0)
		s := New(r)
		if _, ok := s.Plot("epg"); ok {
			t.Error("there is a plot before the first step")
		}
		p := frontendtest.NewProcess(t, r, "epg", loop, level)
		nan := float32(math.NaN())
		p.Report(facts(3*time.Millisecond, 10)...)
		s.sample()
		p.Report(facts(200*time.Millisecond, 75)...)
		s.sample()
		p.Report(registry.Fact{Reached: true, Open: true, Age: 20 * time.Second, Lag: 3 * time.Millisecond}, registry.Fact{Reached: true, Value: 20})
		s.sample()
		p.Session.Disconnect()
		s.sample()
		time.Sleep(4 * time.Second)
		plot, ok := s.Plot("epg")
		if !ok || plot.Age != 4*time.Second || len(plot.Landmarks) != 2 {
			t.Fatalf("got %+v, %v, want two landmarks, and an age of 4 s", plot, ok)
		}
		checkSeries(t, "weight", plot.Weight, 100, 50, 0, 0)
		lags, queue := plot.Landmarks[0], plot.Landmarks[1]
		if lags.Name != "main loop" || lags.Kind != judge.KindLoop || lags.Within != time.Second || queue.Name != "queue" || queue.Limits.FailAt != 100 {
			t.Errorf("got %+v, want main loop and queue with their limits", plot.Landmarks)
		}
		checkSeries(t, "main loop", lags.Values, 0.003, 0.2, 20, 20)
		checkSeries(t, "queue", queue.Values, 10, 75, 20, nan)
	})
}

// An hour is kept. A service that comes later has no values before, and one that is
// gone is forgotten.
func TestHourIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := frontendtest.NewRegistry(t, 0)
		s := New(r)
		p := frontendtest.NewProcess(t, r, "epg", loop, level)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		synctest.Wait()
		for i := range 3 * points / 2 {
			p.Report(facts(0, float64(i))...)
			time.Sleep(Step)
			synctest.Wait()
			if i == 9 {
				frontendtest.NewProcess(t, r, "vod", loop).Work()
			}
		}
		plot, _ := s.Plot("epg")
		values := plot.Landmarks[1].Values
		if len(values) != points || !equal(values[0], float32(points/2)) || !equal(values[points-1], float32(3*points/2-1)) {
			t.Errorf("got %d values from %v to %v, want %d from %d on", len(values), values[0], values[len(values)-1], points, points/2)
		}
		if plot, _ := s.Plot("vod"); len(plot.Weight) != points {
			t.Errorf("the later service: got %d values, want %d", len(plot.Weight), points)
		}
		p.Session.Goodbye()
		if err := r.Forget("epg", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(Step)
		synctest.Wait()
		if _, ok := s.Plot("epg"); ok {
			t.Error("a service that was forgotten has a plot")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A landmark that is declared later has no values before, and one that is gone keeps its
// values for an hour.
func TestRingWithGaps(t *testing.T) {
	var r ring
	nan := float32(math.NaN())
	r.add(3, 1)
	r.add(5, 2)
	checkSeries(t, "a gap", r.last(2, 8), nan, 1, nan, 2, nan, nan)
	r.add(5+points, 3)
	checkSeries(t, "a gap of an hour", r.last(3+points, 6+points), nan, nan, 3)
	checkSeries(t, "after a gap of an hour", r.last(5, 7), nan, nan)
	r.add(5+5*points, 4)
	checkSeries(t, "a gap of hours", r.last(4+5*points, 6+5*points), nan, 4)
}

func TestPrecision(t *testing.T) {
	for _, v := range []float64{0, 1, -1, 3.14159, 1e-9, 0.1, 999, 1e6, 1e30, math.Inf(1), math.Inf(-1), math.NaN()} {
		if got := pack(v).unpack(); !equal(got, float32(v)) {
			t.Errorf("got %v, want %v", got, v)
		}
	}
}

// However many services and landmarks there are, the memory is bounded, and each service
// has its weight at least.
func TestMemoryIsBounded(t *testing.T) {
	if size := int(unsafe.Sizeof(series{})) * maxSeries; size > 9<<20 {
		t.Errorf("all series take %d bytes, want at most 9 MiB", size)
	}
	synctest.Test(t, func(t *testing.T) {
		r := frontendtest.NewRegistry(t, 0)
		s := New(r)
		var declared []judge.Declared
		var report []registry.Fact
		for i := range 100 {
			l := level
			l.Name = fmt.Sprint("queue", i)
			declared, report = append(declared, l), append(report, registry.Fact{Reached: true})
		}
		frontendtest.NewProcess(t, r, "epg", declared...).Report(report...)
		s.sample()
		if n := len(s.services["epg"].landmarks); n != maxPerService-1 {
			t.Errorf("one service: got %d landmarks, want %d", n, maxPerService-1)
		}
		const services = maxSeries / 10
		for i := range services - 1 {
			frontendtest.NewProcess(t, r, fmt.Sprint("a", i), level).Report(registry.Fact{Reached: true})
		}
		s.sample()
		if n := len(s.services["epg"].landmarks); n != 9 {
			t.Errorf("one of %d services: got %d landmarks, want 9", services, n)
		}
	})
}

// BenchmarkSample takes a sample of 1,000 services of 20 landmarks, eight of which are
// plotted, and reports the memory that an hour of them takes.
func BenchmarkSample(b *testing.B) {
	r := frontendtest.NewRegistry(b, 0)
	var declared []judge.Declared
	var report []registry.Fact
	for i := range 20 {
		l := []judge.Declared{loop, {Kind: judge.KindCondition, Impact: judge.ImpactReadiness}, {Kind: judge.KindAlive, Impact: judge.ImpactCritical, Within: time.Hour},
			{Kind: judge.KindDeadline, Impact: judge.ImpactCritical, Within: time.Hour}, level}[i%5]
		l.Name = fmt.Sprint("landmark", i)
		declared, report = append(declared, l), append(report, registry.Fact{Reached: true, Met: true})
	}
	for i := range 1000 {
		frontendtest.NewProcess(b, r, fmt.Sprint("epg", i), declared...).Report(report...)
	}
	s := New(r)
	b.ReportAllocs()
	for b.Loop() {
		s.sample()
	}
	n := 0
	for _, v := range s.services {
		n += int(unsafe.Sizeof(*v)) + len(v.landmarks)*int(unsafe.Sizeof(series{})+unsafe.Sizeof(key{})+8)
	}
	b.ReportMetric(float64(n)/1e6, "MB")
}
