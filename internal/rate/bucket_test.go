package rate

import (
	"testing"
	"time"
)

// start is some instant. The zero time is in the past of every clock.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestTakeStopsAtTheBurst(t *testing.T) {
	b := New[time.Time](10, 5)
	taken := func(now time.Time) (n int) {
		for b.Take(1, now) {
			n++
		}
		return n
	}
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{0, 5}, {0, 0}, {99 * time.Millisecond, 0}, {100 * time.Millisecond, 1}, {400 * time.Millisecond, 3}, {time.Hour, 5}} {
		if got := taken(start.Add(tt.after)); got != tt.want {
			t.Errorf("after %v: took %d tokens, want %d", tt.after, got, tt.want)
		}
	}
	now := start.Add(2 * time.Hour)
	if b.Has(6, now) || b.Take(6, now) || !b.Has(5, now) || !b.Take(5, now) || b.Has(1, now) {
		t.Error("a bucket of 5 tokens has another number of them")
	}
}

func TestReservationsWaitInOrder(t *testing.T) {
	b := New[time.Time](10, 2)
	for i, want := range []time.Duration{0, 0, 100, 200, 300} {
		if wait := b.Reserve(1, start); wait != want*time.Millisecond {
			t.Errorf("reservation %d waits for %v, want %d ms", i, wait, want)
		}
	}
	if wait := b.Reserve(10, start.Add(time.Second)); wait != 800*time.Millisecond {
		t.Errorf("ten more, once it is full again, wait for %v, want 800 ms", wait)
	}
}

// Whoever leaves gives back what it has reserved, also if others have reserved since. The
// bucket never has more than its burst.
func TestGivenBackTokensAreThereAgain(t *testing.T) {
	b := New[time.Time](10, 2)
	for range 1000 {
		b.Reserve(1, start)
	}
	for range 998 {
		b.GiveBack(1)
	}
	if wait := b.Reserve(1, start); wait != 100*time.Millisecond {
		t.Errorf("after 998 of 1000 have left, the next waits for %v, want 100 ms", wait)
	}
	for range 3 {
		b.GiveBack(1)
	}
	b.GiveBack(100)
	if later := start.Add(time.Hour); !b.Has(2, later) || b.Has(3, later) {
		t.Error("the bucket has another number of tokens than its burst")
	}
}

// ticks is a clock of its own kind.
type ticks int64

func (t ticks) Add(d time.Duration) ticks { return t + ticks(d) }
func (t ticks) Sub(u ticks) time.Duration { return time.Duration(t - u) }

func TestBucketByAnotherClock(t *testing.T) {
	b := New[ticks](1, 1)
	if !b.Take(1, 0) || b.Take(1, 0) || b.Take(1, ticks(time.Second-1)) || !b.Take(1, ticks(time.Second)) {
		t.Error("a bucket of one token a second gives another number")
	}
}
