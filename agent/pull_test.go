package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
)

// answer runs the loop's open command.
func answer(loop *landmark.Loop) { (<-loop.C())() }

// quietStream returns a desk past its first report.
func quietStream(t *testing.T, marks *landmark.Set) *fakeStream {
	d := newFakeStream(t, marks)
	d.declaration()
	d.report()
	return d
}

func TestPullWaitsForEveryLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		a := marks.Loop("a", time.Hour)
		b := marks.Loop("b", time.Hour)
		d := quietStream(t, &marks)
		answer(a) // the commands of the cadence
		answer(b)
		d.report()

		time.Sleep(100 * time.Millisecond)
		d.ask(1)
		answer(a)
		if r := d.report(); r.Answered != 0 {
			t.Errorf("answered %d, though one loop is silent", r.Answered)
		}
		answer(b)
		r := d.within(0, "both answered")
		if r.Answered != 1 || r.Facts[0].Count != 2 || r.Facts[1].Count != 2 {
			t.Errorf("got %v, want question 1 answered", r)
		}
		if r := d.report(); r.Answered != 1 {
			t.Errorf("the next report says answered %d, want still 1", r.Answered)
		}
		d.connect()
		d.declaration()
		if r := d.report(); r.Answered != 0 {
			t.Errorf("a new stream is told that its question %d was answered", r.Answered)
		}
	})
}

// An answer that comes after the question is fresh, whenever its command was
// put; one that came before is not.
func TestPullJoinsOpenCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Hour)
		d := quietStream(t, &marks) // the cadence's command is open
		d.ask(7)
		answer(loop)
		if r := d.within(0, "joined"); r.Answered != 7 {
			t.Errorf("answered %d, want 7", r.Answered)
		}
		d.ask(8)
		if r := d.report(); r.Answered != 7 {
			t.Errorf("answered %d by an answer from before the question", r.Answered)
		}
		d.ask(3) // late and superseded
		answer(loop)
		if r := d.within(0, "answered"); r.Answered != 8 {
			t.Errorf("answered %d, want 8", r.Answered)
		}
	})
}

func TestPullWithoutLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		marks.Alive("reader", time.Hour)
		d := quietStream(t, &marks)
		d.ask(1)
		if r := d.within(0, "no loops"); r.Answered != 1 {
			t.Errorf("answered %d, want 1", r.Answered)
		}
	})
}

// A question that is out of place must not seem answered.
func TestPullIgnoresStrayQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		marks.Loop("main loop", time.Hour)
		d := newFakeStream(t, &marks)
		d.ask(1) // before the declaration
		d.declaration()
		if r := d.report(); r.Answered != 0 {
			t.Errorf("an early question was answered: %v", r)
		}
		old := d.slot
		d.connect()
		d.declaration()
		d.requests <- getStateRequest{old, 2}
		if r := d.report(); r.Answered != 0 {
			t.Errorf("a question of an old stream was answered: %v", r)
		}
	})
}

// A loop that is declared while a question is open has to answer it too.
func TestPullAsksLateLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		first := marks.Loop("first", time.Hour)
		d := quietStream(t, &marks)
		d.ask(1)
		late := marks.Loop("late", time.Hour)
		d.declaration()
		answer(first)
		if r := d.until(time.Second); r.Answered != 0 {
			t.Errorf("answered %d without the late loop", r.Answered)
		}
		answer(late)
		if r := d.within(0, "late loop answered"); r.Answered != 1 {
			t.Errorf("answered %d, want 1", r.Answered)
		}
	})
}

// Questions that come faster than slow loops answer, out of step with each
// other, are still found answered.
func TestPullDoesNotStarve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		slow := func(loop *landmark.Loop, phase time.Duration) {
			time.Sleep(phase)
			for t.Context().Err() == nil {
				select {
				case answer := <-loop.C():
					time.Sleep(30 * time.Millisecond)
					answer()
				case <-t.Context().Done():
				}
			}
		}
		a, b := marks.Loop("a", time.Second), marks.Loop("b", time.Second)
		background(t, func() { slow(a, 0) })
		background(t, func() { slow(b, 15*time.Millisecond) })
		d := quietStream(t, &marks)
		var asked, answered uint64
		for range 100 {
			asked++
			d.ask(asked)
			time.Sleep(10 * time.Millisecond)
			select {
			case d.ready <- d.slot:
			default:
			}
			select {
			case m := <-d.slot.messages:
				answered = m.GetReport().Answered
			default:
			}
		}
		if answered < asked-10 {
			t.Errorf("of %d questions in a second, %d is the latest answered", asked, answered)
		}
	})
}
