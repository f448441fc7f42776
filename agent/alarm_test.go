package agent

import (
	"testing"
	"testing/synctest"
	"time"
)

// The alarm ticks when it is set to, or up to slack earlier, whatever it was set to before.
func TestAlarmTicksWhenSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAlarm()
		defer a.Stop()
		for n := range 200 {
			now := time.Now()
			at := now.Add(time.Duration(n%7) * 10 * time.Millisecond)
			if n%3 == 0 {
				at = now.Add(250 * time.Millisecond)
			}
			a.set(at, now)
			a.set(at, now)
			<-a.C
			a.ticked()
			if early := time.Until(at); early < -1 || early > slack {
				t.Fatalf("tick %d came %v before it was due, want 0 to %v", n, early, slack)
			}
			time.Sleep(time.Duration(n%5) * slack / 2)
		}
	})
}

// Each step takes a moment, and makes the next one due an interval later. The ticker is not
// set again for that: else its ticks would come this moment later, too.
func TestAlarmIsLeftWhileStepsAreRegular(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 250 * time.Millisecond
		a := newAlarm()
		defer a.Stop()
		began := time.Now()
		for n := range 20 {
			now := time.Now()
			a.set(now.Add(interval), now)
			<-a.C
			a.ticked()
			if at, want := time.Since(began), time.Duration(n+1)*interval; at != want {
				t.Fatalf("tick %d came after %v, want %v", n, at, want)
			}
			time.Sleep(slack / 2)
		}
	})
}
