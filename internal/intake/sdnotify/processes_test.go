package sdnotify

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/sdnotify"
)

func TestCrashedProgramIsLost(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("cache", p.Pid, "READY=1")
		f.end(p)
		f.expect("cache", "after its end", "lost", "lost")
		if got := f.reason("cache"); !strings.HasPrefix(got, "the process ended ") || !strings.HasSuffix(got, " ago without saying that it stops") {
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
