package landmark

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/collector"
)

func TestAliveSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		a := s.Alive("a", time.Second)
		check := func(state string, want collector.Sample) {
			t.Helper()
			if diff := cmp.Diff(want, landmarks(&s)[0].Sample(time.Now())); diff != "" {
				t.Errorf("%s (-want +got):\n%s", state, diff)
			}
		}
		check("declared", collector.Sample{})
		time.Sleep(3 * time.Second)
		check("never reached", collector.Sample{Age: 3 * time.Second})
		a.Reach()
		check("reached", collector.Sample{Reached: true, Count: 1})
		time.Sleep(time.Hour)
		check("hanging for an hour", collector.Sample{Reached: true, Age: time.Hour, Count: 1})
		a.Reach()
		a.Reach()
		check("reached twice", collector.Sample{Reached: true, Count: 3})
	})
}

// Each pass counts once, even if a sample requests a wake at the same time.
func TestAliveCountsEachPassOnce(t *testing.T) {
	const workers, passes = 4, 10_000
	var s Set
	a := s.Alive("a", 100*time.Millisecond)
	_, stop := watch(&s)
	defer stop()
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for range passes {
				a.Reach()
			}
		})
	}
	finished := make(chan struct{})
	go func() { group.Wait(); close(finished) }()
	alive := landmarks(&s)[0]
	for now, running := time.Now(), true; running; now = now.Add(time.Millisecond) {
		alive.Sample(now)
		select {
		case <-finished:
			running = false
		default:
		}
	}
	if got := alive.Sample(time.Now()).Count; got != workers*passes {
		t.Errorf("Count = %d, want %d", got, workers*passes)
	}
}

func TestReachDoesNotAllocate(t *testing.T) {
	var s Set
	a := s.Alive("a", time.Second)
	_, stop := watch(&s)
	defer stop()
	var none *Alive
	alive := landmarks(&s)[0]
	late := time.Now().Add(time.Hour)
	for name, reach := range map[string]func(){
		"in time": a.Reach,
		"nil":     none.Reach,
		"overdue": func() { alive.Sample(late); late = late.Add(time.Hour); alive.Sample(late); a.Reach() },
	} {
		assertAllocatesNothing(t, "Reach "+name, reach)
	}
}

// BenchmarkReach compares Reach with an atomic addition.
func BenchmarkReach(b *testing.B) {
	b.Run("atomic", benchmarkAtomicAdd)
	b.Run("reach", func(b *testing.B) {
		var s Set
		a := s.Alive("a", time.Second)
		for b.Loop() {
			a.Reach()
		}
	})
	// Each core has its own landmark. They must not slow each other down.
	b.Run("reach-parallel", func(b *testing.B) {
		var s Set
		b.RunParallel(func(pb *testing.PB) {
			a := s.Alive(b.Name(), time.Second)
			for pb.Next() {
				a.Reach()
			}
		})
	})
}
