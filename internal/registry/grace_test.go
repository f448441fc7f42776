package registry

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// TestGraceCountsNoPause stops the sidecar right after its start, for longer
// than the grace: the agent could not come back meanwhile, so nobody may be told
// that its service is unknown before it has.
func TestGraceCountsNoPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		r := New(c, time.Second)
		r.BeginGrace()
		stop := run(c)
		time.Sleep(100 * time.Millisecond)
		stop()
		time.Sleep(time.Hour)
		defer run(c)()
		told := make(chan judge.Status, 1)
		go func() {
			a, _ := r.Await(t.Context(), []byte("epg"), 0)
			told <- a.Status
		}()
		time.Sleep(600 * time.Millisecond) // the longest that an agent waits before it dials again
		synctest.Wait()
		select {
		case status := <-told:
			t.Errorf("before its agent is back, a program is told to be %v", status)
		default:
		}
		open(t, r, "epg", "a").pass()
		if status := <-told; status != judge.Serving {
			t.Errorf("a program whose agent has come back is told to be %v", status)
		}
	})
}

// TestGraceOfWhoNeedsNoProcess has a sidecar start beside a program that hangs,
// of a service that needs no process to report, and whose host is well: nobody
// may be told that it serves before its agent is back. Where there is none, the
// host has the word once the grace is over.
func TestGraceOfWhoNeedsNoProcess(t *testing.T) {
	for _, agent := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			r := New(c, time.Second)
			p := DefaultPolicy
			p.Quorum, p.Configured = judge.NoneNeeded, true
			p.StaleAfter = time.Hour
			p.Host = []HostLandmark{{Declared: judge.Declared{Name: "port", Kind: judge.KindCondition, Impact: judge.ImpactReadiness}}}
			r.Configure(map[string]Policy{"epg": p}, map[string]HostReport{"epg": {Facts: []Fact{{Reached: true, Met: true}}}})
			r.BeginGrace()
			defer run(c)()
			want, held := judge.Serving, time.Second
			if agent {
				want, held = judge.NotServing, 400*time.Millisecond
				time.AfterFunc(held, func() { open(t, r, "epg", "a").report(Fact{}) })
			}
			begun := time.Now()
			for _, name := range []string{"epg", "epg-liveness"} {
				if _, settled := r.Lookup([]byte(name), 0); settled {
					t.Errorf("%s is told at once", name)
				}
			}
			if a := ask(t, r, "epg", 0); a.Status != want || time.Since(begun) != held {
				t.Errorf("agent %v: it is %v, %s, after %v", agent, a.Status, a.Reason(), time.Since(begun))
			}
		})
	}
}

// TestGraceEnds holds the grace to the time that the sidecar has run, and lets
// the clock rest behind it.
func TestGraceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		r := New(c, time.Second)
		time.Sleep(time.Hour) // between New and Begin
		r.BeginGrace()
		var looks atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go c.Run(ctx, func() bool { looks.Add(1); return true })
		begun := time.Now()
		a, err := r.Await(t.Context(), []byte("epg"), 0)
		if took := time.Since(begun); err != nil || a.Status != judge.ServiceUnknown || took != time.Second {
			t.Errorf("it is told to be %v, %v, after %v; want unknown after 1 s", a.Status, err, took)
		}
		time.Sleep(2 * clock.Beat)
		beat := c.NextBeat()
		time.Sleep(time.Hour)
		select {
		case <-beat:
			t.Error("the clock does not rest after the grace")
		default:
		}
		if looks.Load() > 0 {
			t.Error("there was a pause")
		}
	})
}
