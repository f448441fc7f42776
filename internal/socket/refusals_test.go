package socket

import (
	"bytes"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRefusalsAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := NewRefusals(slog.New(slog.NewTextHandler(&log, nil)))
		logged := func(want int, client string) {
			t.Helper()
			if got := strings.Count(log.String(), `of="`+client+`" limit=7`); got != want {
				t.Errorf("%s was logged %d times, want %d", client, got, want)
			}
		}
		for range 1000 {
			r.Log("agents", "uid 1", 7)
		}
		logged(1, "uid 1")
		time.Sleep(30 * time.Second)
		r.Log("agents", "uid 2", 7)
		logged(1, "uid 2")
		time.Sleep(30*time.Second - time.Nanosecond)
		r.Log("agents", "uid 1", 7)
		logged(1, "uid 1")
		time.Sleep(time.Nanosecond)
		r.Log("agents", "uid 1", 7)
		r.Log("agents", "uid 2", 7) // its minute is not over
		logged(2, "uid 1")
		logged(1, "uid 2")
		time.Sleep(time.Hour)
		r.Log("agents", "uid 3", 7)
		if n := len(r.lastLogged); n != 1 {
			t.Errorf("%d clients are kept, want the last only", n)
		}
		if counts := maps.Collect(r.Counts); len(counts) != 1 || counts["agents"] != 1005 {
			t.Errorf("got %v refused, want 1005 agents", counts)
		}
	})
}
