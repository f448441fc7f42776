package clock

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A turn takes one beat, whether the clock rests or not. Afterwards it rests as before.
func TestTurnTakesABeat(t *testing.T) {
	for _, sources := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			c := New()
			for range sources {
				c.AddSource()
			}
			defer run(c, always)()
			time.Sleep(time.Hour)
			for range 3 {
				synctest.Wait()
				began := time.Now()
				if err := c.Turn(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > Beat {
					t.Errorf("%d sources: a turn took %v, want a beat", sources, took)
				}
			}
			time.Sleep(2 * Beat)
			synctest.Wait()
			if resting := c.last.Load().resting; resting != (sources == 0) {
				t.Errorf("%d sources: got resting %v", sources, resting)
			}
		})
	}
}

// A clock that does not beat makes no turn.
func TestNoTurnWithoutBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		for range 2 { // at rest, and not
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			if err := c.Turn(ctx); err != context.DeadlineExceeded {
				t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
			}
			cancel()
			c.AddSource()
		}
	})
}
