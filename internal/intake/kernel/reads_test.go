package kernel

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// hangingPID is the first number of the processes of which reading hangs in these tests.
const hangingPID = 1000

// hangingServer runs a server that can read all processes at once, except those from
// hangingPID on: these only once released is closed.
func hangingServer(t *testing.T) (r *registry.Registry, released chan struct{}, stop func()) {
	r = registry.New(clock.New(), 0)
	s := New(Config{r, slog.New(slog.DiscardHandler)})
	released = make(chan struct{})
	s.read = func(_ context.Context, id evidence.Process) (*process, error) {
		if id.PID >= hangingPID {
			<-released
		}
		return &process{pid: id.PID, threads: []thread{{id: id.PID, main: true, state: 'S'}}}, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Run(ctx) }()
	return r, released, func() { cancel(); <-ended }
}

// fail makes a process of the user fail, in a service of its own.
func fail(t *testing.T, r *registry.Registry, service string, uid uint32, pid int) {
	t.Helper()
	session, err := r.Open(registry.AgentID{Service: service, Instance: "a", UID: uid}, noLink{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Disconnect)
	session.SetProcess(evidence.Process{PID: pid, Exited: func() bool { return false }})
	session.Declare([]judge.Declared{{Name: "watchdog", Kind: judge.KindAlive, Impact: judge.ImpactCritical, Within: time.Second}})
	if err := session.Report([]registry.Fact{{Reached: true, Age: 2 * time.Second}}, 0); err != nil {
		t.Fatal(err)
	}
}

// summaryOf returns the summary of the service's evidence, "" if there is none.
func summaryOf(r *registry.Registry, service string) string {
	all, _ := r.Evidence(service)
	if len(all) == 0 {
		return ""
	}
	return all[0].Summary
}

// A read that hangs is abandoned and says so, and the processes of others are read.
func TestHangingReadKeepsNoOtherAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, released, stop := hangingServer(t)
		fail(t, r, "hung", 1, hangingPID)
		fail(t, r, "same user", 1, 5)
		fail(t, r, "other", 2, 6)
		synctest.Wait()
		for _, service := range []string{"same user", "other"} {
			if summaryOf(r, service) == "" {
				t.Errorf("while the read of another process hangs, %s has no evidence", service)
			}
		}
		time.Sleep(readTimeout)
		synctest.Wait()
		if got := summaryOf(r, "hung"); !strings.Contains(got, "reading it hangs") {
			t.Errorf("the evidence of the process that cannot be read is %q", got)
		}
		close(released)
		synctest.Wait()
		stop()
	})
}

// One user whose processes cannot be read takes a bounded number of reads, and no other user
// waits for them. Once they have ended, that user's are read again.
func TestHangingReadsOfOneUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, released, stop := hangingServer(t)
		for i := range 3 * workers {
			fail(t, r, "hung"+string(rune('a'+i)), 1, hangingPID+i)
		}
		for range 2 { // before and after the reads are abandoned
			synctest.Wait()
			other := time.Now().String()
			fail(t, r, other, 2, 5)
			synctest.Wait()
			if summaryOf(r, other) == "" {
				t.Error("while the reads of one user hang, another user's process has no evidence")
			}
			time.Sleep(10 * readTimeout)
		}
		fail(t, r, "refused", 1, 6)
		synctest.Wait()
		if got := summaryOf(r, "refused"); got != "" {
			t.Errorf("while the user's reads hang, another of its processes was read: %q", got)
		}
		close(released)
		synctest.Wait()
		fail(t, r, "again", 1, 7)
		synctest.Wait()
		if summaryOf(r, "again") == "" {
			t.Error("after the reads have ended, the user's process has no evidence")
		}
		stop()
	})
}

// One user's processes take long to read, but less than the limit, and fail again and again.
// No other user waits for them, and few of that user's failures wait.
func TestSlowReadsOfOneUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := registry.New(clock.New(), 0)
		s := New(Config{r, slog.New(slog.DiscardHandler)})
		s.read = func(_ context.Context, id evidence.Process) (*process, error) {
			if id.PID >= hangingPID {
				time.Sleep(readTimeout - 1)
			}
			return &process{pid: id.PID, threads: []thread{{id: id.PID, main: true, state: 'S'}}}, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = s.Run(ctx) }()
		for i := range 60 {
			fail(t, r, "slow"+strconv.Itoa(i), 1, hangingPID+i)
			time.Sleep(time.Second / userPerSecond)
			other := "other" + strconv.Itoa(i)
			fail(t, r, other, 2, 5)
			synctest.Wait()
			if summaryOf(r, other) == "" {
				t.Fatal("while the reads of one user take long, another user's process has no evidence")
			}
		}
		time.Sleep(userBurst * readTimeout)
		synctest.Wait()
		read := 0
		for i := range 60 {
			if summaryOf(r, "slow"+strconv.Itoa(i)) != "" {
				read++
			}
		}
		if read < userBurst || read == 60 {
			t.Errorf("of 60 slow processes %d were read, want some, and not those that would wait long", read)
		}
		if n := len(s.reads.users); n != 0 {
			t.Errorf("after all reads have ended, there are those of %d users", n)
		}
		cancel()
		<-ended
	})
}

// The stop does not wait for a read that hangs.
func TestStopAbandonsReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, released, stop := hangingServer(t)
		for i := range workers {
			fail(t, r, "hung"+string(rune('a'+i)), uint32(i), hangingPID+i)
		}
		synctest.Wait()
		began := time.Now()
		stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("the stop took %v, want at most 1 s", took)
		}
		close(released)
		synctest.Wait()
	})
}
