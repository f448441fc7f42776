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

// race tries each address early enough for its answer, whatever the earlier ones do.
func TestRaceTriesEachAddressInTime(t *testing.T) {
	const limit, late = time.Second, 400 * time.Millisecond
	hang := func(ctx context.Context, _ func()) error { <-ctx.Done(); return ctx.Err() }
	refuse := func(ctx context.Context, onError func()) error { onError(); return hang(ctx, onError) }
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
		starts   []time.Duration // of each attempt, in ms; -1 = never
		winner   int             // -1 = none
		after    time.Duration
	}{
		"one":                    {attempts{answer(late)}, []time.Duration{0}, 0, late},
		"one, hangs":             {attempts{hang}, []time.Duration{0}, -1, limit},
		"first at once":          {attempts{answer(0), hang}, []time.Duration{0, -1}, 0, 0},
		"first is slow":          {attempts{answer(late), hang, hang}, []time.Duration{0, 250, -1}, 0, late},
		"one hangs":              {attempts{hang, answer(0)}, []time.Duration{0, 250}, 1, 250 * time.Millisecond},
		"two hang":               {attempts{hang, hang, answer(0)}, []time.Duration{0, 250, 500}, 2, 500 * time.Millisecond},
		"five hang":              {attempts{hang, hang, hang, hang, hang, answer(late)}, []time.Duration{0, 100, 200, 300, 400, 500}, 5, 900 * time.Millisecond},
		"two refuse":             {attempts{refuse, refuse, answer(0)}, []time.Duration{0, 0, 0}, 2, 0},
		"two fail":               {attempts{fail, fail, answer(0)}, []time.Duration{0, 0, 0}, 2, 0},
		"one refuses, one hangs": {attempts{refuse, hang, answer(0)}, []time.Duration{0, 0, 250}, 2, 250 * time.Millisecond},
		"all fail":               {attempts{fail, fail}, []time.Duration{0, 0}, -1, 0},
		"all refuse":             {attempts{refuse, refuse}, []time.Duration{0, 0}, -1, limit},
		"all hang or fail":       {attempts{hang, fail, hang}, []time.Duration{0, 250, 250}, -1, limit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				var addresses []string
				for i := range tt.attempts {
					addresses = append(addresses, fmt.Sprint(i))
				}
				starts := slices.Repeat([]time.Duration{-1}, len(tt.attempts))
				start := time.Now()
				got, err := race(ctx, addresses, limit, func(ctx context.Context, address string, onError func()) (string, error) {
					i := slices.Index(addresses, address)
					starts[i] = time.Since(start) / time.Millisecond
					return address, tt.attempts[i](ctx, onError)
				}, func(string) { t.Error("a value was discarded") })
				if took := time.Since(start); took != tt.after {
					t.Errorf("race returned after %v, want %v", took, tt.after)
				}
				if !slices.Equal(starts, tt.starts) {
					t.Errorf("the attempts started after %d ms, want %d", starts, tt.starts)
				}
				switch {
				case tt.winner >= 0 && (err != nil || got != addresses[tt.winner]):
					t.Errorf("race returned %q, %v; want %d", got, err, tt.winner)
				case tt.winner < 0 && err == nil:
					t.Errorf("race returned %q, want an error", got)
				case strings.HasPrefix(name, "all ") && (!strings.Contains(err.Error(), "0: ") || !strings.Contains(err.Error(), "; 1: ")):
					t.Errorf("the error is %q, want one of each address", err)
				}
				if name == "all hang or fail" && (!errors.Is(err, errBroken) || !errors.Is(err, context.DeadlineExceeded)) {
					t.Errorf("the error is %q, want it to match that of each address", err)
				}
			})
		})
	}
}

// Of two attempts that succeed at the same time, race returns one value and discards
// the other.
func TestRaceDiscardsLateValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var discarded []string
		got, err := race(t.Context(), []string{"a", "b"}, time.Second, func(_ context.Context, address string, onError func()) (string, error) {
			onError()
			time.Sleep(time.Millisecond)
			return address, nil
		}, func(late string) { discarded = append(discarded, late) })
		if err != nil || len(discarded) != 1 || got == discarded[0] {
			t.Errorf("race returned %q, %v and discarded %q; want one each", got, err, discarded)
		}
	})
}

func TestRaceReturnsWhenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		attempts := 0
		_, err := race(ctx, []string{"a", "b"}, time.Second, func(ctx context.Context, _ string, _ func()) (int, error) {
			attempts++
			<-ctx.Done()
			return 0, errBroken
		}, func(int) {})
		if err != context.Canceled || attempts != 1 {
			t.Errorf("race returned %v after %d attempts, want context.Canceled after 1", err, attempts)
		}
	})
}
