package registry

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// Everything happens at once, for the race detector. Each answer is checked against
// what is always true. One service is always healthy, and must never be answered
// otherwise.
func TestReadersAndWritersAtOnce(t *testing.T) {
	clock := clock.New()
	defer run(clock)()
	r := New(clock, 0)
	tolerant := DefaultPolicy
	tolerant.StaleAfter = time.Hour // a busy machine makes reports late
	r.Configure(map[string]Policy{"healthy": tolerant}, nil)
	lasting := open(t, r, "healthy", "a")
	lasting.pass()
	open(t, r, "unhealthy", "a").pass()

	var writers, readers sync.WaitGroup
	var over atomic.Bool
	for w := range 3 {
		writers.Go(func() {
			for i := range 300 {
				if w == 0 {
					lasting.pass()
				}
				healthy := open(t, r, "healthy", fmt.Sprint(w))
				healthy.pass()
				unhealthy := open(t, r, "unhealthy", fmt.Sprint(i%5))
				// Another writer's session may have taken the name meanwhile.
				for _, age := range []time.Duration{0, time.Minute, 0, time.Hour} {
					if err := unhealthy.report(Fact{Reached: i%3 > 0, Open: true, Age: age}); err != nil {
						break
					}
				}
				healthy.pass()
				healthy.session.Goodbye()
				if i%2 == 0 {
					unhealthy.session.Disconnect()
				} else {
					unhealthy.session.Goodbye()
				}
			}
		})
	}
	names := []string{"healthy", "healthy-liveness", "unhealthy", "unhealthy-liveness", "unhealthy-startup", "", "liveness", "unknown"}
	for i := range 2 {
		readers.Go(func() {
			sub := r.Subscribe([]byte(names[2*i]))
			defer sub.Close()
			last := map[string]uint32{}
			for n := 0; !over.Load(); n++ {
				name := names[n%len(names)]
				a := lookup(r, name)
				if n%10 == 0 {
					ctx, leave := context.WithTimeout(context.Background(), time.Microsecond)
					if answer, err := r.Await(ctx, []byte(name), time.Nanosecond); err == nil {
						a = answer
					}
					leave()
				}
				received(sub.Changed())
				a.Landmarks()
				if n%3 == 0 {
					r.Drain("unhealthy", 0)
					r.History("unhealthy")
					r.Resume("unhealthy", 0)
				}
				if (a.Weight == 0) != (a.Status != judge.Serving) || (a.Reason() == "") != (a.Status == judge.Serving) || a.Age < 0 || a.StatusAge < 0 {
					t.Errorf("%q: got the contradictory answer %+v", name, a)
				}
				if a.Changes < last[name] {
					t.Errorf("%q: got %d changes, want at least %d", name, a.Changes, last[name])
				}
				last[name] = a.Changes
			}
		})
	}
	// The healthy service has one process throughout, and others that come and go.
	readers.Go(func() {
		for !over.Load() {
			if a := lookup(r, "healthy"); a.Status != judge.Serving {
				t.Errorf("healthy: got %v (%s), want %v", a.Status, a.Reason(), judge.Serving)
				return
			}
		}
	})
	writers.Wait()
	over.Store(true)
	readers.Wait()
}
