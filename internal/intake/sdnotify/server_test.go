package sdnotify

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sdnotify"
)

const (
	serving  = "SERVING"
	draining = "draining"
	starting = "starting"
)

// A plain program: from its first word to its clean end.
func TestPlainProgram(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("cache", p.Pid, "STATUS=loading")
		f.expect("cache", "before READY=1", starting, serving)
		f.sleep(time.Hour)
		f.expect("cache", "after an hour", starting, serving)
		f.mustSend("cache", p.Pid, "READY=1", "STATUS=ready to accept connections", "X_OTHER=1")
		f.expect("cache", "after READY=1", serving, serving)
		f.sleep(time.Hour)
		f.expect("cache", "an hour later", serving, serving)

		f.mustSend("cache", p.Pid, "RELOADING=1", "MONOTONIC_USEC=1")
		f.expect("cache", "while it reloads", serving, serving)
		if status, _ := f.registry.Status("cache"); len(status.Texts) != 1 || status.Texts[0].Text != "reloading: ready to accept connections" {
			t.Errorf("while it reloads it says %+v", status.Texts)
		}
		f.mustSend("cache", p.Pid, "READY=1", "ERRNO=2")
		if status, _ := f.registry.Status("cache"); len(status.Texts) != 1 || status.Texts[0].Text != "ready to accept connections (errno 2: no such file or directory)" {
			t.Errorf("after the reload it says %+v", status.Texts)
		}
		f.mustSend("cache", p.Pid, "STOPPING=1")
		f.expect("cache", "after STOPPING=1", draining, serving)
		f.sleep(time.Minute)
		f.expect("cache", "a minute later", draining, serving)
		f.end(p)
		f.expect("cache", "after its end", "stopped", "stopped")
		if got := f.reason("cache"); !strings.HasPrefix(got, "the program said that it stops, and ended ") {
			t.Errorf("the reason is %q", got)
		}
		f.mustSend("cache", f.process().Pid, "READY=1")
		f.expect("cache", "after its successor's READY=1", serving, serving)
	})
}

func TestCrashedProgramIsLost(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("cache", p.Pid, "READY=1")
		f.end(p)
		f.expect("cache", "after its end", "lost", "lost")
		if got := f.reason("cache"); !strings.HasPrefix(got, "the process ended without saying that it stops ") {
			t.Errorf("the reason is %q", got)
		}
		if n := len(f.all()); n != 0 || f.total != 0 {
			t.Errorf("%d processes are known, %d counted, want none", n, f.total)
		}
		f.mustSend("cache", f.process().Pid, "READY=1")
		f.expect("cache", "after its successor's READY=1", serving, serving)
	})
}

// A process that was started in place of one that has exited takes its slot, also if it
// is quicker than the watch over exits.
func TestSuccessorIsQuickerThanTheExit(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		old, successor := f.process(), f.process()
		f.mustSend("app", old.Pid, "READY=1")
		old.Kill()
		old.Wait()
		f.forget(old.Pid)
		f.mustSend("app", successor.Pid, "READY=1")
		f.expect("app", "after the successor's READY=1", "SERVING", "SERVING")
		f.end(old)
		f.expect("app", "after the exit was handled", "SERVING", "SERVING")
	})
}

// The same if the successor has joined before, and starts only then.
func TestSuccessorStartsQuickerThanTheExit(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		old, successor := f.process(), f.process()
		f.mustSend("app", old.Pid, "READY=1")
		f.mustSend("app", successor.Pid, "STATUS=loading")
		old.Kill()
		old.Wait()
		f.forget(old.Pid)
		f.mustSend("app", successor.Pid, "READY=1")
		f.end(old)
		f.expect("app", "after the exit was handled", "SERVING", "SERVING")
	})
}

// That the server stops says of no process that it has ended, to those that join by
// another intake.
func TestStopEndsNoProcess(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		f.mustSend("app", f.process().Pid, "READY=1")
		p := f.all()[0]
		f.stop()
		if (link{p}).HasEnded() {
			t.Error("after the stop the process has ended")
		}
	})
}

// A process that is stopped is stale, and healthy again once it goes on. Its old
// notifications do not make it younger.
func TestStoppedProcessIsStale(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("cache", p.Pid, "READY=1")
		f.sleep(10 * time.Second)
		for _, state := range []byte("Tt") {
			f.setProc(p.Pid, state, 1)
			f.sleep(900 * time.Millisecond)
			f.expect("cache", "just stopped", serving, serving)
			f.sleep(700 * time.Millisecond)
			f.expect("cache", "stopped", "stale", "stale")
			f.setProc(p.Pid, 'S', 1)
			f.sleep(600 * time.Millisecond)
			f.expect("cache", "running again", serving, serving)
		}
		if got := f.log.Count("program lost"); got != 0 {
			t.Errorf("it was lost %d times", got)
		}
	})
}

// A notification that waited, as while landmarkd was stopped, is as old as it is.
func TestNotificationThatWaited(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("epg", p.Pid, "WATCHDOG_USEC=2000000", "READY=1")
		f.sleep(10 * time.Second)
		f.expect("epg", "not fed", "stalled", "stalled")
		for _, tt := range []struct {
			waited time.Duration
			want   string
		}{{3 * time.Second, "stalled"}, {1900 * time.Millisecond, serving}} {
			if err := f.sendLate(tt.waited, "epg", p.Pid, 0, "WATCHDOG=1"); err != nil {
				t.Fatal(err)
			}
			f.sleep(90 * time.Millisecond)
			f.expect("epg", "fed "+tt.waited.String()+" ago", tt.want, tt.want)
		}
		f.sleep(20 * time.Millisecond)
		f.expect("epg", "fed more than 2 s ago", "stalled", "stalled")
	})
}

// A pass that comes late, but in time, is in the answers before the one before it is too
// old. So is the last pass of a process that is stopped.
func TestLatePassIsInTime(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("epg", p.Pid, "X_LANDMARK_DECLARE=loop:alive:within=1s", "X_LANDMARK_REACH=loop", "WATCHDOG_USEC=1000000", "READY=1")
		before, _ := f.registry.Lookup([]byte("epg"), 0)
		for _, late := range []time.Duration{400, 600, 740, 760, 900, 990, 999, 990, 510, 999} {
			for range late {
				f.expect("epg", "in time", serving, serving)
				f.sleep(time.Millisecond)
			}
			f.mustSend("epg", p.Pid, "X_LANDMARK_REACH=loop", "WATCHDOG=1")
		}
		if after, _ := f.registry.Lookup([]byte("epg"), 0); after.Changes != before.Changes {
			t.Errorf("there were %d changes between two checks", after.Changes-before.Changes)
		}
		f.sleep(200 * time.Millisecond)
		f.mustSend("epg", p.Pid, "X_LANDMARK_REACH=loop", "WATCHDOG=1")
		f.setProc(p.Pid, 'T', 1)
		f.sleep(990 * time.Millisecond)
		f.expect("epg", "0.99 s after its last pass", serving, serving)
		f.sleep(20 * time.Millisecond)
		f.expect("epg", "1.01 s after its last pass", "stalled", "stalled")
	})
}

// A process whose state cannot be read is not reported for.
func TestUnreadableProcessIsStale(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("cache", p.Pid, "READY=1")
		f.mu.Lock()
		delete(f.procs, p.Pid)
		f.mu.Unlock()
		f.sleep(10 * time.Second)
		f.expect("cache", "unreadable", "stale", "stale")
		if got := f.log.Count("let landmarkd read /proc"); got != 1 {
			t.Errorf("it was logged %d times, want once", got)
		}
		f.setProc(p.Pid, 'S', 1)
		f.sleep(time.Second)
		f.expect("cache", "readable again", serving, serving)
	})
}

func TestWatchdog(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("cache", p.Pid, "WATCHDOG_USEC=2000000")
		f.sleep(time.Minute)
		f.expect("cache", "before READY=1", starting, serving)
		f.mustSend("cache", p.Pid, "READY=1")
		for range 10 {
			f.expect("cache", "fed", serving, serving)
			f.sleep(1900 * time.Millisecond)
			f.mustSend("cache", p.Pid, "WATCHDOG=1")
		}
		f.sleep(1900 * time.Millisecond)
		f.expect("cache", "1.9 s after the last", serving, serving)
		f.sleep(200 * time.Millisecond)
		f.expect("cache", "2.1 s after the last", "stalled", "stalled")
		if got := f.reason("cache"); !strings.HasPrefix(got, "watchdog last passed 2.") {
			t.Errorf("the reason is %q", got)
		}
		f.mustSend("cache", p.Pid, "WATCHDOG=1")
		f.expect("cache", "fed again", serving, serving)
		f.mustSend("cache", p.Pid, "WATCHDOG_USEC=500000")
		f.sleep(600 * time.Millisecond)
		f.expect("cache", "after a shorter timeout", "stalled", "stalled")
		f.mustSend("cache", p.Pid, "WATCHDOG_USEC=0")
		f.sleep(time.Hour)
		f.expect("cache", "without a watchdog", serving, serving)
	})
}

// A configured watchdog is for programs that do not say. One that is never fed fails.
func TestConfiguredWatchdog(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		if err := f.Configure(map[string]Service{"cache": {Watchdog: time.Second}}); err != nil {
			t.Fatal(err)
		}
		p := f.process()
		f.mustSend("cache", p.Pid, "READY=1")
		f.expect("cache", "ready", serving, serving)
		f.sleep(1100 * time.Millisecond)
		f.expect("cache", "never fed", "stalled", "stalled")
		f.mustSend("cache", p.Pid, "WATCHDOG=1", "WATCHDOG_USEC=5000000")
		f.sleep(4 * time.Second)
		f.expect("cache", "with its own timeout", serving, serving)

		other := f.process()
		f.mustSend("other", other.Pid, "READY=1")
		if err := f.send("other", other.Pid, 0, "WATCHDOG=1"); err == nil || !strings.Contains(err.Error(), "watchdog:") {
			t.Errorf("WATCHDOG=1 without a timeout: got %v", err)
		}
		f.expect("other", "without a timeout", serving, serving)
	})
}

// A program that feeds its watchdog stays healthy when a reload gives it a timeout.
func TestReloadOfWatchdog(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("epg", p.Pid, "READY=1")
		for range 10 {
			f.sleep(time.Second)
			f.send("epg", p.Pid, 0, "WATCHDOG=1")
		}
		if err := f.Configure(map[string]Service{"epg": {Watchdog: 2 * time.Second}}); err != nil {
			t.Fatal(err)
		}
		f.sleep(900 * time.Millisecond)
		f.expect("epg", "with a timeout", serving, serving)
		f.mustSend("epg", p.Pid, "WATCHDOG=1")
		f.sleep(3 * time.Second)
		f.expect("epg", "not fed", "stalled", "stalled")
		if err := f.Configure(nil); err != nil {
			t.Fatal(err)
		}
		f.sleep(time.Second)
		f.expect("epg", "without a timeout", serving, serving)
	})
}

// A triggered watchdog fails at once, and until the process has ended.
func TestTriggeredWatchdog(t *testing.T) {
	for _, timeout := range []string{"WATCHDOG_USEC=60000000", "X_NONE=1"} {
		run(t, Config{}, func(f *fixture) {
			p := f.process()
			f.mustSend("cache", p.Pid, "READY=1", timeout)
			f.expect("cache", "ready", serving, serving)
			f.mustSend("cache", p.Pid, "WATCHDOG=trigger")
			f.expect("cache", "triggered", "stalled", "stalled")
			if got := f.reason("cache"); got != "watchdog: the program reports that it hangs" {
				t.Errorf("the reason is %q", got)
			}
			f.send("cache", p.Pid, 0, "WATCHDOG=1", "READY=1")
			f.sleep(time.Minute)
			f.expect("cache", "fed afterwards", "stalled", "stalled")
			f.mustSend("cache", p.Pid, "STOPPING=1")
			f.expect("cache", "stopping", "stalled", "stalled")
		})
	}
}

// A process that stops need not feed its watchdog.
func TestWatchdogEndsWithStopping(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("cache", p.Pid, "READY=1", "WATCHDOG_USEC=1000000", "X_LANDMARK_DECLARE=loop:alive:within=1s", "X_LANDMARK_REACH=loop")
		f.mustSend("cache", p.Pid, "STOPPING=1")
		f.sleep(time.Minute)
		f.expect("cache", "stopping", draining, serving)
		f.mustSend("cache", p.Pid, "READY=1", "WATCHDOG=1", "STATUS=some programs repeat READY=1")
		f.sleep(time.Minute)
		f.expect("cache", "after READY=1", draining, serving)
		// It goes on, as when a library was closed and is started again.
		f.mustSend("cache", p.Pid, "X_LANDMARK_DECLARE=loop:alive:within=1s")
		f.expect("cache", "declared again", starting, serving)
		f.mustSend("cache", p.Pid, "X_LANDMARK_REACH=loop")
		f.expect("cache", "reached again", serving, serving)
	})
}

// EXTEND_TIMEOUT_USEC extends how long READY=1 may take, if that is limited at all.
func TestExtendTimeout(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		within := 10 * time.Second
		f.registry.Configure(map[string]registry.Policy{"cache": {
			Policy: judge.DefaultPolicy, Landmarks: map[string]registry.Override{readyName: {StartWithin: &within}},
		}}, nil)
		p := f.process()
		f.mustSend("cache", p.Pid, "STATUS=loading")
		f.sleep(9 * time.Second)
		f.mustSend("cache", p.Pid, "EXTEND_TIMEOUT_USEC=5000000")
		f.sleep(4900 * time.Millisecond)
		f.expect("cache", "within the extension", starting, serving)
		f.sleep(200 * time.Millisecond)
		f.expect("cache", "after the extension", "failed", serving)
		f.mustSend("cache", p.Pid, "READY=1")
		f.expect("cache", "ready at last", serving, serving)
	})
}

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

// The shared socket needs the name of the service, and a service's own no other.
func TestServiceName(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		if err := f.send("", p.Pid, 0, "READY=1"); err == nil || !strings.Contains(err.Error(), "X_LANDMARK_SERVICE=") {
			t.Errorf("without a name: got %v", err)
		}
		if err := f.send("", p.Pid, 0, "READY=1", "X_LANDMARK_SERVICE=a/b"); err == nil || !strings.Contains(err.Error(), "X_LANDMARK_SERVICE: ") {
			t.Errorf("a wrong name: got %v", err)
		}
		if err := f.send("cache", p.Pid, 0, "READY=1", "X_LANDMARK_SERVICE=other"); err == nil || !strings.Contains(err.Error(), "came to the socket of cache") {
			t.Errorf("another name: got %v", err)
		}
		f.mustSend("", p.Pid, "READY=1", "X_LANDMARK_SERVICE=epg", "X_LANDMARK_INSTANCE=one")
		f.mustSend("cache", p.Pid, "READY=1", "X_LANDMARK_SERVICE=cache")
		f.expect("epg", "named", serving, serving)
		f.expect("cache", "by its socket", serving, serving)
		if got := f.registry.Names(); len(got) != 2 {
			t.Errorf("the services are %q", got)
		}
		f.end(p)
		f.expect("epg", "after the end of its process", "lost", "lost")
		f.expect("cache", "after the end of its process", "lost", "lost")
	})
}

// A datagram that cannot be used changes nothing.
func TestUnusableDatagrams(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		for name, d := range map[string]sdnotify.Datagram{
			"truncated":   {Data: []byte("READY=1"), PID: os.Getpid(), Truncated: true},
			"NUL":         {Data: []byte("READY=1\x00\x00"), PID: os.Getpid()},
			"invisible":   {Data: []byte("READY=1")},
			"not there":   {Data: []byte("READY=1"), PID: 1 << 30},
			"after it":    {Data: []byte("READY=1"), PID: os.Getpid(), Waited: 1000 * time.Hour},
			"main absent": {Data: []byte("READY=1\nMAINPID=1073741824"), PID: os.Getpid()},
		} {
			d.Received = time.Now()
			if _, err := f.handle(&receiver{server: f.Server, service: "cache"}, &d, sender{}); err == nil {
				t.Errorf("%s: got no error", name)
			}
		}
		if _, err := f.handle(&receiver{server: f.Server}, &sdnotify.Datagram{Data: []byte("BARRIER=1"), PID: 1}, sender{}); err != nil {
			t.Errorf("a barrier: %v", err)
		}
		if got := f.registry.Names(); len(got) != 0 || len(f.all()) != 0 || f.total != 0 {
			t.Errorf("the services are %q, %d processes are known", got, f.total)
		}
	})
}

// Beyond the limits no process is admitted, and those that are there stay.
func TestLimits(t *testing.T) {
	run(t, Config{Processes: 3, PerUser: 2}, func(f *fixture) {
		var all []*os.Process
		for range 4 {
			all = append(all, f.process())
		}
		uid := uint32(4711)
		for i, wanted := range []string{"", "", "as many as one user may have"} {
			err := f.send("a", all[i].Pid, uid, "READY=1")
			if (err == nil) != (wanted == "") || err != nil && !strings.Contains(err.Error(), wanted) {
				t.Errorf("process %d: got %v, want %q", i, err, wanted)
			}
		}
		f.mustSend("b", all[2].Pid, "READY=1")
		if err := f.send("c", all[3].Pid, uid+1, "READY=1"); err != nil {
			t.Errorf("a process of another user: got %v", err)
		}
		if err := f.send("c", f.process().Pid, uid+1, "READY=1"); err == nil || !strings.Contains(err.Error(), "LimitNOFILE=") {
			t.Errorf("a second one: got %v", err)
		}
		f.end(all[0])
		f.end(all[1])
		all[3] = f.process()
		f.mustSend("b", all[3].Pid, "READY=1")
		f.expect("b", "admitted", serving, serving)
	})
}

// When there is no room, a process of the user that has most makes room for those of
// others.
func TestDisplacement(t *testing.T) {
	run(t, Config{Processes: 6, PerUser: 5}, func(f *fixture) {
		const many, few = 4711, 4712
		send := func(service string, uid uint32) error { return f.send(service, f.process().Pid, uid, "READY=1") }
		var first *os.Process
		for i := range 5 {
			p := f.process()
			if i == 0 {
				first = p
			}
			if err := f.send("many", p.Pid, many, "READY=1"); err != nil {
				t.Fatal(err)
			}
			f.sleep(time.Millisecond)
		}
		if err := f.send("many", first.Pid, many, "STATUS=not silent"); err != nil {
			t.Fatal(err)
		}
		for i, want := range []bool{true, true, true, false} { // of 5 and 0: 5 and 1, 4 and 2, 3 and 3
			if err := send("few", few); (err == nil) != want {
				t.Errorf("process %d of the other user: got %v, want it to be admitted: %t", i+1, err, want)
			}
		}
		if err := send("many", many); err == nil {
			t.Error("the first user displaced another with as many")
		}
		if f.processes[key{"many", first.Pid}] == nil {
			t.Error("the process that sent last was displaced")
		}
		f.expect("few", "admitted", serving, serving)
		for range 6 {
			f.mustSend("root", f.process().Pid, "READY=1")
		}
		f.expect("root", "admitted", serving, serving)
		if f.total != 6 || f.byUser[0] != 6 || len(f.all()) != 6 {
			t.Errorf("%d processes are counted, %d of root, %d known, want 6", f.total, f.byUser[0], len(f.all()))
		}
		if err := send("few", few); err == nil {
			t.Error("a user displaced root")
		}
	})
}

// A parent that speaks for its child may do so until it has waited for it, but not for
// long: then the end of the child counts.
func TestParentHasTheLastWord(t *testing.T) {
	parent := os.Getpid()
	for _, tt := range []struct {
		name       string
		stops      bool // the parent says that the child stops
		reaps      bool // the parent waits for the child
		meanwhile  string
		afterwards string
	}{
		{"stopped", true, true, "draining", "stopped"},
		{"lost", false, true, "SERVING", "lost"},
		{"never waited for", false, false, "SERVING", "lost"},
	} {
		run(t, Config{}, func(f *fixture) {
			p := f.process()
			f.setProc(p.Pid, 'S', parent)
			f.setProc(parent, 'S', 1)
			main := "MAINPID=" + strconv.Itoa(p.Pid)
			f.mustSend("epg", parent, "READY=1", main)
			f.expect("epg", tt.name+": running", "SERVING", "SERVING")

			p.Kill()
			f.setProc(p.Pid, 'Z', parent)
			known := f.known(key{"epg", p.Pid}, &sdnotify.Datagram{Received: time.Now()})
			for !known.exit.HasExited() { // SIGKILL takes a moment
				runtime.Gosched()
			}
			f.exited(known)
			if tt.stops {
				f.mustSend("epg", parent, "STOPPING=1", main)
			}
			f.expect("epg", tt.name+": exited", tt.meanwhile, "SERVING")
			if tt.reaps {
				p.Wait()
				f.forget(p.Pid)
				f.sleep(parentInterval)
			} else {
				f.sleep(parentTimeout)
			}
			f.expect("epg", tt.name+": ended", tt.afterwards, tt.afterwards)
		})
	}
}
