package landmark

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/collector"
)

func TestDeadlineSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		d := s.Deadline("d", time.Second)
		check := func(state string, want collector.Sample) {
			t.Helper()
			if diff := cmp.Diff(want, landmarks(&s)[0].Sample(time.Now())); diff != "" {
				t.Errorf("%s (-want +got):\n%s", state, diff)
			}
		}
		time.Sleep(time.Minute)
		check("never begun", collector.Sample{Age: time.Minute})
		first := d.Begin()
		check("begun", collector.Sample{Reached: true, Count: 1, Open: true, Pending: 1})
		time.Sleep(100 * time.Millisecond)
		second := d.Begin()
		time.Sleep(time.Hour)
		check("two, hanging for an hour", collector.Sample{
			Reached: true, Age: time.Hour + 100*time.Millisecond, Count: 2, Open: true, Pending: 2,
		})
		first.End()
		check("older one ended", collector.Sample{Reached: true, Age: time.Hour, Count: 2, Open: true, Pending: 1})
		first.End()
		check("ended again", collector.Sample{Reached: true, Age: time.Hour, Count: 2, Open: true, Pending: 1})
		second.End()
		check("both ended", collector.Sample{Reached: true, Count: 2})
		time.Sleep(time.Minute)
		check("idle", collector.Sample{Reached: true, Age: time.Minute, Count: 2})
		d.Begin().End()
		check("short one ended", collector.Sample{Reached: true, Count: 3})
	})
}

// The oldest piece counts, however many are open and in whatever order they end.
// Ending a Work again does not end the piece that has taken its slot.
func TestDeadlineFindsOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pieces = 1000
		var s Set
		d := s.Deadline("d", time.Second)
		mark := landmarks(&s)[0]
		var earlier []Work
		for round := range uint64(3) {
			begun := make([]time.Time, pieces)
			open := make([]Work, pieces)
			for i := range open {
				begun[i], open[i] = time.Now(), d.Begin()
				time.Sleep(time.Millisecond)
			}
			for _, w := range earlier {
				w.End() // ended in the previous round
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
				if diff := cmp.Diff(want, mark.Sample(time.Now())); diff != "" {
					t.Fatalf("round %d, %d have ended (-want +got):\n%s", round, n, diff)
				}
				open[i].End()
				left[i] = true
			}
			if r := mark.Sample(time.Now()); r.Open || r.Pending != 0 {
				t.Fatalf("round %d, all have ended: %+v", round, r)
			}
		}
	})
}

// A sample while all cores begin and end work always shows the piece that hangs with
// its true age, and loses no count.
func TestDeadlineUnderLoad(t *testing.T) {
	const workers, pieces = 4, 20_000
	var s Set
	d := s.Deadline("d", 100*time.Millisecond) // its pieces are watched soon
	mark := landmarks(&s)[0]
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
		r := mark.Sample(now)
		if r.Age < now.Sub(begun) || r.Age > now.Sub(start) || !r.Open {
			t.Fatalf("a piece has been open for %v, sample %+v", now.Sub(begun), r)
		}
	}
	hung.End()
	if r := mark.Sample(time.Now()); r.Count != workers*pieces+1 || r.Pending != 0 || r.Open {
		t.Errorf("%d pieces, all ended: sample %+v", workers*pieces+1, r)
	}
}

// A program that never ends its work uses limited memory, and continues.
func TestDeadlineMemoryIsLimited(t *testing.T) {
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
		t.Errorf("%d pieces, none ended (-want +got):\n%s", slots, diff)
	}
}

func TestWorkDoesNotAllocate(t *testing.T) {
	var s Set
	d := s.Deadline("d", time.Second)
	d.Begin().End()
	_, stop := watch(&s)
	defer stop()
	mark := landmarks(&s)[0]
	var none *Deadline
	for name, work := range map[string]func(){
		"in time": func() { d.Begin().End() },
		"nil":     func() { none.Begin().End() },
		"overdue": func() {
			w := d.Begin()
			mark.Sample(time.Now().Add(time.Hour))
			w.End()
		},
	} {
		assertAllocatesNothing(t, "Begin and End "+name, work)
	}
}

// BenchmarkWork compares a Begin and its End with one atomic addition.
func BenchmarkWork(b *testing.B) {
	b.Run("atomic", benchmarkAtomicAdd)
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
	tenThousandOpen := func() (*Deadline, collector.Landmark) {
		var s Set
		d := s.Deadline("d", time.Hour)
		for range 10_000 {
			d.Begin()
		}
		return d, landmarks(&s)[0]
	}
	b.Run("work-10000-open", func(b *testing.B) {
		d, _ := tenThousandOpen()
		for b.Loop() {
			d.Begin().End()
		}
	})
	b.Run("sample-10000-open", func(b *testing.B) {
		_, mark := tenThousandOpen()
		for b.Loop() {
			mark.Sample(time.Now())
		}
	})
}
