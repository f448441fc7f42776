package sdnotify

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
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
		began := time.Now()
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
		if most := unitsBurst + int(time.Since(began)*unitsPerSecond/time.Second); taken < most-100 || taken > most+1 {
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

// What a process says in quick succession, while its user sends as much as it may, does
// not delay its reports on and on.
func TestReportsBesideFlood(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		const uid = 12345
		p := f.process()
		if err := f.send("epg", p.Pid, uid, "X_LANDMARK_DECLARE=db:condition", "X_LANDMARK_CONDITION=db:1"); err != nil {
			t.Fatal(err)
		}
		for i := range 200 {
			for taken := true; taken; {
				taken, _ = f.limiter.take(senderOf(uid, p.Pid), 1, time.Now())
			}
			if err := f.send("epg", p.Pid, uid, "X_LANDMARK_CONDITION=db:1:"+fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			f.sleep(contract.MinReportInterval / 2)
		}
		f.expect("epg", "after 2.5 s", serving, serving)
	})
}
