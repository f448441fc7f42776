package sdnotify

import (
	"os"
	"strings"
	"testing"
	"time"
)

// Landmarks of each kind that datagrams can carry.
func TestLandmarks(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		declare := []string{
			"X_LANDMARK_DECLARE=loop:alive:within=1s", "X_LANDMARK_DECLARE=load:deadline:within=2s",
			"X_LANDMARK_DECLARE=queue:level:degrade_at=50,fail_at=100,impact=readiness", "X_LANDMARK_DECLARE=db:condition",
		}
		f.mustSend("epg", p.Pid, declare...)
		f.expect("epg", "declared", starting, serving)
		f.mustSend("epg", p.Pid, "X_LANDMARK_REACH=loop", "X_LANDMARK_LEVEL=queue:1", "X_LANDMARK_CONDITION=db:1")
		f.expect("epg", "reached, without READY=1", serving, serving)

		reach := func(d time.Duration) {
			for ; d > 0; d -= 250 * time.Millisecond {
				f.mustSend("epg", p.Pid, "X_LANDMARK_REACH=loop")
				f.sleep(250 * time.Millisecond)
			}
		}
		f.mustSend("epg", p.Pid, declare...) // again, which changes nothing
		reach(5 * time.Second)
		f.expect("epg", "kept up", serving, serving)
		f.sleep(1100 * time.Millisecond)
		f.expect("epg", "loop hangs", "stalled", "stalled")
		reach(time.Second)
		f.expect("epg", "loop goes on", serving, serving)

		f.mustSend("epg", p.Pid, "X_LANDMARK_CONDITION=db:0:no route")
		f.expect("epg", "condition", "failed", serving)
		if got := f.reason("epg"); got != "db does not hold: no route" {
			t.Errorf("the reason is %q", got)
		}
		f.sleep(10 * time.Millisecond)
		f.mustSend("epg", p.Pid, "X_LANDMARK_CONDITION=db:1", "X_LANDMARK_LEVEL=queue:75")
		f.expect("epg", "degraded", serving, serving)
		if a, _ := f.registry.Lookup([]byte("epg"), 0); a.Weight != 50 {
			t.Errorf("the weight is %d, want 50", a.Weight)
		}
		f.sleep(10 * time.Millisecond)
		f.mustSend("epg", p.Pid, "X_LANDMARK_LEVEL=queue:100")
		f.expect("epg", "queue full", "failed", serving)
		f.sleep(10 * time.Millisecond)
		f.mustSend("epg", p.Pid, "X_LANDMARK_LEVEL=queue:0", "X_LANDMARK_OPEN=load:1:500000")
		f.expect("epg", "work open", serving, serving)
		reach(time.Second)
		f.mustSend("epg", p.Pid, "X_LANDMARK_OPEN=load:2") // the oldest is still open
		reach(750 * time.Millisecond)
		f.expect("epg", "work open for 2.25 s", "stalled", "stalled")
		f.mustSend("epg", p.Pid, "X_LANDMARK_OPEN=load:1:100000")
		f.expect("epg", "the oldest has ended", serving, serving)
		f.mustSend("epg", p.Pid, "X_LANDMARK_OPEN=load:0")
		reach(5 * time.Second)
		f.expect("epg", "none open", serving, serving)

		f.mustSend("epg", p.Pid, "X_LANDMARK_DRAIN=1")
		f.expect("epg", "drained", draining, serving)
		f.sleep(10 * time.Millisecond)
		f.mustSend("epg", p.Pid, "X_LANDMARK_DRAIN=0")
		f.expect("epg", "resumed", serving, serving)

		for line, says := range map[string]string{
			"X_LANDMARK_REACH=other":              "is not declared",
			"X_LANDMARK_REACH=queue":              "of another kind",
			"X_LANDMARK_OPEN=loop:1":              "of another kind",
			"X_LANDMARK_DECLARE=a:loop:within=1s": "is not a kind",
		} {
			if err := f.send("epg", p.Pid, 0, line); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: got %v, want an error that contains %q", line, err, says)
			}
		}
	})
}

// READY=1 counts if the program has said it, or declares the landmark itself.
func TestReadyBesideLandmarks(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("epg", p.Pid, "X_LANDMARK_DECLARE=ready:condition", "X_LANDMARK_DECLARE=loop:alive:within=1h", "X_LANDMARK_REACH=loop")
		f.expect("epg", "before READY=1", starting, serving)
		f.mustSend("epg", p.Pid, "READY=1")
		f.expect("epg", "after READY=1", serving, serving)
	})
}

// A declaration of another kind forgets what was said, and too many are refused.
func TestDeclarations(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("epg", p.Pid, "X_LANDMARK_DECLARE=a:condition", "X_LANDMARK_CONDITION=a:1")
		f.expect("epg", "condition", serving, serving)
		f.mustSend("epg", p.Pid, "X_LANDMARK_DECLARE=a:alive:within=1h")
		f.sleep(10 * time.Millisecond)
		f.expect("epg", "another kind", starting, serving)
		var err error
		for i := 0; i < maxLandmarks && err == nil; i++ {
			err = f.send("epg", p.Pid, 0, "X_LANDMARK_DECLARE="+strings.Repeat("b", i+1)+":condition:impact=informational")
		}
		if err == nil || !strings.Contains(err.Error(), "may declare 64 landmarks") {
			t.Errorf("got %v, want that there are too many", err)
		}
	})
}

// All processes together may declare so many landmarks, and those of one user fewer.
func TestLandmarksOfAllProcesses(t *testing.T) {
	run(t, Config{Processes: 200, PerUser: 200}, func(f *fixture) {
		var lines []string
		for i := range 60 {
			lines = append(lines, "X_LANDMARK_DECLARE="+strings.Repeat("x", i+1)+":condition")
		}
		declare := func(uid uint32) (p *os.Process, n int) {
			for ; ; n++ {
				p = f.process()
				if err := f.send("epg", p.Pid, uid, lines...); err != nil {
					if !strings.Contains(err.Error(), "all processes 8192") {
						t.Fatal(err)
					}
					return p, n
				}
			}
		}
		const user = 4711
		if _, n := declare(user); n != maxLandmarksPerUser/60 {
			t.Errorf("%d processes of one user declared 60 landmarks each, want %d", n, maxLandmarksPerUser/60)
		}
		f.mustSend("own", f.process().Pid, lines...) // root may
		for _, p := range f.all() {
			p.leave()
			f.remove(p)
		}
		if n := f.landmarks.Total(); n != 0 {
			t.Errorf("%d landmarks are counted without a process", n)
		}
	})
}
