//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// strictTimes makes tests assert bounds in real time. It is set by make times and
// needs a quiet machine. Otherwise the tests assert only the order of events,
// because a busy machine can delay any of them.
var strictTimes = os.Getenv("LANDMARK_TIMES") != ""

// testTimeout is how long a test waits for an event, or a client for an answer.
// It is far longer than any of them takes.
const testTimeout = time.Minute

// assertWithin reports an error if took is longer than the bound. Without
// strictTimes it only logs that.
func assertWithin(t *testing.T, took, bound time.Duration, format string, args ...any) {
	t.Helper()
	if took <= bound {
		return
	}
	report := t.Logf
	if strictTimes {
		report = t.Errorf
	}
	report("%s: took %v, want at most %v", fmt.Sprintf(format, args...), took, bound)
}

// defaultWithin is the time within which a main loop must answer, for tests that
// do not depend on it: short enough that a hang is detected soon, and long enough
// for a healthy loop on a busy machine.
var defaultWithin = "2s"

func init() {
	if strictTimes {
		defaultWithin = "500ms"
	}
}

// parallel lets a test that mostly waits run beside others, unless strictTimes
// is set.
func parallel(t *testing.T) {
	if !strictTimes {
		t.Parallel()
	}
}
