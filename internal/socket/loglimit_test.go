package socket

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/logtest"
)

func (l *LogLimit) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.windows)
}

func TestLogLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		l := NewLogLimit(logger)
		logged := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			if got := log.Count(what); got != want {
				t.Errorf("%q was logged %d times, want %d", what, got, want)
			}
		}
		flood := l.Logger(logger.With("pid", 7), 1000, "loop").With("more", "x")
		for range 50_000 {
			flood.Info("begun")
		}
		logged("msg=begun pid=7 more=x", linesPerService)
		// Another service of the user, and another user, have their own limits.
		l.Logger(logger, 1000, "other").Warn("lost of 1000")
		l.Logger(logger, 1001, "loop").Warn("lost of 1001")
		logged("lost of 1000", 1)
		logged("lost of 1001", 1)
		logged("suppressed", 0)
		time.Sleep(logInterval)
		logged(fmt.Sprintf("suppressed: too many in a minute\" uid=1000 service=loop lines=%d", 50_000-linesPerService), 1)
		flood.Info("begun")
		logged("msg=begun", linesPerService+1)

		// Ever new names are bounded in lines and in memory.
		for i := range 50_000 {
			l.Logger(logger, 1002, fmt.Sprint("s", i)).Info("named")
		}
		logged("msg=named", linesPerUser)
		if n := l.size(); n > linesPerUser+10 {
			t.Errorf("%d windows are kept", n)
		}
		time.Sleep(logInterval)
		logged(fmt.Sprintf("uid=1002 lines=%d", 50_000-linesPerUser), 1)
		time.Sleep(logInterval)
		l.Logger(logger, 1, "a").Info("later")
		if n := l.size(); n > 2 {
			t.Errorf("%d windows are kept after they expired", n)
		}
	})
}
