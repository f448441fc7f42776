package poll

import (
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

func isDone(r *Round[string]) bool {
	select {
	case <-r.Done():
		return true
	default:
		return false
	}
}

func TestRoundEndsWithTheLastAnswer(t *testing.T) {
	r := NewRound[string]()
	r.Add("a", 3)
	r.Add("b", 1)
	r.Add("gone", 1)
	if left := r.Answered("a", 2); left != r || isDone(r) {
		t.Error("the answer to an earlier command ended the round")
	}
	if left := r.Answered("stranger", 9); left != r || isDone(r) {
		t.Error("the answer of a session that was not polled ended the round")
	}
	r.Answered("a", 3)
	r.Remove("gone")
	if isDone(r) {
		t.Error("the round ended before b answered")
	}
	if left := r.Answered("b", 2); left != nil || !isDone(r) {
		t.Error("the round did not end with the last answer")
	}
	var none *Round[string]
	if none.Answered("a", 1) != nil || none.Remove("a") != nil {
		t.Error("a nil round became another one, want nil")
	}
}

func TestLimitAllowsAtMostPerSecond(t *testing.T) {
	l := NewLimit()
	var allowed []judge.Instant
	for now := judge.Instant(0); now < judge.Instant(3*time.Second); now = now.Add(time.Millisecond) {
		if l.Allow(now) {
			allowed = append(allowed, now)
		}
	}
	for i := range allowed[:len(allowed)-PerSecond] {
		if d := allowed[i+PerSecond].Sub(allowed[i]); d < time.Second {
			t.Fatalf("got %d commands allowed within %v, want at most %d a second", PerSecond+1, d, PerSecond)
		}
	}
	if most := 3 * PerSecond; len(allowed) < most*4/5 || len(allowed) > most {
		t.Errorf("got %d commands allowed in 3 s, want %d to %d", len(allowed), most*4/5, most)
	}
}
