package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errBroken = errors.New("broken")

// Each address is tried in time for its answer, whatever the ones before it do.
func TestRace(t *testing.T) {
	const limit, late = time.Second, 400 * time.Millisecond
	hang := func(ctx context.Context, _ func()) error { <-ctx.Done(); return ctx.Err() }
	refuse := func(ctx context.Context, setback func()) error { setback(); return hang(ctx, setback) }
	fail := func(context.Context, func()) error { return errBroken }
	answer := func(after time.Duration) func(context.Context, func()) error {
		return func(ctx context.Context, _ func()) error {
			select {
			case <-time.After(after):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	type attempts = []func(context.Context, func()) error
	for name, tt := range map[string]struct {
		attempts attempts
		begin    []time.Duration // when each is tried, in ms, -1 = never
		wins     int             // which one, -1 = none
		after    time.Duration
	}{
		"one":                  {attempts{answer(late)}, []time.Duration{0}, 0, late},
		"one that hangs":       {attempts{hang}, []time.Duration{0}, -1, limit},
		"the first at once":    {attempts{answer(0), hang}, []time.Duration{0, -1}, 0, 0},
		"the first is slow":    {attempts{answer(late), hang, hang}, []time.Duration{0, 250, -1}, 0, late},
		"a black hole":         {attempts{hang, answer(0)}, []time.Duration{0, 250}, 1, 250 * time.Millisecond},
		"two black holes":      {attempts{hang, hang, answer(0)}, []time.Duration{0, 250, 500}, 2, 500 * time.Millisecond},
		"five black holes":     {attempts{hang, hang, hang, hang, hang, answer(late)}, []time.Duration{0, 100, 200, 300, 400, 500}, 5, 900 * time.Millisecond},
		"refused":              {attempts{refuse, refuse, answer(0)}, []time.Duration{0, 0, 0}, 2, 0},
		"failed":               {attempts{fail, fail, answer(0)}, []time.Duration{0, 0, 0}, 2, 0},
		"refused, then a hole": {attempts{refuse, hang, answer(0)}, []time.Duration{0, 0, 250}, 2, 250 * time.Millisecond},
		"all failed":           {attempts{fail, fail}, []time.Duration{0, 0}, -1, 0},
		"all refused":          {attempts{refuse, refuse}, []time.Duration{0, 0}, -1, limit},
		"all are black holes":  {attempts{hang, fail, hang}, []time.Duration{0, 250, 250}, -1, limit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				var addresses []string
				for i := range tt.attempts {
					addresses = append(addresses, fmt.Sprint(i))
				}
				begin := slices.Repeat([]time.Duration{-1}, len(tt.attempts))
				begun := time.Now()
				got, err := race(ctx, addresses, limit, func(ctx context.Context, address string, setback func()) (string, error) {
					i := slices.Index(addresses, address)
					begin[i] = time.Since(begun) / time.Millisecond
					return address, tt.attempts[i](ctx, setback)
				}, func(string) { t.Error("a value was discarded") })
				if took := time.Since(begun); took != tt.after {
					t.Errorf("it took %v, want %v", took, tt.after)
				}
				if !slices.Equal(begin, tt.begin) {
					t.Errorf("they were tried after %d ms, want %d", begin, tt.begin)
				}
				switch {
				case tt.wins >= 0 && (err != nil || got != addresses[tt.wins]):
					t.Errorf("got %q, %v; want %d", got, err, tt.wins)
				case tt.wins < 0 && err == nil:
					t.Errorf("got %q", got)
				case strings.HasPrefix(name, "all ") && (!strings.Contains(err.Error(), "0: ") || !strings.Contains(err.Error(), "; 1: ")):
					t.Errorf("the error is %q, want one of each address", err)
				}
				if name == "all are black holes" && (!errors.Is(err, errBroken) || !errors.Is(err, context.DeadlineExceeded)) {
					t.Errorf("the error is %q", err)
				}
			})
		})
	}
}

// Of two that succeed at the same time one is kept, and the other is not forgotten.
func TestRaceDiscards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var discarded []string
		got, err := race(t.Context(), []string{"a", "b"}, time.Second, func(_ context.Context, address string, setback func()) (string, error) {
			setback()
			time.Sleep(time.Millisecond)
			return address, nil
		}, func(late string) { discarded = append(discarded, late) })
		if err != nil || len(discarded) != 1 || got == discarded[0] {
			t.Errorf("got %q, %v, and %q was discarded", got, err, discarded)
		}
	})
}

func TestRaceIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		tried := 0
		_, err := race(ctx, []string{"a", "b"}, time.Second, func(ctx context.Context, _ string, _ func()) (int, error) {
			tried++
			<-ctx.Done()
			return 0, errBroken
		}, func(int) {})
		if err != context.Canceled || tried != 1 {
			t.Errorf("the error is %v, after %d tries", err, tried)
		}
	})
}
