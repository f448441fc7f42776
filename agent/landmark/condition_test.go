package landmark

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/collector"
)

func TestConditionSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		c := s.Condition("c", TTL(time.Second))
		check := func(state string, want collector.Sample) {
			t.Helper()
			if diff := cmp.Diff(want, landmarks(&s)[0].Sample(time.Now())); diff != "" {
				t.Errorf("%s (-want +got):\n%s", state, diff)
			}
		}
		time.Sleep(time.Minute)
		check("never set", collector.Sample{Age: time.Minute})
		c.Set(false, "not loaded")
		check("not met", collector.Sample{Reached: true, Count: 1, Reason: "not loaded"})
		c.Set(true, "")
		time.Sleep(time.Second)
		c.Set(true, "")
		check("met", collector.Sample{Reached: true, Count: 3, Met: true})
		time.Sleep(time.Hour)
		check("not renewed", collector.Sample{Reached: true, Age: time.Hour, Count: 3, Met: true})
	})
}

func TestConditionReasonIsCutAndValid(t *testing.T) {
	tests := []struct{ name, reason, want string }{
		{"none", "", ""},
		{"longest", strings.Repeat("x", 255), strings.Repeat("x", 255)},
		{"too long", strings.Repeat("x", 256), strings.Repeat("x", 255)},
		{"cut in a character", strings.Repeat("x", 254) + "é", strings.Repeat("x", 254)},
		{"cut in a long one", strings.Repeat("x", 252) + "😀", strings.Repeat("x", 252)},
		{"cut after one", strings.Repeat("x", 253) + "é!", strings.Repeat("x", 253) + "é"},
		{"not UTF-8", "a\xff\xfeb", "a?b"},
		{"only continuation bytes", strings.Repeat("\x80", 300), "?"},
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
				t.Errorf("reason %q has %d bytes, want at most 255 of UTF-8", got, len(got))
			}
		})
	}
}

// A checked is a Condition with a Check as an agent gets it.
type checked struct {
	t *testing.T
	collector.Landmark
}

// newChecked returns a Condition that is checked with a timeout of 1 s.
func newChecked(t *testing.T, check func(context.Context) error) checked {
	var s Set
	s.Condition("c", Check(time.Minute, time.Second, check))
	return checked{t, landmarks(&s)[0]}
}

func (c checked) check(state string, want collector.Sample) {
	c.t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, c.Sample(time.Now())); diff != "" {
		c.t.Errorf("%s (-want +got):\n%s", state, diff)
	}
}

func TestConditionCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answer error
		c := newChecked(t, func(context.Context) error { return answer })
		if got := c.CallInterval; got != time.Minute {
			t.Errorf("PollInterval = %v, want 1m0s", got)
		}
		c.CallProgram(t.Context())
		c.check("healthy", collector.Sample{Reached: true, Count: 1, Met: true})
		answer = errors.New("table epg does not exist")
		c.CallProgram(t.Context())
		c.check("unhealthy", collector.Sample{Reached: true, Count: 2, Reason: "table epg does not exist"})
	})
}

func TestConditionCheckTimesOut(t *testing.T) {
	const none = "no answer within 1s"
	t.Run("and returns", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newChecked(t, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			start := time.Now()
			c.CallProgram(t.Context())
			if d := time.Since(start); d != time.Second {
				t.Errorf("Poll took %v, want the timeout of 1s", d)
			}
			c.check("timed out", collector.Sample{Reached: true, Count: 1, Reason: none})
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
			c.CallProgram(t.Context())
			c.check("healthy", collector.Sample{Reached: true, Count: 1, Met: true})
			go c.CallProgram(t.Context())
			time.Sleep(time.Second - 1)
			c.check("not yet timed out", collector.Sample{Reached: true, Age: time.Second - 1, Count: 1, Met: true})
			time.Sleep(time.Nanosecond)
			c.check("timed out", collector.Sample{Reached: true, Count: 2, Reason: none})
			time.Sleep(time.Hour)
			c.CallProgram(t.Context()) // must not wait for the running call
			close(free)
			c.check("answered an hour late", collector.Sample{Reached: true, Age: time.Hour, Count: 2, Reason: none})
			c.CallProgram(t.Context())
			c.check("healthy again", collector.Sample{Reached: true, Count: 3, Met: true})
			if calls != 3 {
				t.Errorf("%d calls, want 3 in sequence", calls)
			}
		})
	})
}

// The result of a check after the agent's context is cancelled does not count.
func TestConditionIgnoresCancelledCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChecked(t, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		c.CallProgram(ctx)
		c.check("cancelled", collector.Sample{Age: time.Millisecond})
	})
}

func TestConditionSetAllocatesOnlyOnChange(t *testing.T) {
	var s Set
	c := s.Condition("c")
	var none *Condition
	long := strings.Repeat("é", 200)
	for name, set := range map[string]func(){
		"met":       func() { c.Set(true, "") },
		"not met":   func() { c.Set(false, "no route to host") },
		"long":      func() { c.Set(false, long) },
		"not UTF-8": func() { c.Set(false, "\xff") },
		"nil":       func() { none.Set(true, "") },
	} {
		assertAllocatesNothing(t, "Set "+name, set)
	}
}

// BenchmarkConditionSet compares Set with an atomic addition.
func BenchmarkConditionSet(b *testing.B) {
	b.Run("atomic", benchmarkAtomicAdd)
	b.Run("set", func(b *testing.B) {
		var s Set
		c := s.Condition("c")
		for b.Loop() {
			c.Set(false, "no route to host")
		}
	})
}
