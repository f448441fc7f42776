package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
)

// answer runs the loop's open command.
func answer(loop *landmark.Loop) { (<-loop.C())() }

// quietStream returns a stream after its first report.
func quietStream(t *testing.T, marks *landmark.Set) *fakeStream {
	st := newFakeStream(t, marks)
	st.declaration()
	st.report()
	return st
}

func TestPullWaitsForEveryLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		a := marks.Loop("a", time.Hour)
		b := marks.Loop("b", time.Hour)
		st := quietStream(t, &marks)
		answer(a) // the regular commands
		answer(b)
		st.report()

		time.Sleep(100 * time.Millisecond)
		st.request(1)
		answer(a)
		if r := st.report(); r.Answered != 0 {
			t.Errorf("answered %d before every loop has answered, want 0", r.Answered)
		}
		answer(b)
		r := st.within(0, "both answered")
		if r.Answered != 1 || r.Facts[0].Count != 2 || r.Facts[1].Count != 2 {
			t.Errorf("got %v, want request 1 answered", r)
		}
		if r := st.report(); r.Answered != 1 {
			t.Errorf("next report: answered %d, want 1", r.Answered)
		}
		st.connect()
		st.declaration()
		if r := st.report(); r.Answered != 0 {
			t.Errorf("new stream: answered %d, want 0", r.Answered)
		}
	})
}

// An answer after the request counts, even if its command was sent before it. An
// answer before the request does not count.
func TestPullAcceptsAnswerToOpenCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		loop := marks.Loop("main loop", time.Hour)
		st := quietStream(t, &marks) // a regular command is open
		st.request(7)
		answer(loop)
		if r := st.within(0, "answer to the open command"); r.Answered != 7 {
			t.Errorf("answered %d, want 7", r.Answered)
		}
		st.request(8)
		if r := st.report(); r.Answered != 7 {
			t.Errorf("answered %d with an answer before the request, want 7", r.Answered)
		}
		st.request(3) // late, and replaced by 8
		answer(loop)
		if r := st.within(0, "answered"); r.Answered != 8 {
			t.Errorf("answered %d, want 8", r.Answered)
		}
	})
}

func TestPullWithoutLoopsIsAnsweredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		marks.Alive("reader", time.Hour)
		st := quietStream(t, &marks)
		st.request(1)
		if r := st.within(0, "no loops"); r.Answered != 1 {
			t.Errorf("answered %d, want 1", r.Answered)
		}
	})
}

// A request before the declaration, or of an ended stream, is never answered.
func TestPullIgnoresMisplacedRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		marks.Loop("main loop", time.Hour)
		st := newFakeStream(t, &marks)
		st.request(1) // before the declaration
		st.declaration()
		if r := st.report(); r.Answered != 0 {
			t.Errorf("request before the declaration was answered: %v", r)
		}
		old := st.mailbox
		st.connect()
		st.declaration()
		st.requests <- getStateRequest{old, 2}
		if r := st.report(); r.Answered != 0 {
			t.Errorf("request of an ended stream was answered: %v", r)
		}
	})
}

// A loop that is declared while a request is open must answer it, too.
func TestPullWaitsForNewLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks landmark.Set
		first := marks.Loop("first", time.Hour)
		st := quietStream(t, &marks)
		st.request(1)
		late := marks.Loop("late", time.Hour)
		st.declaration()
		answer(first)
		if r := st.until(time.Second); r.Answered != 0 {
			t.Errorf("answered %d before the new loop has answered, want 0", r.Answered)
		}
		answer(late)
		if r := st.within(0, "new loop answered"); r.Answered != 1 {
			t.Errorf("answered %d, want 1", r.Answered)
		}
	})
}

// Some requests are answered even if they arrive faster than two slow loops answer.
func TestPullAnswersUnderFastRequests(t *testing.T) {
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
		st := quietStream(t, &marks)
		var requested, answered uint64
		for range 100 {
			requested++
			st.request(requested)
			time.Sleep(10 * time.Millisecond)
			select {
			case st.ready <- st.mailbox:
			default:
			}
			select {
			case m := <-st.mailbox.messages:
				answered = m.GetReport().Answered
			default:
			}
		}
		if answered < requested-10 {
			t.Errorf("after %d requests in a second, the latest answered is %d", requested, answered)
		}
	})
}
