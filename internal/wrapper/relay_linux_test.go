package wrapper

import (
	"os"
	"slices"
	"testing"

	"github.com/landmark-health/landmark/internal/rule"
	"github.com/landmark-health/landmark/internal/sdnotify"
)

// A worker cannot show that the program works, unless it names the program.
func TestWithoutProof(t *testing.T) {
	r := &relay{pid: 4711}
	said := []string{"READY=1", "WATCHDOG=1", "WATCHDOG_USEC=1000000", "X_LANDMARK_REACH=loop", "X_LANDMARK_OPEN=work:0", "STATUS=WATCHDOG=1"}
	named := append(slices.Clone(said), "MAINPID=4711")
	other := append(slices.Clone(said), "MAINPID=4712")
	for name, tt := range map[string]struct {
		sender      int
		lines, want []string
	}{
		"the program":            {4711, said, said},
		"a worker":               {4712, said, []string{"READY=1", "STATUS=WATCHDOG=1"}},
		"a script's helper":      {4712, named, named},
		"a worker about another": {4712, other, []string{"READY=1", "STATUS=WATCHDOG=1", "MAINPID=4712"}},
	} {
		if got := r.withoutProof(tt.lines, tt.sender); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// That a proof was left out is reported once, with what to do.
func TestLeftOutProofIsReported(t *testing.T) {
	var warnings []string
	now := func() rule.Instant { return 0 }
	r := &relay{ctx: t.Context(), pid: 4711, sidecar: newSidecar("", "epg", 4711, now), now: now, warn: func(err error) { warnings = append(warnings, err.Error()) }}
	handle := func(pid int, data string) {
		r.handle(&sdnotify.Datagram{PID: pid, UID: uint32(os.Getuid()), Data: []byte(data)})
	}
	handle(4711, "WATCHDOG=1")
	handle(4712, "READY=1\nSTATUS=WATCHDOG=1")
	handle(4712, "WATCHDOG=1\nMAINPID=4711")
	if len(warnings) > 0 {
		t.Errorf("nothing was left out: got %q", warnings)
	}
	handle(4712, "READY=1\nWATCHDOG=1")
	handle(4712, "WATCHDOG=1")
	handle(4713, "X_LANDMARK_REACH=loop")
	want := "WATCHDOG=, WATCHDOG_USEC=, X_LANDMARK_REACH= and X_LANDMARK_OPEN= of the process 4712 have no effect, because it is not the program and does not name it: send them from the program itself, or with MAINPID=4711"
	if !slices.Equal(warnings, []string{want}) {
		t.Errorf("got %q, want %q", warnings, want)
	}
}
