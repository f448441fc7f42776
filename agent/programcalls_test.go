package agent

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/contract"
)

// The program's functions are called in the background. One that hangs delays no
// report, and shows.
func TestHangingFunctionsDelayNoReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		hang := make(chan struct{})
		hangs := func() {
			select {
			case <-hang:
				<-t.Context().Done()
			default:
			}
		}
		var length, checks atomic.Int64
		marks.Level("queue", landmark.Above(10, 20), landmark.Poll(func() float64 {
			hangs()
			return float64(length.Load())
		}))
		marks.Condition("db", landmark.Check(2*time.Second, 700*time.Millisecond, func(context.Context) error {
			checks.Add(1)
			hangs()
			return nil
		}))
		st := newFakeStream(t, &marks)
		st.declaration()
		time.Sleep(minStepGap)
		if f := st.within(0, "called first").Facts; !f[0].Reached || !f[1].Met {
			t.Errorf("called first: %v", f)
		}
		st.until(9 * time.Second)
		if n := checks.Load(); n != 5 {
			t.Errorf("checked %d times in 9 s, want 5", n)
		}
		length.Store(15)
		st.until(contract.MaxReportInterval)
		if f := st.report().Facts; f[0].Value != 15 || f[0].Count < 20 {
			t.Errorf("called for each report: %v", f)
		}
		close(hang)
		started := time.Now()
		for {
			f := st.report().Facts
			if !f[1].Met {
				if f[1].Reason != "no answer within 700ms" {
					t.Errorf("reason %q", f[1].Reason)
				}
				break
			}
			if time.Since(started) > 2700*time.Millisecond+minStepGap {
				t.Fatalf("a check hangs for %v: %v", time.Since(started), f[1])
			}
		}
		for range 100 {
			start := time.Now()
			st.report()
			if gap := time.Since(start); gap > contract.MaxReportInterval {
				t.Fatalf("a report came %v after the previous one", gap)
			}
		}
		if f := st.report().Facts; age(f[0]) < 50*time.Second || f[0].Value != 15 || f[1].Met {
			t.Errorf("hanging for 50 s: %v", f)
		}
	})
}
