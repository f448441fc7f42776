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

// TestReadersAndWriters lets everything happen at once, for the race detector,
// and holds every answer against what must always be so. One service is always
// well, and must never be told otherwise.
func TestReadersAndWriters(t *testing.T) {
	clock := clock.New()
	defer run(clock)()
	r := New(clock, 0)
	patient := DefaultPolicy
	patient.StaleAfter = time.Hour // a busy machine makes reports late
	r.Configure(map[string]Policy{"well": patient}, nil)
	lasting := open(t, r, "well", "a")
	lasting.pass()
	open(t, r, "unwell", "a").pass()

	var writers, readers sync.WaitGroup
	var over atomic.Bool
	for w := range 3 {
		writers.Go(func() {
			for i := range 300 {
				if w == 0 {
					lasting.pass()
				}
				well := open(t, r, "well", fmt.Sprint(w))
				well.pass()
				unwell := open(t, r, "unwell", fmt.Sprint(i%5))
				// Another's session may have taken the name meanwhile.
				for _, age := range []time.Duration{0, time.Minute, 0, time.Hour} {
					if err := unwell.report(Fact{Reached: i%3 > 0, Open: true, Age: age}); err != nil {
						break
					}
				}
				well.pass()
				well.session.Goodbye()
				if i%2 == 0 {
					unwell.session.Disconnect()
				} else {
					unwell.session.Goodbye()
				}
			}
		})
	}
	names := []string{"well", "well-liveness", "unwell", "unwell-liveness", "unwell-startup", "", "liveness", "nobody"}
	for i := range 2 {
		readers.Go(func() {
			sub := r.Subscribe([]byte(names[2*i]))
			defer sub.Close()
			last := map[string]uint32{}
			for n := 0; !over.Load(); n++ {
				name := names[n%len(names)]
				a := look(r, name)
				if n%10 == 0 {
					ctx, leave := context.WithTimeout(context.Background(), time.Microsecond)
					if answer, err := r.Await(ctx, []byte(name), time.Nanosecond); err == nil {
						a = answer
					}
					leave()
				}
				pending(sub)
				a.Landmarks()
				if n%3 == 0 {
					r.Drain("unwell", 0)
					r.History("unwell")
					r.Resume("unwell", 0)
				}
				if (a.Weight == 0) != (a.Status != judge.Serving) || (a.Reason() == "") != (a.Status == judge.Serving) || a.Age < 0 || a.StatusAge < 0 {
					t.Errorf("%q is %+v", name, a)
				}
				if a.Changes < last[name] {
					t.Errorf("%q has changed %d times, after %d", name, a.Changes, last[name])
				}
				last[name] = a.Changes
			}
		})
	}
	// The service that is well has one process throughout, and others that
	// come and go, always well.
	readers.Go(func() {
		for !over.Load() {
			if a := look(r, "well"); a.Status != judge.Serving {
				t.Errorf("it is %v: %s", a.Status, a.Reason())
				return
			}
		}
	})
	writers.Wait()
	over.Store(true)
	readers.Wait()
}
