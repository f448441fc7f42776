package sdnotify

import (
	"strings"
	"testing"
	"time"
)

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
