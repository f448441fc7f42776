package sdnotify

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/bootfile"
)

// restart returns a fixture like f after a restart of landmarkd, which took some time
// in which what change does has happened.
func (f *fixture) restart(away time.Duration, change func()) *fixture {
	f.t.Helper()
	f.Server.file.save(f.saved)
	f.stop()
	f.sleep(away)
	change()
	next := newFixture(f.t, Config{File: f.config.File})
	next.procs = f.procs
	next.restore()
	return next
}

// What a program has said survives a restart of landmarkd, and the time in which none
// ran is not its silence.
func TestRestart(t *testing.T) {
	for name, tt := range map[string]struct {
		said                []string
		wait                time.Duration
		change              func(*fixture, *os.Process)
		before, after, late string // what is answered before the restart, after it, and 1.6 s later
	}{
		"ready":                {said: []string{"READY=1"}, before: serving, after: serving, late: serving},
		"starting":             {said: []string{"STATUS=loading"}, before: starting, after: starting, late: starting},
		"stopping":             {said: []string{"READY=1", "STOPPING=1"}, before: draining, after: draining, late: draining},
		"drained":              {said: []string{"READY=1", "X_LANDMARK_DRAIN=1"}, before: draining, after: draining, late: draining},
		"triggered":            {said: []string{"READY=1", "WATCHDOG=trigger"}, before: "stalled", after: "stalled", late: "stalled"},
		"fed":                  {said: []string{"READY=1", "WATCHDOG_USEC=2000000"}, wait: time.Second, before: serving, after: serving, late: "stalled"},
		"fed with time":        {said: []string{"READY=1", "WATCHDOG_USEC=4000000"}, wait: time.Second, before: serving, after: serving, late: serving},
		"not fed":              {said: []string{"READY=1", "WATCHDOG_USEC=1000000"}, wait: 1100 * time.Millisecond, before: "stalled", after: "stalled", late: "stalled"},
		"a landmark":           {said: []string{"X_LANDMARK_DECLARE=loop:alive:within=2s", "X_LANDMARK_REACH=loop"}, wait: time.Second, before: serving, after: serving, late: "stalled"},
		"a condition":          {said: []string{"X_LANDMARK_DECLARE=db:condition", "X_LANDMARK_CONDITION=db:0:away"}, before: "failed", after: "failed", late: "failed"},
		"a deadline":           {said: []string{"READY=1", "X_LANDMARK_DECLARE=load:deadline:within=2s", "X_LANDMARK_OPEN=load:1:1000000"}, before: serving, after: serving, late: "stalled"},
		"ended":                {said: []string{"READY=1"}, change: (*fixture).end, before: serving, after: "lost", late: "lost"},
		"ended while it stops": {said: []string{"READY=1", "STOPPING=1"}, change: (*fixture).end, before: draining, after: "stopped", late: "stopped"},
		"stopped meanwhile": {said: []string{"READY=1"}, change: func(f *fixture, p *os.Process) { f.setProc(p.Pid, 'T', 1) },
			before: serving, after: serving, late: "stale"},
		"another process has its number": {said: []string{"READY=1"}, change: func(f *fixture, p *os.Process) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.procs[p.Pid] = procStat{state: 'S', parent: 1, start: 2}
		}, before: serving, after: "lost", late: "lost"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, Config{File: temporary(t)}, func(f *fixture) {
				p := f.process()
				f.mustSend("epg", p.Pid, append(tt.said, "X_LANDMARK_INSTANCE=one", "STATUS=x")...)
				f.sleep(tt.wait)
				if got := f.answer("epg"); got != tt.before {
					t.Errorf("before the restart: got %s, want %s", got, tt.before)
				}
				before := f.saved()
				next := f.restart(time.Hour, func() {
					if tt.change != nil {
						tt.change(f, p)
					}
				})
				if got := next.answer("epg"); got != tt.after {
					t.Errorf("after the restart: got %s, want %s: %s", got, tt.after, next.reason("epg"))
				}
				if tt.change == nil {
					after := next.saved()
					for i := range after { // a report was made since
						after[i].Reported, before[i].Reported = 0, 0
					}
					if !reflect.DeepEqual(before, after) {
						t.Errorf("after the restart the file would have\n%+v, before\n%+v", after, before)
					}
				}
				next.sleep(1600 * time.Millisecond)
				if got := next.answer("epg"); got != tt.late {
					t.Errorf("1.6 s later: got %s, want %s: %s", got, tt.late, next.reason("epg"))
				}
			})
		})
	}
}

// A process that was stale before a restart, and is still stopped, is stale after it at
// once.
func TestRestartOverStoppedProcess(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		p := f.process()
		f.mustSend("epg", p.Pid, "READY=1")
		f.setProc(p.Pid, 'T', 1)
		f.sleep(600 * time.Millisecond)
		f.Server.file.save(f.saved) // as when it was found to be stopped
		f.sleep(10 * time.Second)
		f.expect("epg", "stopped", "stale", "stale")
		f.stop()

		// Fake time does not pass for the clock of the file.
		next := newFixture(f.t, Config{File: f.config.File})
		next.procs = f.procs
		processes, _ := next.Server.file.read()
		next.restoreProcess(&processes[0], 10*time.Second)
		next.expect("epg", "after the restart", "stale", "stale")
		next.setProc(p.Pid, 'S', 1)
		next.sleep(time.Second)
		next.expect("epg", "running again", serving, serving)
	})
}

// A process whose landmark has failed because it was stopped, and is stopped no more when
// landmarkd starts again, still fails until it has passed it.
func TestRestartOverProcessThatWasStopped(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		go f.Server.file.run(f.t.Context(), f.saved)
		p := f.process()
		f.mustSend("epg", p.Pid, "X_LANDMARK_DECLARE=loop:alive:within=1s", "X_LANDMARK_REACH=loop")
		f.sleep(200 * time.Millisecond)
		f.setProc(p.Pid, 'T', 1)
		f.sleep(900 * time.Millisecond)
		f.expect("epg", "stopped", "stalled", "stalled") // not stale yet
		f.sleep(maxPause)
		f.stop()

		for state, want := range map[byte]string{'S': "stalled", 'T': "stale"} {
			next := newFixture(f.t, Config{File: f.config.File})
			next.setProc(p.Pid, state, 1)
			processes, _ := next.Server.file.read()
			next.restoreProcess(&processes[0], time.Second)
			next.expect("epg", "after the restart, in the state "+string(state), want, want)
		}
	})
}

// The time in which a process was stopped counts for its landmarks, also while no
// landmarkd ran.
func TestRestartWhileProcessIsStopped(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		p := f.process()
		f.mustSend("epg", p.Pid, "X_LANDMARK_DECLARE=loop:alive:within=1s", "X_LANDMARK_REACH=loop")
		f.sleep(260 * time.Millisecond) // its last report is 10 ms old, its pass 260 ms
		f.setProc(p.Pid, 'T', 1)
		f.sleep(245 * time.Millisecond)
		f.Server.file.save(f.saved)
		f.stop()
		for age, want := range map[time.Duration]string{485 * time.Millisecond: serving, 510 * time.Millisecond: "stalled", 2 * time.Second: "stale"} {
			next := newFixture(f.t, Config{File: f.config.File})
			next.setProc(p.Pid, 'T', 1)
			processes, _ := next.Server.file.read()
			next.restoreProcess(&processes[0], age)
			next.expect("epg", "restarted after "+age.String(), want, want)
		}
	})
}

// The file is written at each change, also one that time alone makes.
func TestFileIsWrittenAtEachChange(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		ctx := f.t.Context()
		go f.Server.file.run(ctx, f.saved)
		has := func(when, text string) {
			t.Helper()
			f.sleep(2 * maxPause)
			synctest.Wait()
			b, err := os.ReadFile(f.config.File)
			if err != nil || !strings.Contains(string(b), text) {
				t.Errorf("%s: the file has %s, %v, want it to have %q", when, b, err, text)
			}
		}
		p := f.process()
		f.mustSend("epg", p.Pid, "READY=1", "WATCHDOG_USEC=60000000")
		has("ready", `"ready":true`)
		f.setProc(p.Pid, 'T', 1)
		has("stopped", `"frozen":true`)
		f.setProc(p.Pid, 'S', 1)
		f.sleep(time.Second)
		if b, _ := os.ReadFile(f.config.File); strings.Contains(string(b), "frozen") {
			t.Errorf("running again: the file has %s", b)
		}
		f.sleep(time.Minute)
		f.expect("epg", "not fed", "stalled", "stalled")
		saved, _ := f.Server.file.read()
		if len(saved) != 1 || saved[0].Watchdog.Age <= time.Minute {
			t.Errorf("not fed: the file has %+v", saved)
		}
		f.end(p)
		has("ended", `"processes":[]`)
	})
}

// A landmarkd that is killed again and again does not hide that a program hangs.
func TestKilledAgainAndAgain(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		p := f.process()
		f.mustSend("epg", p.Pid, "READY=1", "WATCHDOG_USEC=20000000")
		for range 3 {
			ctx, kill := context.WithCancel(f.t.Context())
			go f.Server.file.run(ctx, f.saved)
			f.Server.changed()
			f.sleep(10 * time.Second)
			kill()
			f.stop()
			procs := f.procs
			f = newFixture(f.t, Config{File: f.config.File})
			f.procs = procs
			f.restore()
		}
		f.expect("epg", "not fed for 30 s", "stalled", "stalled")
	})
}

// While the file cannot be written there is none: the next landmarkd must not begin with
// what is not true any more.
func TestFileThatCannotBeWritten(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		go f.Server.file.run(f.t.Context(), f.saved)
		p := f.process()
		f.mustSend("epg", p.Pid, "READY=1", "WATCHDOG_USEC=10000000")
		f.sleep(2 * maxPause)
		synctest.Wait()
		if saved, _ := f.Server.file.read(); len(saved) != 1 {
			t.Fatalf("the file has %+v", saved)
		}
		inTheWay := filepath.Join(f.config.File+".new", "x")
		if err := os.MkdirAll(inTheWay, 0o700); err != nil {
			t.Fatal(err)
		}
		f.sleep(time.Minute)
		f.expect("epg", "not fed", "stalled", "stalled")
		f.sleep(2 * maxPause)
		synctest.Wait()
		if saved, _ := f.Server.file.read(); len(saved) != 0 {
			t.Errorf("the next landmarkd would begin with %+v", saved)
		}
		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		f.sleep(2 * maxPause)
		synctest.Wait()
		if saved, _ := f.Server.file.read(); len(saved) != 1 || saved[0].Watchdog.Age < time.Minute {
			t.Errorf("once it can be written: the file has %+v", saved)
		}
		if got := strings.Count(f.log.String(), "cannot be written"); got != 1 {
			t.Errorf("it was logged %d times", got)
		}
	})
}

// A file that landmarkd cannot have written is ignored, and that is logged.
func TestWrongFiles(t *testing.T) {
	path := temporary(t)
	boot, err := bootfile.ThisBoot()
	if err != nil {
		t.Fatal(err)
	}
	var right string
	run(t, Config{File: path}, func(f *fixture) {
		f.mustSend("epg", f.process().Pid, "READY=1", "X_LANDMARK_DECLARE=a:alive:within=1s")
		f.Server.file.save(f.saved)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		right = string(b)
	})
	if _, err := decode([]byte(right), boot); err != nil {
		t.Fatal(err)
	}
	for old, by := range map[string]string{
		`"version":1`: `"version":2`, boot: "other", `"epg"`: `"a/b"`, `"pid":`: `"pid":-`, `"Name":"a"`: `"Name":"\t"`,
		`"Within":1000000000`: `"Within":1`, `"Name":"ready"`: `"Name":"x"`, `"Name":"watchdog"`: `"Name":"x"`, `"age_ns":`: `"age_ns":-1`,
		"\n": "\n{}", `"processes":[`: `"x":1,"processes":[`, `"reported_ns":`: `"reported_ns":-1`, "}]}": "",
	} {
		wrong := strings.Replace(right, old, by, 1)
		if wrong == right {
			t.Errorf("%q is not in the file", old)
		}
		if d, err := decode([]byte(wrong), boot); err == nil {
			t.Errorf("%q instead of %q: got %+v", by, old, d)
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, Config{File: path}, func(f *fixture) {
		f.restore()
		if got := f.log.Count("is ignored"); got != 1 || len(f.all()) != 0 {
			t.Errorf("a damaged file was logged %d times, and %d processes are known", got, len(f.all()))
		}
	})
}

// FuzzDecode checks that no file crashes landmarkd.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"boot":"b","at_us":1,"processes":[{"service":"epg","pid":1,"start":1,"uid":0,"instance":"a","reported_ns":0,"ready_mark":{"declared":{"Name":"ready","Kind":5,"Impact":2},"age_ns":0},"watchdog_mark":{"declared":{"Name":"watchdog","Kind":1,"Impact":1},"age_ns":0}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decode(b, "b")
		if err != nil {
			return
		}
		for i := range d.Processes {
			p := d.Processes[i].process(0)
			for _, l := range p.state.landmarks(time.Second) {
				l.stateAt(l.Declared, 0)
			}
			p.state.statusText()
		}
	})
}
