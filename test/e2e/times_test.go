//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// timesHeld says that the machine is quiet, so that bounds in real time are held: make times sets it. Elsewhere a test
// asserts the order of events alone, for a busy machine can delay any of them.
var strictTimes = os.Getenv("LANDMARK_TIMES") != ""

// patience is how long a test waits for an event, or a client for an answer. Nothing takes so long unless something is wrong.
const testTimeout = time.Minute

// within holds that something took no longer than the bound, where times are held, and logs it elsewhere if it did.
func assertWithin(t *testing.T, took, bound time.Duration, format string, args ...any) {
	t.Helper()
	if took <= bound {
		return
	}
	complain := t.Logf
	if strictTimes {
		complain = t.Errorf
	}
	complain("%s took %v, allowed %v", fmt.Sprintf(format, args...), took, bound)
}

// usual is within what time a main loop must answer where a test does not care: soon enough to be found out, and late
// enough for a healthy one on a busy machine.
var defaultWithin = "2s"

func init() {
	if strictTimes {
		defaultWithin = "500ms"
	}
}

// parallel lets a test that mostly waits run beside others, unless times are held.
func parallel(t *testing.T) {
	if !strictTimes {
		t.Parallel()
	}
}
