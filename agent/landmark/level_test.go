package landmark

import (
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/collector"
)

func TestLevelReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		l := s.Level("l", Above(10, 20))
		read := func(what string, want collector.Sample) {
			t.Helper()
			if diff := cmp.Diff(want, landmarks(&s)[0].Sample(time.Now())); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		time.Sleep(time.Minute)
		read("never set", collector.Sample{Age: time.Minute})
		l.Set(0)
		read("set to 0", collector.Sample{Reached: true, Count: 1})
		time.Sleep(time.Hour)
		read("not set for an hour", collector.Sample{Reached: true, Age: time.Hour, Count: 1})
		l.Set(-3.5)
		l.Set(12.25)
		read("set twice", collector.Sample{Reached: true, Count: 3, Value: 12.25})
	})
}

// A number that is none must not look like a good one, nor break a report.
func TestLevelHidesNoFailure(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for limits, want := range map[Limits]float64{
			Above(10, 20):   math.MaxFloat64,
			Above(-20, -10): math.MaxFloat64,
			Below(20, 10):   -math.MaxFloat64,
			Below(-1, -1):   -math.MaxFloat64,
		} {
			var s Set
			s.Level("l", limits).Set(bad)
			if r := landmarks(&s)[0].Sample(time.Now()); r.Value != want {
				t.Errorf("%v of %+v is recorded as %v, want %v", bad, limits, r.Value, want)
			}
		}
	}
}

func TestLevelPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		answers := make(chan float64)
		calls := 0
		s.Level("l", Above(10, 20), Poll(func() float64 { calls++; return <-answers }))
		carrier := landmarks(&s)[0]
		if got := carrier.PollInterval; got != 0 {
			t.Errorf("PollInterval = %v, want 0", got)
		}
		go carrier.Poll(t.Context())
		synctest.Wait()
		carrier.Poll(t.Context()) // must not wait for the call that goes on
		if calls != 1 {
			t.Errorf("%d calls at a time", calls)
		}
		answers <- 7
		synctest.Wait()
		go carrier.Poll(t.Context()) // blocks for an hour
		carrier.Sample(time.Now())
		time.Sleep(time.Hour)
		want := collector.Sample{Reached: true, Age: time.Hour, Count: 1, Value: 7}
		if diff := cmp.Diff(want, carrier.Sample(time.Now())); diff != "" {
			t.Errorf("a call blocks (-want +got):\n%s", diff)
		}
		answers <- 8
		synctest.Wait()
		if r := carrier.Sample(time.Now()); r.Value != 8 || r.Age != 0 {
			t.Errorf("answered after an hour: %+v", r)
		}
	})
}

func TestLevelSetAllocatesNothing(t *testing.T) {
	var s Set
	l := s.Level("l", Above(10, 20))
	_, stop := watch(&s)
	defer stop()
	var none *Level
	n := 0.0
	for name, set := range map[string]func(){
		"good":     func() { l.Set(1) },
		"crossing": func() { n = 30 - n; l.Set(n) },
		"nil":      func() { none.Set(1) },
	} {
		if n := testing.AllocsPerRun(100, set); n != 0 {
			t.Errorf("Set %s: %v allocations", name, n)
		}
	}
}

// BenchmarkLevelSet compares Set with an atomic addition.
func BenchmarkLevelSet(b *testing.B) {
	b.Run("atomic", func(b *testing.B) {
		var n atomic.Uint64
		for b.Loop() {
			n.Add(1)
		}
	})
	b.Run("set", func(b *testing.B) {
		var s Set
		l := s.Level("l", Above(10, 20))
		for b.Loop() {
			l.Set(7)
		}
	})
}
