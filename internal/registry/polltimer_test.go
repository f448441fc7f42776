package registry

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
)

// While the main loop answers at once, polls make no beats.
func TestPollsThatAreAnsweredAtOnceMakeNoBeats(t *testing.T) {
	quietly(t, func(t *testing.T, r *Registry) {
		epg := openQuiet(t, r, "epg")
		epg.reportFor(time.Second)
		beats := 0
		for range 100 {
			time.Sleep(20 * time.Millisecond)
			beat, answered := r.clock.NextBeat(), make(chan Answer)
			go func() { answered <- await(t, r, "epg", time.Millisecond) }()
			time.Sleep(time.Millisecond)
			_, real := r.clock.Read()
			epg.got.Add(1)
			if err := epg.session.ReportAt([]Fact{passed}, uint64(epg.commandCount()), real); err != nil {
				t.Fatal(err)
			}
			<-answered
			select {
			case <-beat:
				beats++
			default:
			}
		}
		if n := epg.commandCount(); n != 100 || beats > n/20 {
			t.Errorf("%d polls made %d beats, want hardly one", n, beats)
		}
	})
}

// Neither a pause in the quiet, before the clock beats for the poll, nor one after that
// makes the time shorter in which a main loop must answer.
func TestPollTimerDoesNotCountPauses(t *testing.T) {
	const length = 800 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		c.AddQuietSource()
		stop := run(c)
		r := New(c, 0)
		epg := openQuiet(t, r, "epg")
		epg.reportFor(time.Second)

		timer := newPollTimer(c, length)
		defer timer.stop()
		time.Sleep(10 * length) // in which the process does not run
		<-timer.C
		if timer.passed() {
			t.Fatal("a pause in the quiet counted")
		}
		time.Sleep(10 * time.Millisecond)
		stop()
		time.Sleep(10 * length)
		defer run(c)()
		began := time.Now()
		<-timer.C
		for !timer.passed() {
			<-timer.C
		}
		if took := time.Since(began); took < length-10*time.Millisecond-clock.Beat-clock.MaxGap || took > length {
			t.Errorf("after two pauses the time passed after %v, want the rest of %v", took, length)
		}
	})
}
