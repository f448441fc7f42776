package frontend

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/logtest"
)

func TestRejectionsAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := NewRejections[int]("malformed", "late")
		var log logtest.Buffer
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Log(ctx, slog.New(slog.NewTextHandler(&log, nil)), "refused")
		}()
		wantLines := func(want ...string) {
			t.Helper()
			synctest.Wait()
			got := log.Take()
			if strings.Count(got, "\n") != len(want) {
				t.Errorf("logged %q, want %q", got, want)
			}
			for _, line := range want {
				if !strings.Contains(got, "msg=refused "+line+"\n") {
					t.Errorf("logged %q, want %q", got, line)
				}
			}
		}
		r.Add(0, 0)
		r.Add(0, 5)
		time.Sleep(time.Minute - time.Nanosecond)
		wantLines()
		time.Sleep(time.Nanosecond)
		wantLines("why=malformed in_last_minute=5 total=5")
		time.Sleep(time.Minute)
		wantLines()
		r.Count(0)
		r.Count(1)
		time.Sleep(time.Minute)
		wantLines("why=malformed in_last_minute=1 total=6", "why=late in_last_minute=1 total=1")
		if got, want := maps.Collect(r.All), map[string]uint64{"malformed": 6, "late": 1}; !maps.Equal(got, want) {
			t.Errorf("counted %v, want %v", got, want)
		}
		cancel()
		<-done
	})
}
