package sdnotify

import (
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sdnotify"
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

// EXTEND_TIMEOUT_USEC extends how long READY=1 may take, if that is limited at all.
func TestExtendTimeout(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		within := 10 * time.Second
		f.registry.Configure(map[string]registry.Policy{"cache": {
			Policy: judge.DefaultPolicy, Landmarks: map[string]registry.Override{sdnotify.ReadyName: {StartWithin: &within}},
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
