package wrapper

import (
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/sdnotify"
)

// step is a notification of the program, and what the service manager is sent for it. The
// lines are separated by blanks.
type step struct {
	seconds float64
	said    string
	sent    string // "=" is the same, "" nothing
}

func TestOutlet(t *testing.T) {
	const (
		loop = "X_LANDMARK_DECLARE=loop:alive:within=1s"
		pass = "X_LANDMARK_REACH=loop"
	)
	for _, tt := range []struct {
		name     string
		watchdog time.Duration
		steps    []step
	}{
		{"a plain program", 2 * time.Second, []step{
			{0, "STATUS=starting", "="}, {1, "READY=1 STATUS=ok", "="}, {1, "WATCHDOG=1", "="}, {1, "WATCHDOG=1", "="},
			{2, "RELOADING=1 MONOTONIC_USEC=1", "="}, {3, "READY=1", "="}, {9, "WATCHDOG=1", "="}, {9, "WATCHDOG=trigger", "="},
			{10, "STOPPING=1", "="}, {10, "FDSTORE=1 FDNAME=a", "="}, {10, "X_OTHER=1", "="}, {11, "", ""},
		}},
		{"its process is not the main process", 0, []step{
			{0, "READY=1 MAINPID=4711", "READY=1"}, {1, "MAINPID=4711", ""}, {2, "X_LANDMARK_DRAIN=1", ""}, {2, "X_LANDMARK_DRAIN=0 STATUS=a", "STATUS=a"},
		}},
		{"ready only once each landmark was reached", 0, []step{
			{0, loop + " X_LANDMARK_DECLARE=db:condition X_LANDMARK_DECLARE=w:deadline:within=1s X_LANDMARK_DECLARE=q:level:degrade_at=1,fail_at=2", ""},
			{0, "READY=1 STATUS=a", "STATUS=a"}, {1, pass, ""}, {1, "X_LANDMARK_CONDITION=db:0:down", "READY=1"}, {2, "READY=1", "="}, {2, pass, ""},
		}},
		{"ready without saying so", 2 * time.Second, []step{{0, loop, ""}, {0, pass, "READY=1"}, {1, pass, "WATCHDOG=1"}}},
		{"READY=1 as a landmark", 2 * time.Second, []step{
			{0, loop + " X_LANDMARK_DECLARE=ready:condition X_LANDMARK_DECLARE=watchdog:alive:within=1s", ""},
			{0, pass, ""}, {1, "STATUS=a", "="}, {1, "READY=1", "="}, {1, "WATCHDOG=1", "="},
		}},
		{"the reason before the program's status", 2 * time.Second, []step{
			{0, loop + " " + pass, "READY=1"}, {2, "STATUS=b", "STATUS=loop last passed 2 s ago, allowed 1 s STATUS=b"},
		}},
		{"a landmark that does not count for readiness", 0, []step{
			{0, "X_LANDMARK_DECLARE=q:level:degrade_at=1,fail_at=2", ""}, {0, "X_LANDMARK_LEVEL=q:0", ""}, {1, "READY=1", "="},
		}},
		{"passes feed the watchdog, not too often", 2 * time.Second, []step{
			{0, loop + " " + pass + " READY=1", "READY=1"},
			{0.3, pass, ""}, {0.6, pass, "WATCHDOG=1"}, {0.9, pass + " WATCHDOG=1", "WATCHDOG=1"}, {1.2, pass, ""}, {1.5, pass + " STATUS=a", "STATUS=a WATCHDOG=1"},
		}},
		{"no watchdog", 0, []step{{0, loop + " " + pass + " READY=1", "READY=1"}, {9, pass, ""}}},
		{"only passes of critical landmarks do", time.Second, []step{
			{0, "X_LANDMARK_DECLARE=loop:alive:within=1s,impact=readiness READY=1", ""},
			{0, pass, "READY=1"}, {1, pass, ""}, {2, "X_LANDMARK_REACH=other", ""},
		}},
		{"none while a critical landmark fails", 2 * time.Second, []step{
			{0, loop + " X_LANDMARK_DECLARE=work:deadline:within=1s READY=1 " + pass, "READY=1"},
			{1, pass + " X_LANDMARK_OPEN=work:1 STATUS=busy", "STATUS=busy WATCHDOG=1"}, {1.9, "WATCHDOG=1", "="}, {1.9, pass, ""},
			{2.5, pass + " WATCHDOG=1", "STATUS=work began 1.5 s ago and has not ended, allowed 1 s"},
			{3, pass + " WATCHDOG=1", ""},
			{3.4, "X_LANDMARK_OPEN=work:0", "STATUS=busy"}, {3.5, pass, "WATCHDOG=1"},
		}},
		{"a late pass proves that it works again", 2 * time.Second, []step{
			{0, loop + " " + pass, "READY=1"}, {5, "WATCHDOG=1", "STATUS=loop last passed 5 s ago, allowed 1 s"},
			{6, pass, "STATUS= WATCHDOG=1"},
		}},
	} {
		r, o := record{}, managerFilter{timeout: tt.watchdog}
		for _, s := range tt.steps {
			lines := split(s.said)
			said := make([]sdnotify.Message, len(lines))
			for i, line := range lines {
				said[i] = r.take(line, at(s.seconds))
			}
			out, same := o.pass(&r, lines, said, at(s.seconds))
			got := strings.Join(out, " ")
			if same && len(out) > 0 {
				if got != s.said {
					t.Errorf("%s: after %g s: %q is called the same as %q", tt.name, s.seconds, got, s.said)
				}
				got = "="
			}
			if got != s.sent {
				t.Errorf("%s: after %g s: %s: sent %q, want %q", tt.name, s.seconds, s.said, got, s.sent)
			}
		}
	}
}

// split splits a notification before each word that is an assignment.
func split(said string) (lines []string) {
	for word := range strings.FieldsSeq(said) {
		lines = append(lines, word)
	}
	return lines
}
