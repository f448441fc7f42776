package gate

import (
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/logtest"
)

// Failures are counted, and logged once a minute however many there are, and however
// often they end.
func TestFailuresAreCountedAndRarelyLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Buffer
		untimed := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		l := failureLog{logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: untimed}))}
		fail := func(n int) {
			for range n {
				l.failed("it fails", errors.New("no"))
				time.Sleep(time.Second)
			}
		}
		want := func(want string) {
			t.Helper()
			if got := log.Take(); got != want {
				t.Errorf("the log is\n%swant\n%s", got, want)
			}
		}
		l.succeeded("it works")
		want("")
		fail(60)
		want("level=WARN msg=\"it fails\" failures=1 err=no\n")
		fail(10)
		want("level=WARN msg=\"it fails\" failures=61 err=no\n")
		l.succeeded("it works")
		l.succeeded("it works")
		want("level=INFO msg=\"it works\" failures=70\n")
		for range 10 {
			fail(1)
			l.succeeded("it works")
		}
		want("")
		fail(50)
		want("level=WARN msg=\"it fails\" failures=41 err=no\n")
	})
}
