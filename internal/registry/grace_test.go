package registry

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// The sidecar is paused right after its start, for longer than the grace. The agent
// could not come back meanwhile, so its service is not answered unknown before it can.
func TestGraceDoesNotCountPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		r := New(c, time.Second)
		r.BeginGrace()
		pause := run(c)
		time.Sleep(100 * time.Millisecond)
		pause()
		time.Sleep(time.Hour)
		defer run(c)()
		status := make(chan judge.Status, 1)
		go func() {
			a, _ := r.Await(t.Context(), []byte("epg"), 0)
			status <- a.Status
		}()
		time.Sleep(600 * time.Millisecond) // the longest that an agent waits before it redials
		synctest.Wait()
		if received(status) {
			t.Error("got an answer before the agent came back, want none")
		}
		open(t, r, "epg", "a").pass()
		if got := <-status; got != judge.Serving {
			t.Errorf("after the agent came back: got %v, want %v", got, judge.Serving)
		}
	})
}

// A service needs no process to report, and its host is healthy. If a hung program
// reports it too, no answer is serving before the agent is back. If none does, the
// host decides once the grace is over.
func TestGraceHoldsServicesThatNeedNoProcess(t *testing.T) {
	for _, agent := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			r := New(c, time.Second)
			p := policy(func(p *Policy) {
				p.Quorum, p.Configured = judge.NoneNeeded, true
				p.StaleAfter = time.Hour
				p.Host = []HostLandmark{{Declared: judge.Declared{Name: "port", Kind: judge.KindCondition, Impact: judge.ImpactReadiness}}}
			})
			r.Configure(map[string]Policy{"epg": p}, map[string]HostReport{"epg": {Facts: []Fact{{Reached: true, Met: true}}}})
			r.BeginGrace()
			defer run(c)()
			want, held := judge.Serving, time.Second
			if agent {
				want, held = judge.NotServing, 400*time.Millisecond
				time.AfterFunc(held, func() { open(t, r, "epg", "a").report(Fact{}) })
			}
			began := time.Now()
			for _, name := range []string{"epg", "epg-liveness"} {
				if _, isFinal := r.Lookup([]byte(name), 0); isFinal {
					t.Errorf("%s at once: got a final answer, want a provisional one", name)
				}
			}
			if a := await(t, r, "epg", 0); a.Status != want || time.Since(began) != held {
				t.Errorf("agent %v: got %v (%s) after %v, want %v after %v", agent, a.Status, a.Reason(), time.Since(began), want, held)
			}
		})
	}
}

// The grace ends after the time that the sidecar has run, and the clock rests then.
func TestGraceEndsAndTheClockRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		r := New(c, time.Second)
		time.Sleep(time.Hour) // between New and BeginGrace
		r.BeginGrace()
		var checks atomic.Int64 // of whether the sidecar has caught up, which follow a pause
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go c.Run(ctx, func() bool { checks.Add(1); return true })
		began := time.Now()
		check(t, "after the grace", await(t, r, "epg", 0), judge.UnknownName)
		if took := time.Since(began); took != time.Second {
			t.Errorf("the answer took %v, want 1s", took)
		}
		time.Sleep(2 * clock.Beat)
		beat := c.NextBeat()
		time.Sleep(time.Hour)
		if received(beat) {
			t.Error("the clock beats after the grace, want it to rest")
		}
		if n := checks.Load(); n > 0 {
			t.Errorf("got %d checks as after a pause, want 0", n)
		}
	})
}

// One of two processes connects at once, and reports only after the grace. Until
// then it is awaited, and not lost. Another user's service is not awaited longer, nor
// is a process that never reports.
func TestGraceIsExtendedWhileAReportIsExpected(t *testing.T) {
	for _, reports := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			r := New(c, time.Second)
			r.Restore([]Membership{
				{Service: "epg", Owned: true, UID: 1000, Members: []Member{{Instance: "a"}, {Instance: "b"}}},
				{Service: "other", Owned: true, UID: 1001, Members: []Member{{Instance: "a"}}},
			}, true)
			r.BeginGrace()
			defer run(c)()
			began := time.Now()
			reported := r.ExpectReport(1000) // of a connection without a hello so far
			a := open(t, r, "epg", "a")
			a.pass()
			check(t, "another user's service", await(t, r, "other", 0), judge.Lost)
			if took := time.Since(began); took != time.Second {
				t.Errorf("another user's service: the answer took %v, want 1s", took)
			}
			a.pass()
			for _, name := range []string{"epg", "epg-liveness"} {
				if got, isFinal := r.Lookup([]byte(name), 0); isFinal || got.Status == judge.Serving {
					t.Errorf("%s after the grace: got %v, final %v; want a provisional answer that is not serving", name, got.Status, isFinal)
				}
			}
			want, after := judge.Lost, 3*time.Second
			if reports {
				want, after = judge.None, 1500*time.Millisecond
				time.AfterFunc(500*time.Millisecond, func() {
					open(t, r, "epg", "b").pass()
					reported()
				})
			}
			go func() {
				for range 8 {
					time.Sleep(250 * time.Millisecond)
					a.pass()
				}
			}()
			got := await(t, r, "epg", 0)
			check(t, fmt.Sprintf("reports %v", reports), got, want)
			if took := time.Since(began); took < after || took > after+clock.MaxGap {
				t.Errorf("reports %v: the answer took %v, want %v", reports, took, after)
			}
			time.Sleep(3 * time.Second)
			if r.grace.extended() || r.grace.holding() {
				t.Error("the grace goes on, want it over")
			}
			reported()
			if n := r.expected.Total(); n > 0 {
				t.Errorf("got %d expected reports, want 0", n)
			}
		})
	}
}

// A service whose one process is enough has served, and then loses that process
// while others may still come back, known ones or not. Watchers that found it
// serving get that at once.
func TestFallInTheGraceIsFinal(t *testing.T) {
	for _, known := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			r := New(c, time.Second)
			r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.Quorum = judge.Any })}, nil)
			if known {
				r.Restore([]Membership{{Service: "epg", Owned: true, UID: 1000, Members: []Member{{Instance: "a"}, {Instance: "b"}}}}, true)
			}
			r.BeginGrace()
			defer run(c)()
			if a, isFinal := r.Lookup([]byte("epg"), 0); isFinal {
				t.Errorf("known %v, before any process is back: got a final answer, %v, want a provisional one", known, a.Status)
			}
			a := open(t, r, "epg", "a")
			a.pass()
			check(t, fmt.Sprintf("known %v, one is back", known), await(t, r, "epg", 0), judge.None)
			a.session.Disconnect()
			for _, name := range []string{"epg", "epg-liveness"} {
				if a, isFinal := r.Lookup([]byte(name), 0); a.Status != judge.NotServing || !isFinal {
					t.Errorf("known %v, %s after the loss: got %v, final %v; want %v, final true", known, name, a.Status, isFinal, judge.NotServing)
				}
			}
		})
	}
}
