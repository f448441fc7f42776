package landmark

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/collector"
)

func TestDeadlineReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		d := s.Deadline("d", time.Second)
		read := func(what string, want collector.Sample) {
			t.Helper()
			if diff := cmp.Diff(want, landmarks(&s)[0].Sample(time.Now())); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		time.Sleep(time.Minute)
		read("never begun", collector.Sample{Age: time.Minute})
		first := d.Begin()
		read("begun", collector.Sample{Reached: true, Count: 1, Open: true, Pending: 1})
		time.Sleep(100 * time.Millisecond)
		second := d.Begin()
		time.Sleep(time.Hour)
		read("two, wedged for an hour", collector.Sample{
			Reached: true, Age: time.Hour + 100*time.Millisecond, Count: 2, Open: true, Pending: 2,
		})
		first.End()
		read("the older ended", collector.Sample{Reached: true, Age: time.Hour, Count: 2, Open: true, Pending: 1})
		first.End()
		read("ended again", collector.Sample{Reached: true, Age: time.Hour, Count: 2, Open: true, Pending: 1})
		second.End()
		read("both ended", collector.Sample{Reached: true, Count: 2})
		time.Sleep(time.Minute)
		read("idle", collector.Sample{Reached: true, Age: time.Minute, Count: 2})
		d.Begin().End()
		read("a short one", collector.Sample{Reached: true, Count: 3})
	})
}

// However many pieces are open, in whatever order they end, the oldest counts,
// and a piece that takes the place of an ended one is not ended by its Work.
func TestDeadlineFindsOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pieces = 1000
		var s Set
		d := s.Deadline("d", time.Second)
		carrier := landmarks(&s)[0]
		var earlier []Work
		for round := range uint64(3) {
			begun := make([]time.Time, pieces)
			open := make([]Work, pieces)
			for i := range open {
				begun[i], open[i] = time.Now(), d.Begin()
				time.Sleep(time.Millisecond)
			}
			for _, w := range earlier {
				w.End() // has ended in the round before
			}
			earlier = open
			left := make([]bool, pieces)
			for n, i := range rand.Perm(pieces) {
				oldest := 0
				for left[oldest] {
					oldest++
				}
				want := collector.Sample{
					Reached: true, Age: time.Since(begun[oldest]), Count: (round + 1) * pieces,
					Open: true, Pending: uint64(pieces - n),
				}
				if diff := cmp.Diff(want, carrier.Sample(time.Now())); diff != "" {
					t.Fatalf("round %d, %d have ended (-want +got):\n%s", round, n, diff)
				}
				open[i].End()
				left[i] = true
			}
			if r := carrier.Sample(time.Now()); r.Open || r.Pending != 0 {
				t.Fatalf("round %d, all have ended: %+v", round, r)
			}
		}
	})
}

// A reading between beginnings and endings on all cores never misses the piece
// that hangs, never takes an older one for it, and loses no count.
func TestDeadlineUnderLoad(t *testing.T) {
	const workers, pieces = 4, 20_000
	var s Set
	d := s.Deadline("d", 100*time.Millisecond) // its pieces are awaited soon
	carrier := landmarks(&s)[0]
	_, stop := watch(&s)
	defer stop()
	start := time.Now()
	hung := d.Begin()
	begun := time.Now()
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			var held [50]Work // enough for the table to grow
			for i := range pieces {
				w := &held[i%len(held)]
				w.End()
				*w = d.Begin()
			}
			for _, w := range held {
				w.End()
				w.End()
			}
		})
	}
	finished := make(chan struct{})
	go func() { group.Wait(); close(finished) }()
	for running := true; running; {
		select {
		case <-finished:
			running = false
		default:
		}
		now := time.Now()
		r := carrier.Sample(now)
		if r.Age < now.Sub(begun) || r.Age > now.Sub(start) || !r.Open {
			t.Fatalf("a piece has been open for %v, read %+v", now.Sub(begun), r)
		}
	}
	hung.End()
	if r := carrier.Sample(time.Now()); r.Count != workers*pieces+1 || r.Pending != 0 || r.Open {
		t.Errorf("of %d pieces, all ended, read %+v", workers*pieces+1, r)
	}
}

// A program that never ends its work finds a bound, and goes on.
func TestDeadlineIsBounded(t *testing.T) {
	var s Set
	d := s.Deadline("d", time.Second)
	slots := uint64(0)
	for i := range d.works.blocks {
		block := *d.works.grow(i)
		for j := range block {
			block[j].begin(0)
		}
		slots += uint64(len(block))
	}
	d.Begin().End()
	want := collector.Sample{Reached: true, Age: time.Hour, Count: slots, Open: true, Pending: slots}
	if diff := cmp.Diff(want, landmarks(&s)[0].Sample(d.declaredAt.Add(time.Hour))); diff != "" {
		t.Errorf("of %d pieces, none ended (-want +got):\n%s", slots, diff)
	}
}

func TestWorkAllocatesNothing(t *testing.T) {
	var s Set
	d := s.Deadline("d", time.Second)
	d.Begin().End()
	_, stop := watch(&s)
	defer stop()
	carrier := landmarks(&s)[0]
	var none *Deadline
	for name, work := range map[string]func(){
		"in time": func() { d.Begin().End() },
		"nil":     func() { none.Begin().End() },
		"overdue": func() {
			w := d.Begin()
			carrier.Sample(time.Now().Add(time.Hour))
			w.End()
		},
	} {
		if n := testing.AllocsPerRun(100, work); n != 0 {
			t.Errorf("Begin and End %s: %v allocations", name, n)
		}
	}
}

// BenchmarkWork compares a Begin and its End with one atomic addition.
func BenchmarkWork(b *testing.B) {
	b.Run("atomic", func(b *testing.B) {
		var n atomic.Uint64
		for b.Loop() {
			n.Add(1)
		}
	})
	b.Run("work", func(b *testing.B) {
		var s Set
		d := s.Deadline("d", time.Second)
		for b.Loop() {
			d.Begin().End()
		}
	})
	// All cores share one landmark.
	b.Run("work-parallel", func(b *testing.B) {
		var s Set
		d := s.Deadline("d", time.Second)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				d.Begin().End()
			}
		})
	})
	crowded := func() (*Deadline, collector.Landmark) {
		var s Set
		d := s.Deadline("d", time.Hour)
		for range 10_000 {
			d.Begin()
		}
		return d, landmarks(&s)[0]
	}
	b.Run("work-10000-open", func(b *testing.B) {
		d, _ := crowded()
		for b.Loop() {
			d.Begin().End()
		}
	})
	b.Run("read-10000-open", func(b *testing.B) {
		_, carrier := crowded()
		for b.Loop() {
			carrier.Sample(time.Now())
		}
	})
}
