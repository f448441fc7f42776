package probe

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// A program that was stopped gets catchUpTime to read the answers that came meanwhile,
// before the timer reports silence.
func TestSilenceTimerAfterPause(t *testing.T) {
	for name, answers := range map[string]bool{"server answers": true, "server is gone": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				updates := make(chan Update, 10)
				s := newSilenceTimer("10.0.0.7:19533", 3*time.Second, func(u Update) { updates <- u })
				s.start()
				defer s.stop()
				s.timer.Stop() // the timer of a stopped program does not fire
				time.Sleep(10 * time.Second)
				s.expire()
				if len(updates) != 0 {
					t.Errorf("reported at once: %+v", <-updates)
				}
				if answers {
					time.Sleep(catchUpTime - 1)
					s.recordAnswer(lmp.Answer{})
					time.Sleep(3*time.Second - 1)
				} else {
					time.Sleep(time.Hour)
				}
				synctest.Wait()
				if n, u := len(updates), <-updates; n != 1 || (u.Err == nil) != answers {
					t.Errorf("%d updates, first %+v; want one, an answer: %v", n, u, answers)
				}
			})
		})
	}
}

// Each silence is reported, however many there were before, and each once.
func TestSilenceTimerReportsEachSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const silence = 3 * time.Second
		var silences atomic.Int64
		s := newSilenceTimer("10.0.0.7:19533", silence, func(u Update) {
			if u.Err != nil {
				silences.Add(1)
			}
		})
		s.start()
		defer s.stop()
		for round := range int64(3) {
			for range 10 {
				time.Sleep(silence - 1)
				s.recordAnswer(lmp.Answer{})
			}
			time.Sleep(silence - 1)
			synctest.Wait()
			if n := silences.Load(); n != round {
				t.Fatalf("%d silences were reported before silence %d was over, want %d", n, round+1, round)
			}
			time.Sleep(time.Hour)
			if n := silences.Load(); n != round+1 {
				t.Fatalf("%d silences were reported after silence %d, want %d", n, round+1, round+1)
			}
		}
	})
}
