package probe

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// A program that was itself stopped has the time to read what came meanwhile
// before it calls that silence, and no more than that.
func TestVigilOfAProgramThatWasStopped(t *testing.T) {
	for name, unread := range map[string]bool{"server well": true, "server gone": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told := make(chan Update, 10)
				v := newVigil("10.0.0.7:19533", 3*time.Second, func(u Update) { told <- u })
				v.begin()
				defer v.end()
				v.timer.Stop() // as the timer of a stopped program does not fire
				time.Sleep(10 * time.Second)
				v.elapse()
				if len(told) != 0 {
					t.Errorf("told at once: %+v", <-told)
				}
				if unread {
					time.Sleep(catchUp - 1)
					v.heard(lmp.Answer{})
					time.Sleep(3*time.Second - 1)
				} else {
					time.Sleep(time.Hour)
				}
				synctest.Wait()
				if n, u := len(told), <-told; n != 1 || (u.Err == nil) != unread {
					t.Errorf("was told %d times, first %+v", n, u)
				}
			})
		})
	}
}
