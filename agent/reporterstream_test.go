package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// Reports continue without a landmark, so that the sidecar knows that the process
// lives.
func TestReportsWithoutLandmarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFakeStream(t, new(landmark.Set))
		if l := st.declaration(); len(l) != 0 {
			t.Errorf("declared %v, want none", l)
		}
		st.report()
		st.report()
		st.report()
		if passed := time.Since(st.since); passed != time.Second {
			t.Errorf("three reports took %v, want 1s", passed)
		}
	})
}

// While a stream cannot send, no messages wait. Its next message is the current state.
func TestReportsAreNotQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Second)
		alive := marks.Alive("reader", 2*time.Second)
		serve(t, loop)
		st := newFakeStream(t, &marks)
		st.declaration()
		st.report()
		alive.Reach()
		time.Sleep(time.Hour)
		if n := len(st.mailbox.messages); n != 0 {
			t.Errorf("%d messages wait, want 0", n)
		}
		r := st.within(0, "report due")
		if f := r.Facts[0]; f.Count < 4*3600-10 || age(f) > 250*time.Millisecond {
			t.Errorf("the loop received too few commands while the stream could not send: %v", f)
		}
		if f := r.Facts[1]; age(f) < time.Hour-time.Second {
			t.Errorf("age of a landmark reached an hour ago: %v", age(f))
		}
	})
}

// A new stream gets the true ages of what happened before it.
func TestReconnectionReportsTrueAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		healthy := marks.Loop("healthy", time.Second)
		hanging := marks.Loop("hanging", time.Second)
		reader := marks.Alive("reader", time.Second)
		serve(t, healthy)
		st := newFakeStream(t, &marks)
		(<-hanging.C())()
		reader.Reach()
		st.declaration()
		st.report()
		time.Sleep(time.Hour + time.Millisecond) // between two commands
		st.connect()
		if l := st.declaration(); len(l) != 3 || l[1].Name != "hanging" {
			t.Errorf("declared again: %v", l)
		}
		f := st.within(0, "new stream").Facts
		if f[0].Open || age(f[0]) > 250*time.Millisecond {
			t.Errorf("healthy loop: %v", f[0])
		}
		if !f[1].Open || age(f[1]) < time.Hour {
			t.Errorf("hanging loop: %v", f[1])
		}
		if age(f[2]) < time.Hour-time.Second {
			t.Errorf("unreached landmark: %v", f[2])
		}
	})
}

func TestLateLandmarksAreDeclared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		marks.Alive("first", time.Minute)
		st := newFakeStream(t, &marks)
		st.declaration()
		st.until(time.Second)

		second := marks.Alive("second", 200*time.Millisecond,
			landmark.StartWithin(time.Minute), landmark.Informational)
		second.Reach()
		start := time.Now()
		l := st.declaration()
		if len(l) != 2 {
			t.Fatalf("declared %v, want 2 landmarks", l)
		}
		want := &reportv1.Landmark{
			Name: "second", Kind: reportv1.Kind_KIND_ALIVE, Impact: reportv1.Impact_IMPACT_INFORMATIONAL,
			WithinUs: 200_000, StartWithinUs: 60_000_000,
		}
		if l[1].String() != want.String() {
			t.Errorf("declared %v, want %v", l[1], want)
		}
		if r := st.report(); len(r.Facts) != 2 || !r.Facts[1].Reached {
			t.Errorf("reported %v, want 2 facts and the second reached", r)
		}
		if took := time.Since(start); took > minStepGap {
			t.Errorf("the declaration and its report took %v, want at most %v", took, minStepGap)
		}
		for range 4 {
			st.report()
		}
		if took := time.Since(start); took > 200*time.Millisecond+minStepGap {
			t.Errorf("4 reports at the interval of the new landmark took %v", took)
		}
	})
}
