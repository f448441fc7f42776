package landmark

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/collector"
)

func TestLevelSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		l := s.Level("l", Above(10, 20))
		check := func(state string, want collector.Sample) {
			t.Helper()
			if diff := cmp.Diff(want, landmarks(&s)[0].Sample(time.Now())); diff != "" {
				t.Errorf("%s (-want +got):\n%s", state, diff)
			}
		}
		time.Sleep(time.Minute)
		check("never set", collector.Sample{Age: time.Minute})
		l.Set(0)
		check("set to 0", collector.Sample{Reached: true, Count: 1})
		time.Sleep(time.Hour)
		check("not set for an hour", collector.Sample{Reached: true, Age: time.Hour, Count: 1})
		l.Set(-3.5)
		l.Set(12.25)
		check("set twice", collector.Sample{Reached: true, Count: 3, Value: 12.25})
	})
}

// A number that is not finite counts as the worst one, and is finite in a report.
func TestLevelRecordsNonFiniteAsWorst(t *testing.T) {
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
				t.Errorf("%v with %+v: Value = %v, want %v", bad, limits, r.Value, want)
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
		mark := landmarks(&s)[0]
		if got := mark.CallInterval; got != 0 {
			t.Errorf("PollInterval = %v, want 0", got)
		}
		go mark.CallProgram(t.Context())
		synctest.Wait()
		mark.CallProgram(t.Context()) // must not wait for the running call
		if calls != 1 {
			t.Errorf("%d calls at a time, want 1", calls)
		}
		answers <- 7
		synctest.Wait()
		go mark.CallProgram(t.Context()) // blocks for an hour
		mark.Sample(time.Now())
		time.Sleep(time.Hour)
		want := collector.Sample{Reached: true, Age: time.Hour, Count: 1, Value: 7}
		if diff := cmp.Diff(want, mark.Sample(time.Now())); diff != "" {
			t.Errorf("while a call blocks (-want +got):\n%s", diff)
		}
		answers <- 8
		synctest.Wait()
		if r := mark.Sample(time.Now()); r.Value != 8 || r.Age != 0 {
			t.Errorf("call returned after an hour: %+v, want value 8 and age 0", r)
		}
	})
}

func TestLevelSetDoesNotAllocate(t *testing.T) {
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
		assertAllocatesNothing(t, "Set "+name, set)
	}
}

// BenchmarkLevelSet compares Set with an atomic addition.
func BenchmarkLevelSet(b *testing.B) {
	b.Run("atomic", benchmarkAtomicAdd)
	b.Run("set", func(b *testing.B) {
		var s Set
		l := s.Level("l", Above(10, 20))
		for b.Loop() {
			l.Set(7)
		}
	})
}
