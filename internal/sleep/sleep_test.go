package sleep

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestForEndsWithTimeOrContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if !For(ctx, 300*time.Millisecond) || time.Since(began) != 300*time.Millisecond {
			t.Errorf("For did not sleep for 300 ms, but for %v", time.Since(began))
		}
		if For(ctx, time.Hour) || time.Since(began) != time.Second {
			t.Errorf("For did not end with its context after 1 s, but after %v", time.Since(began))
		}
	})
}
