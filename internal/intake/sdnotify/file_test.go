package sdnotify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The file has each change, also one that time alone makes.
func TestFileHasEachChange(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		ctx := f.t.Context()
		go f.Server.file.run(ctx, f.saved)
		has := func(when, text string) {
			t.Helper()
			f.sleep(2 * maxRest)
			synctest.Wait()
			b, err := os.ReadFile(f.config.File)
			if err != nil || !strings.Contains(string(b), text) {
				t.Errorf("%s: the file has %s, %v, want it to have %q", when, b, err, text)
			}
		}
		p := f.process()
		f.mustSend("epg", p.Pid, "READY=1", "WATCHDOG_USEC=60000000")
		has("ready", `"ready":true`)
		f.sleep(2 * time.Minute)
		f.expect("epg", "not fed", "stalled", "stalled")
		saved := f.Server.file.read()
		if len(saved) != 1 || saved[0].Watchdog.Age <= time.Minute {
			t.Errorf("not fed: the file has %+v", saved)
		}
		f.end(p)
		f.sleep(2 * maxRest)
		synctest.Wait()
		if saved := f.Server.file.read(); len(saved) != 0 {
			t.Errorf("ended: the file has %+v", saved)
		}
	})
}

// The ages in the file are true from the first process on.
func TestFileOfFirstProcess(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		f.Server.file.save(f.saved)
		go f.Server.file.run(f.t.Context(), f.saved)
		f.sleep(time.Minute)
		f.mustSend("epg", f.process().Pid, "READY=1", "WATCHDOG_USEC=60000000")
		f.sleep(30 * time.Second)
		synctest.Wait()
		if saved := f.Server.file.read(); len(saved) != 1 || saved[0].Watchdog.Age < 25*time.Second {
			t.Errorf("after 30 s the file has %+v", saved)
		}
	})
}

// While the file cannot be written there is none: the next landmarkd must not begin with
// what is not true any more.
func TestFileThatCannotBeWritten(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		go f.Server.file.run(f.t.Context(), f.saved)
		p := f.process()
		f.mustSend("epg", p.Pid, "READY=1", "WATCHDOG_USEC=10000000")
		f.sleep(2 * maxRest)
		synctest.Wait()
		if saved := f.Server.file.read(); len(saved) != 1 {
			t.Fatalf("the file has %+v", saved)
		}
		inTheWay := filepath.Join(f.config.File+".new", "x")
		if err := os.MkdirAll(inTheWay, 0o700); err != nil {
			t.Fatal(err)
		}
		f.sleep(time.Minute)
		f.expect("epg", "not fed", "stalled", "stalled")
		f.sleep(2 * maxRest)
		synctest.Wait()
		if saved := f.Server.file.read(); len(saved) != 0 {
			t.Errorf("the next landmarkd would begin with %+v", saved)
		}
		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		f.sleep(2 * maxRest)
		synctest.Wait()
		if saved := f.Server.file.read(); len(saved) != 1 || saved[0].Watchdog.Age < time.Minute {
			t.Errorf("once it can be written: the file has %+v", saved)
		}
		if got := strings.Count(f.log.String(), "cannot be written"); got != 1 {
			t.Errorf("it was logged %d times", got)
		}
	})
}

// A file that has grown is replaced before the interval is over, and has what was said
// while it was replaced.
func TestFileThatGrows(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		p := f.process()
		f.mustSend("epg", p.Pid, "READY=1")
		f.Server.file.save(f.saved)
		<-f.Server.file.changes // there was no file
		count, size := 0, 0
		for ; len(f.Server.file.changes) == 0; count++ {
			f.mustSend("epg", p.Pid, "STATUS="+strings.Repeat("x", 100+count%100))
			f.sleep(minGap)
			stat, err := os.Stat(f.config.File)
			if err != nil || stat.Size() > 2*minGrowth {
				t.Fatalf("after %d changes: the file has %d bytes, %v", count, stat.Size(), err)
			}
			size = int(stat.Size())
		}
		f.Server.file.save(func() []savedProcess {
			all := f.saved()
			f.mustSend("epg", p.Pid, "STATUS=last")
			return all
		})
		f.mustSend("epg", p.Pid, "ERRNO=1")
		stat, err := os.Stat(f.config.File)
		if err != nil || int(stat.Size()) >= size/100 {
			t.Errorf("of %d bytes the file has %d left, %v", size, stat.Size(), err)
		}
		if saved := f.Server.file.read(); len(saved) != 1 || saved[0].Text != "last" || saved[0].Errno != 1 {
			t.Errorf("the file has %+v", saved)
		}
	})
}

// A file that cannot be appended to is removed at once.
func TestFileThatCannotBeAppendedTo(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		p := f.process()
		f.mustSend("epg", p.Pid, "READY=1")
		f.Server.file.save(f.saved)
		f.Server.file.appending.Close()
		f.mustSend("epg", p.Pid, "STOPPING=1")
		if saved := f.Server.file.read(); len(saved) != 0 {
			t.Errorf("the next landmarkd would begin with %+v", saved)
		}
		f.Server.file.save(f.saved)
		if saved := f.Server.file.read(); len(saved) != 1 || !saved[0].Stopping {
			t.Errorf("once it can be written: the file has %+v", saved)
		}
		f.Server.file.appending.Close()
		f.mustSend("epg", p.Pid, "STATUS=x")
		if got := f.log.Count("cannot be written"); got != 1 {
			t.Errorf("it was logged %d times at once", got)
		}
		f.Server.file.save(f.saved)
		f.sleep(time.Minute)
		f.Server.file.appending.Close()
		f.mustSend("epg", p.Pid, "STATUS=y")
		if got := f.log.Count("cannot be written"); got != 2 {
			t.Errorf("it was logged %d times after a minute", got)
		}
	})
}
