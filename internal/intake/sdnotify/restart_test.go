package sdnotify

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/bootfile"
	"github.com/landmark-health/landmark/internal/judge"
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
			before: serving, after: "stale", late: "stale"},
		"ended, and not waited for": {said: []string{"READY=1"}, change: func(f *fixture, p *os.Process) { f.setProc(p.Pid, 'Z', 1) },
			before: serving, after: "lost", late: "lost"},
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
				next := f.restart(time.Minute, func() {
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
						after[i].At, before[i].At = 0, 0
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

		next := newFixture(f.t, Config{File: f.config.File})
		next.procs = f.procs
		next.restore()
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
		f.sleep(maxRest)
		f.stop()

		for state, want := range map[byte]string{'S': "stalled", 'T': "stale"} {
			next := newFixture(f.t, Config{File: f.config.File})
			next.setProc(p.Pid, state, 1)
			processes := next.Server.file.read()
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
			processes := next.Server.file.read()
			next.restoreProcess(&processes[0], age)
			next.expect("epg", "restarted after "+age.String(), want, want)
		}
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

// A landmarkd that is killed has answered nothing that the next one does not know: what a
// process says is in the file before it is in an answer.
func TestKilled(t *testing.T) {
	const ready = "READY=1"
	for name, tt := range map[string]struct {
		said []string // one notification after the other
		wait time.Duration
		want string
	}{
		"ready":              {said: []string{"STATUS=x", ready}, want: serving},
		"stopping":           {said: []string{ready, "STOPPING=1"}, want: draining},
		"going on":           {said: []string{ready, "STOPPING=1", "X_LANDMARK_DECLARE=db:condition\nX_LANDMARK_CONDITION=db:1"}, want: serving},
		"drained":            {said: []string{ready, "X_LANDMARK_DRAIN=1"}, want: draining},
		"triggered":          {said: []string{ready, "WATCHDOG=trigger"}, want: "stalled"},
		"not fed":            {said: []string{ready, "WATCHDOG_USEC=1000000"}, wait: 1010 * time.Millisecond, want: "stalled"},
		"fed again":          {said: []string{ready, "WATCHDOG_USEC=1000000", "", "WATCHDOG=1"}, wait: 1010 * time.Millisecond, want: serving},
		"a condition":        {said: []string{"X_LANDMARK_DECLARE=db:condition", "X_LANDMARK_CONDITION=db:1", "X_LANDMARK_CONDITION=db:0:away"}, want: "failed"},
		"one of two":         {said: []string{"X_LANDMARK_DECLARE=a:condition", "X_LANDMARK_DECLARE=b:condition", "X_LANDMARK_CONDITION=a:0", "X_LANDMARK_CONDITION=b:1"}, want: "failed"},
		"a level":            {said: []string{ready, "X_LANDMARK_DECLARE=queue:level:degrade_at=9,fail_at=10,impact=readiness", "X_LANDMARK_LEVEL=queue:5", "X_LANDMARK_LEVEL=queue:11"}, want: "failed"},
		"open work":          {said: []string{ready, "X_LANDMARK_DECLARE=load:deadline:within=2s", "X_LANDMARK_OPEN=load:1:3000000"}, want: "stalled"},
		"work begun":         {said: []string{ready, "X_LANDMARK_DECLARE=load:deadline:within=2s", "X_LANDMARK_OPEN=load:0", "X_LANDMARK_OPEN=load:1"}, want: serving},
		"work done":          {said: []string{ready, "X_LANDMARK_DECLARE=load:deadline:within=2s", "X_LANDMARK_OPEN=load:1", "X_LANDMARK_OPEN=load:0"}, want: serving},
		"older work":         {said: []string{ready, "X_LANDMARK_DECLARE=load:deadline:within=2s", "X_LANDMARK_OPEN=load:1", "X_LANDMARK_OPEN=load:1:3000000"}, want: "stalled"},
		"ready again":        {said: []string{"X_LANDMARK_DECLARE=ready:condition", ready, "X_LANDMARK_CONDITION=ready:0", ready}, want: serving},
		"a loop that hangs":  {said: []string{"X_LANDMARK_DECLARE=loop:alive:within=1s", "X_LANDMARK_REACH=loop"}, wait: 1010 * time.Millisecond, want: "stalled"},
		"another declared":   {said: []string{"X_LANDMARK_DECLARE=a:condition", "X_LANDMARK_CONDITION=a:1", "X_LANDMARK_DECLARE=b:condition"}, want: starting},
		"declared otherwise": {said: []string{"X_LANDMARK_DECLARE=a:level:degrade_at=9,fail_at=10,impact=readiness", "X_LANDMARK_LEVEL=a:5", "X_LANDMARK_DECLARE=a:level:degrade_at=3,fail_at=4,impact=readiness"}, want: "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, Config{File: temporary(t)}, func(f *fixture) {
				f.Server.file.save(f.saved) // as Run does, and not again
				p := f.process()
				for _, lines := range tt.said {
					if lines == "" {
						f.sleep(tt.wait)
						tt.wait = 0
						continue
					}
					f.mustSend("epg", p.Pid, lines)
				}
				f.sleep(tt.wait)
				before, said := f.answer("epg"), f.saved()
				f.stop()
				next := newFixture(f.t, Config{File: f.config.File})
				next.procs = f.procs
				next.restore()
				if after := next.answer("epg"); before != tt.want || after != tt.want {
					t.Errorf("got %s before landmarkd was killed and %s after, want %s: %s", before, after, tt.want, next.reason("epg"))
				}
				again := next.saved()
				for i := range again { // only the ages of what is well may be older
					again[i].At, again[i].Reported, said[i].Reported, said[i].At = 0, 0, 0, 0
				}
				if tt.wait == 0 && !reflect.DeepEqual(said, again) {
					t.Errorf("after landmarkd was killed the file would have\n%+v, before\n%+v", again, said)
				}
			})
		})
	}
}

// What changes an answer is written before the answer changes.
func TestWrittenBeforeReported(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		f.Server.file.save(f.saved)
		p := f.process()
		f.mustSend("epg", p.Pid, "READY=1")
		var answers []judge.Cause // at the time of each write
		now := f.Server.file.now
		f.Server.file.now = func() uint64 {
			a, _ := f.registry.Lookup([]byte("epg"), 0)
			answers = append(answers, a.Cause)
			return now()
		}
		f.mustSend("epg", p.Pid, "X_LANDMARK_DRAIN=1")
		f.mustSend("epg", p.Pid, "X_LANDMARK_DRAIN=0")
		if want := []judge.Cause{judge.None, judge.Draining}; !slices.Equal(answers, want) {
			t.Errorf("when it was written, the answers were %v, want %v", answers, want)
		}
	})
}

// A process that is not the main process any more does not come back.
func TestKilledAfterMainProcessMoved(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		f.Server.file.save(f.saved)
		before, after := f.process(), f.process()
		f.mustSend("epg", before.Pid, "READY=1")
		f.mustSend("epg", before.Pid, fmt.Sprint("MAINPID=", after.Pid))
		f.expect("epg", "moved", serving, serving)
		f.stop()
		if saved := f.Server.file.read(); len(saved) != 1 || saved[0].PID != after.Pid || !saved[0].Ready {
			t.Errorf("the file has %+v", saved)
		}
	})
}

// A program that feeds a watchdog without a timeout has fed it, also when landmarkd was
// killed: a timeout may come later.
func TestKilledAfterFirstFeed(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		f.Server.file.save(f.saved)
		p := f.process()
		f.mustSend("epg", p.Pid, "STATUS=x")
		if err := f.send("epg", p.Pid, 0, "WATCHDOG=1"); err == nil {
			t.Error("it is no mistake")
		}
		if saved := f.Server.file.read(); len(saved) != 1 || !saved[0].Watchdog.Reached {
			t.Errorf("the file has %+v", saved)
		}
	})
}

// At each instant, the file has either the process that was the main process before, or
// the one that is now.
func TestKilledWhileMainProcessMoves(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		f.Server.file.save(f.saved)
		before, after := f.process(), f.process()
		f.mustSend("epg", before.Pid, "READY=1")
		start, err := os.ReadFile(f.config.File)
		if err != nil {
			t.Fatal(err)
		}
		f.mustSend("epg", before.Pid, fmt.Sprint("MAINPID=", after.Pid))
		f.mustSend("epg", after.Pid, fmt.Sprint("MAINPID=", before.Pid))
		contents, err := os.ReadFile(f.config.File)
		if err != nil {
			t.Fatal(err)
		}
		boot, err := bootfile.ThisBoot()
		if err != nil {
			t.Fatal(err)
		}
		for end := len(start); end <= len(contents); end++ {
			all, err := decode(contents[:end], boot)
			if err != nil || len(all) != 1 || !all[0].Ready {
				t.Fatalf("killed after %d of %d bytes: the file has %+v, %v", end, len(contents), all, err)
			}
		}
	})
}

// A process that has named another still speaks for that one after landmarkd was killed.
func TestKilledSpeaker(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		f.Server.file.save(f.saved)
		main, speaker := f.process(), f.process()
		f.mustSend("epg", speaker.Pid, fmt.Sprint("MAINPID=", main.Pid))
		for range 2 {
			f.stop()
			next := newFixture(f.t, Config{File: f.config.File})
			next.procs = f.procs
			f = next
			f.restore()
			f.Server.file.save(f.saved)
		}
		f.expect("epg", "restarted", starting, serving)
		f.mustSend("epg", speaker.Pid, "READY=1")
		f.expect("epg", "ready", serving, serving)
		if all := f.all(); len(all) != 1 || all[0].pid != main.Pid {
			t.Errorf("%d processes are known", len(all))
		}
	})
}

// The sessions of the processes begin in the same order again, also that of one that is a
// main process for the second time.
func TestOrderOfSessions(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		f.Server.file.save(f.saved)
		var pids []int
		for range 8 {
			p := f.process()
			f.mustSend("epg", p.Pid, "READY=1")
			pids = append(pids, p.Pid)
		}
		f.mustSend("epg", pids[0], fmt.Sprint("MAINPID=", f.process().Pid))
		f.mustSend("epg", pids[0], "READY=1", "X_LANDMARK_INSTANCE=again")
		sessions := func(all []savedProcess) (pids []int) {
			for _, p := range all {
				pids = append(pids, p.PID)
			}
			return pids
		}
		want := append(pids[1:], sessions(f.saved())[7], pids[0])
		appended := sessions(f.Server.file.read())
		f.Server.file.save(f.saved)
		if replaced := sessions(f.Server.file.read()); !slices.Equal(appended, want) || !slices.Equal(replaced, want) {
			t.Errorf("the file had the processes in the order %v, and has them in %v, want %v", appended, replaced, want)
		}
	})
}

// A process that was displaced does not come back.
func TestKilledAfterDisplacement(t *testing.T) {
	run(t, Config{File: temporary(t), Processes: 2, PerUser: 2}, func(f *fixture) {
		f.Server.file.save(f.saved)
		for _, uid := range []uint32{12345, 12345, 0} {
			if err := f.send(fmt.Sprint("of-", uid), f.process().Pid, uid, "READY=1"); err != nil {
				t.Fatal(err)
			}
		}
		if saved := f.Server.file.read(); len(saved) != 2 || len(f.all()) != 2 {
			t.Errorf("%d processes are known, and the file has %+v", len(f.all()), saved)
		}
	})
}

// A process that stops right after its first notification was not stopped all the time
// before.
func TestKilledAfterFirstNotification(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		f.Server.file.save(f.saved)
		f.sleep(time.Hour)
		f.mustSend("epg", f.process().Pid, "STATUS=x")
		if saved := f.Server.file.read(); len(saved) != 1 || saved[0].Reported > time.Second {
			t.Errorf("the file has %+v", saved)
		}
	})
}
