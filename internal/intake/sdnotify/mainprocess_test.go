package sdnotify

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/sdnotify"
)

// processOf starts a process of the user, and skips the test if it may not.
func (f *fixture) processOf(uid uint32) *os.Process {
	f.t.Helper()
	if os.Geteuid() != 0 {
		f.t.Skip("needs root, to start processes of other users")
	}
	cmd := exec.Command("sleep", "600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { cmd.Process.Kill(); cmd.Process.Wait() })
	f.setProc(cmd.Process.Pid, 'S', 1)
	return cmd.Process
}

// refused checks that the notification is refused, for a reason that contains says.
func (f *fixture) refused(service string, pid int, uid uint32, says string, lines ...string) {
	f.t.Helper()
	if err := f.send(service, pid, uid, lines...); err == nil || !strings.Contains(err.Error(), says) {
		f.t.Errorf("%q from uid %d: got %v, want an error that contains %q", lines, uid, err, says)
	}
}

const alice, bob = 4711, 4712

// No user may speak for a service of another, whatever the datagram says.
func TestOnlyTheOwnerMaySpeak(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p, stranger := f.processOf(alice), f.processOf(bob)
		if err := f.send("epg", p.Pid, alice, "READY=1", "WATCHDOG_USEC=1000000"); err != nil {
			t.Fatal(err)
		}
		f.sleep(1500 * time.Millisecond)
		f.expect("epg", "not fed", "stalled", "stalled")
		const owned = "service belongs to another user"
		main := fmt.Sprint("MAINPID=", p.Pid)
		f.refused("epg", stranger.Pid, bob, owned, "WATCHDOG=1")
		f.refused("epg", stranger.Pid, bob, owned, "READY=1", "X_LANDMARK_INSTANCE=x")
		f.refused("epg", stranger.Pid, bob, fmt.Sprintf("is a process of uid %d", alice), "WATCHDOG=1", main)
		f.refused("epg", stranger.Pid, bob, fmt.Sprintf("is a process of uid %d", alice), "STOPPING=1", main)
		f.refused("other", stranger.Pid, bob, fmt.Sprintf("is a process of uid %d", alice), "READY=1", main)
		// A process below the main process, of another user, is a stranger, too.
		f.setProc(stranger.Pid, 'S', p.Pid)
		f.refused("epg", stranger.Pid, bob, owned, "WATCHDOG=1")
		f.expect("epg", "after what strangers said", "stalled", "stalled")
		if got := f.registry.Names(); len(got) != 1 || len(f.all()) != 1 {
			t.Errorf("the services are %q, %d processes are known", got, len(f.all()))
		}
		if err := f.send("epg", stranger.Pid, 0, "WATCHDOG=1", main); err != nil {
			t.Errorf("root for another's process: %v", err)
		}
		f.expect("epg", "fed by root", serving, serving)
	})
}

// Root and a process that gives up its rights remain the same process.
func TestMainProcessMayChangeItsUser(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.processOf(alice)
		f.mustSend("epg", p.Pid, "STATUS=starting")
		if err := f.send("epg", p.Pid, alice, "READY=1"); err != nil {
			t.Error(err)
		}
		f.expect("epg", "ready as another user", serving, serving)
	})
}

// Root takes a service over from another user, whose notifications are ignored from then on.
func TestRootTakesOver(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.processOf(alice)
		if err := f.send("epg", p.Pid, alice, "READY=1"); err != nil {
			t.Fatal(err)
		}
		f.mustSend("epg", f.process().Pid, "STATUS=starting")
		f.expect("epg", "taken over", starting, serving)
		if err := f.send("epg", p.Pid, alice, "READY=1"); err != nil {
			t.Error(err)
		}
		f.expect("epg", "after the old owner's READY=1", starting, serving)
		if got := f.log.Count("program refused"); got != 1 {
			t.Errorf("it was logged %d times that the old owner is refused", got)
		}
	})
}

// A helper below the main process speaks for it: a script's systemd-notify, a worker.
func TestHelperSpeaksForItsAncestor(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		main, shell, helper := f.process(), f.process(), f.process()
		f.setProc(shell.Pid, 'S', main.Pid)
		f.setProc(helper.Pid, 'S', shell.Pid)
		f.mustSend("epg", main.Pid, "READY=1", "WATCHDOG_USEC=1000000")
		f.sleep(1500 * time.Millisecond)
		f.mustSend("epg", helper.Pid, "WATCHDOG=1", fmt.Sprint("MAINPID=", main.Pid), "STATUS=by the helper")
		f.expect("epg", "fed by the helper", serving, serving)
		if status, _ := f.registry.Status("epg"); len(f.all()) != 1 || len(status.Texts) != 1 || status.Texts[0].Text != "by the helper" {
			t.Errorf("%d processes are known, which say %+v", len(f.all()), status.Texts)
		}
		f.end(helper)
		f.expect("epg", "after the helper's end", serving, serving)

		// With landmarks or a name of its own it is a process by itself.
		worker := f.process()
		f.setProc(worker.Pid, 'S', main.Pid)
		f.mustSend("epg", worker.Pid, "X_LANDMARK_DECLARE=loop:alive:within=1s", "X_LANDMARK_REACH=loop")
		if got := len(f.all()); got != 2 {
			t.Errorf("%d processes are known, want the worker too", got)
		}
	})
}

// Neither a worker nor a process that has handed over shows that the main process works.
func TestOnlyTheMainProcessFeedsItsWatchdog(t *testing.T) {
	for name, lines := range map[string]string{
		"WATCHDOG=1":    "WATCHDOG=1",
		"WATCHDOG_USEC": "WATCHDOG_USEC=%d",
	} {
		t.Run(name, func(t *testing.T) {
			run(t, Config{}, func(f *fixture) {
				before, main, worker := f.process(), f.process(), f.process()
				f.setProc(worker.Pid, 'S', main.Pid)
				f.mustSend("epg", before.Pid, "READY=1", "WATCHDOG_USEC=1000000")
				f.mustSend("epg", before.Pid, fmt.Sprint("MAINPID=", main.Pid))
				f.mustSend("epg", main.Pid, "WATCHDOG=1")
				f.expect("epg", "fed", serving, serving)
				for i := range 10 { // and the main process hangs
					f.sleep(400 * time.Millisecond)
					for _, p := range []*os.Process{worker, before} {
						line := strings.ReplaceAll(lines, "%d", fmt.Sprint(2000000+i))
						if err := f.send("epg", p.Pid, 0, line, "STATUS=busy"); i == 0 && p == worker && (err == nil || !strings.Contains(err.Error(), "MAINPID=")) {
							t.Errorf("got %v, want an error that names MAINPID=", err)
						}
					}
				}
				f.expect("epg", "fed by others", "stalled", "stalled")
				f.mustSend("epg", main.Pid, "WATCHDOG=1")
				f.expect("epg", "fed by itself", serving, serving)
			})
		})
	}
}

// A datagram is as old as it is, even if landmarkd was paused after it was received.
func TestAgeOfDatagram(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("epg", p.Pid, "READY=1", "WATCHDOG_USEC=1000000")
		d := &sdnotify.Datagram{Data: []byte("WATCHDOG=1"), PID: p.Pid, Received: time.Now(), Waited: 10 * time.Millisecond}
		f.sleep(3 * time.Second)
		if _, err := f.handle(&receiver{server: f.Server, service: "epg"}, d, sender{}); err != nil {
			t.Fatal(err)
		}
		f.expect("epg", "fed 3 s ago", "stalled", "stalled")
	})
}

// MAINPID moves the instance to another process.
func TestMainPID(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		parent, main := f.process(), f.process()
		f.mustSend("epg", parent.Pid, "READY=1", "STATUS=serving")
		f.mustSend("epg", parent.Pid, fmt.Sprint("MAINPID=", main.Pid))
		f.expect("epg", "moved", serving, serving)
		if all := f.all(); len(all) != 1 || all[0].pid != main.Pid {
			t.Errorf("%d processes are known", len(all))
		}
		f.mustSend("epg", parent.Pid, "STATUS=from the parent") // which speaks for it now
		if status, _ := f.registry.Status("epg"); len(f.all()) != 1 || len(status.Texts) != 1 || status.Texts[0].Text != "from the parent" {
			t.Errorf("%d processes are known, which say %+v", len(f.all()), status.Texts)
		}
		f.end(parent)
		f.expect("epg", "after the parent's end", serving, serving)
		f.end(main)
		f.expect("epg", "after its end", "lost", "lost")

		// From a process that has said nothing of itself, as systemd-notify.
		helper, other := f.process(), f.process()
		f.mustSend("epg", helper.Pid, "READY=1", fmt.Sprint("MAINPID=", other.Pid))
		f.end(helper)
		f.expect("epg", "named by a helper", serving, serving)
		f.refused("epg", helper.Pid, 0, "has ended", "READY=1", fmt.Sprint("MAINPID=", main.Pid))
	})
}

// What a process sent before it ended is its own, also if another one has its number by
// now. What that one sends is not.
func TestReusedProcessNumber(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		p := f.process()
		f.mustSend("epg", p.Pid, "READY=1")
		p.Kill()
		p.Wait() // and its exit is not handled yet
		f.mustSend("epg", p.Pid, "STATUS=sent before its end")
		f.mu.Lock()
		f.procs[p.Pid] = procStat{state: 'S', parent: 1, start: 2} // the next process of that number
		f.mu.Unlock()
		f.refused("epg", p.Pid, 0, "has ended", "READY=1") // it exists in this test's /proc only
		f.expect("epg", "after its end", "lost", "lost")
		if len(f.all()) != 0 {
			t.Errorf("%d processes are known", len(f.all()))
		}
	})
}

func TestParseProc(t *testing.T) {
	stat := "4711 (a) R (b) T 12 4711 4711 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1 1"
	if got, err := parseStat([]byte(stat)); err != nil || got != (procStat{state: 'T', parent: 12, start: 98765}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, wrong := range []string{"", "4711 (a", "4711 (a) R 1", strings.Replace(stat, "98765", "x", 1)} {
		if got, err := parseStat([]byte(wrong)); err == nil {
			t.Errorf("%q: got %+v", wrong, got)
		}
	}
	status, err := parseStatus("Name:\ta\nUid:\t1000\t1001\t1002\t1003\nNSpid:\t4711\t1\n")
	if err != nil || status.uid != 1000 || len(status.nested) != 2 || status.nested[1] != 1 {
		t.Errorf("got %+v, %v", status, err)
	}
	if got, err := parseStatus("Name:\ta\n"); err == nil {
		t.Errorf("without Uid: got %+v", got)
	}
	own, err := readStatus(os.Getpid())
	if err != nil || own.uid != uint32(os.Getuid()) {
		t.Errorf("of this process: got %+v, %v", own, err)
	}
	sent := func(ago time.Duration) *sdnotify.Datagram {
		return &sdnotify.Datagram{Received: time.Now(), Waited: ago}
	}
	if stat, err := readStat(os.Getpid()); err != nil || stat.parent != os.Getppid() || stat.stopped() || stat.startedAfter(sent(0)) || !stat.startedAfter(sent(1000*time.Hour)) {
		t.Errorf("of this process: got %+v, %v", stat, err)
	}
}
