package sdnotify

import (
	"testing"
	"testing/synctest"
	"time"
)

// A user that sends too much loses datagrams, and no other does. That is logged once a
// minute.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter()
		alice, bob, root := senderOf(4711, 1), senderOf(4712, 2), senderOf(0, 3)
		if alice != senderOf(4711, 9) || root == senderOf(0, 4) {
			t.Error("senders of one user do not share a limit, or processes of root do")
		}
		taken, logged := 0, 0
		begun := time.Now()
		for range 3000 { // 100,000 a second for 3 s
			for range 100 {
				ok, log := l.take(alice, 1, time.Now())
				if ok {
					taken++
				}
				if log {
					logged++
				}
			}
			time.Sleep(time.Millisecond)
		}
		if most := unitsBurst + int(time.Since(begun)/perUnit); taken < most-100 || taken > most+1 {
			t.Errorf("%d units were taken, want %d", taken, most)
		}
		if logged != 1 {
			t.Errorf("it was logged %d times, want once", logged)
		}
		for _, s := range []sender{bob, root} {
			if ok, _ := l.take(s, createUnits, time.Now()); !ok {
				t.Errorf("%+v may take nothing", s)
			}
		}
		time.Sleep(time.Hour)
		if ok, _ := l.take(alice, unitsBurst, time.Now()); !ok || len(l.buckets) != 1 {
			t.Errorf("an hour later: taken %t, %d buckets are kept", ok, len(l.buckets))
		}
	})
}
