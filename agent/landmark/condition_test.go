package landmark

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/collector"
)

func TestConditionReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		c := s.Condition("c", TTL(time.Second))
		read := func(what string, want collector.Sample) {
			t.Helper()
			if diff := cmp.Diff(want, landmarks(&s)[0].Sample(time.Now())); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		time.Sleep(time.Minute)
		read("never set", collector.Sample{Age: time.Minute})
		c.Set(false, "not loaded")
		read("does not hold", collector.Sample{Reached: true, Count: 1, Reason: "not loaded"})
		c.Set(true, "")
		time.Sleep(time.Second)
		c.Set(true, "")
		read("holds", collector.Sample{Reached: true, Count: 3, Met: true})
		time.Sleep(time.Hour)
		read("not renewed", collector.Sample{Reached: true, Age: time.Hour, Count: 3, Met: true})
	})
}

func TestConditionReason(t *testing.T) {
	tests := []struct{ name, reason, want string }{
		{"none", "", ""},
		{"longest", strings.Repeat("x", 255), strings.Repeat("x", 255)},
		{"too long", strings.Repeat("x", 256), strings.Repeat("x", 255)},
		{"cut in a character", strings.Repeat("x", 254) + "é", strings.Repeat("x", 254)},
		{"cut in a long one", strings.Repeat("x", 252) + "😀", strings.Repeat("x", 252)},
		{"cut after one", strings.Repeat("x", 253) + "é!", strings.Repeat("x", 253) + "é"},
		{"not UTF-8", "a\xff\xfeb", "a?b"},
		{"nothing but continuation", strings.Repeat("\x80", 300), "?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s Set
			s.Condition("c").Set(false, tt.reason)
			got := landmarks(&s)[0].Sample(time.Now()).Reason
			if got != tt.want {
				t.Errorf("reason %q, want %q", got, tt.want)
			}
			if len(got) > 255 || !utf8.ValidString(got) {
				t.Errorf("reason %q of %d bytes cannot be reported", got, len(got))
			}
		})
	}
}

// checked is a Condition with a Check, and the carrier's hold on it.
type checked struct {
	t       *testing.T
	carrier collector.Landmark
}

// newChecked returns a Condition that is checked with a timeout of 1 s.
func newChecked(t *testing.T, check func(context.Context) error) checked {
	var s Set
	s.Condition("c", Check(time.Minute, time.Second, check))
	return checked{t, landmarks(&s)[0]}
}

func (c checked) read(what string, want collector.Sample) {
	c.t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, c.carrier.Sample(time.Now())); diff != "" {
		c.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestConditionCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answer error
		c := newChecked(t, func(context.Context) error { return answer })
		if got := c.carrier.PollInterval; got != time.Minute {
			t.Errorf("PollInterval = %v, want 1m0s", got)
		}
		c.carrier.Poll(t.Context())
		c.read("well", collector.Sample{Reached: true, Count: 1, Met: true})
		answer = errors.New("table epg does not exist")
		c.carrier.Poll(t.Context())
		c.read("ill", collector.Sample{Reached: true, Count: 2, Reason: "table epg does not exist"})
	})
}

func TestConditionCheckTimesOut(t *testing.T) {
	const none = "no answer within 1s"
	t.Run("and returns", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newChecked(t, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			asked := time.Now()
			c.carrier.Poll(t.Context())
			if d := time.Since(asked); d != time.Second {
				t.Errorf("asking took %v, want the timeout of 1s", d)
			}
			c.read("timed out", collector.Sample{Reached: true, Count: 1, Reason: none})
		})
	})
	t.Run("and hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			free := make(chan struct{})
			calls := 0
			c := newChecked(t, func(context.Context) error {
				if calls++; calls > 1 {
					<-free
				}
				return nil
			})
			c.carrier.Poll(t.Context())
			c.read("well", collector.Sample{Reached: true, Count: 1, Met: true})
			go c.carrier.Poll(t.Context())
			time.Sleep(time.Second - 1)
			c.read("not yet timed out", collector.Sample{Reached: true, Age: time.Second - 1, Count: 1, Met: true})
			time.Sleep(time.Nanosecond)
			c.read("timed out", collector.Sample{Reached: true, Count: 2, Reason: none})
			time.Sleep(time.Hour)
			c.carrier.Poll(t.Context()) // must not wait for the call that goes on
			close(free)
			c.read("answered an hour late", collector.Sample{Reached: true, Age: time.Hour, Count: 2, Reason: none})
			c.carrier.Poll(t.Context())
			c.read("well again", collector.Sample{Reached: true, Count: 3, Met: true})
			if calls != 3 {
				t.Errorf("%d calls, want 3, one at a time", calls)
			}
		})
	})
}

// What a check says because its carrier has gone is not of the dependency.
func TestConditionCheckIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChecked(t, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		c.carrier.Poll(ctx)
		c.read("cancelled", collector.Sample{Age: time.Millisecond})
	})
}

func TestConditionSetAllocatesOnChangeOnly(t *testing.T) {
	var s Set
	c := s.Condition("c")
	var none *Condition
	long := strings.Repeat("é", 200)
	for name, set := range map[string]func(){
		"holds":     func() { c.Set(true, "") },
		"does not":  func() { c.Set(false, "no route to host") },
		"long":      func() { c.Set(false, long) },
		"not UTF-8": func() { c.Set(false, "\xff") },
		"nil":       func() { none.Set(true, "") },
	} {
		if n := testing.AllocsPerRun(100, set); n != 0 {
			t.Errorf("Set %s, again: %v allocations", name, n)
		}
	}
}

// BenchmarkConditionSet compares Set with an atomic addition.
func BenchmarkConditionSet(b *testing.B) {
	b.Run("atomic", func(b *testing.B) {
		var n atomic.Uint64
		for b.Loop() {
			n.Add(1)
		}
	})
	b.Run("set", func(b *testing.B) {
		var s Set
		c := s.Condition("c")
		for b.Loop() {
			c.Set(false, "no route to host")
		}
	})
}
