package wrapper

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/rule"
	"github.com/landmark-health/landmark/internal/sdnotify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// at returns the instant so many seconds after the start.
func at(seconds float64) rule.Instant {
	return rule.Instant(time.Duration(seconds * float64(time.Second)))
}

func (r *record) takeAll(lines string, at rule.Instant) {
	for line := range strings.SplitSeq(lines, "\n") {
		r.take(line, at)
	}
}

// A new landmarkd is sent what is still true, and no pass of a landmark.
func TestRecordKeepsWhatIsTrue(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines string // said at 0 s
		want  string // at 2 s
	}{
		{"nothing", "", ""},
		{"ready", "READY=1\nSTATUS=a=b\nSTATUS=c", "STATUS=c\nREADY=1"},
		{"cleared", "STATUS=a\nSTATUS=\nX_LANDMARK_DRAIN=1\nX_LANDMARK_DRAIN=0", "X_LANDMARK_DRAIN=0\nSTATUS="},
		{"stopping", "READY=1\nSTOPPING=1\nERRNO=2", "ERRNO=2\nREADY=1\nSTOPPING=1"},
		{"ready again while it stops", "STOPPING=1\nREADY=1", "READY=1\nSTOPPING=1"},
		{"starts again", "WATCHDOG_USEC=3000000\nREADY=1\nSTATUS=a\nSTOPPING=1\nX_LANDMARK_DECLARE=a:condition\nREADY=1", "WATCHDOG_USEC=3000000\nX_LANDMARK_DECLARE=a:condition\nREADY=1"},
		{"reloading", "READY=1\nRELOADING=1\nMONOTONIC_USEC=1", "READY=1\nRELOADING=1"},
		{"reloaded", "READY=1\nRELOADING=1\nREADY=1", "READY=1"},
		{"watchdog", "WATCHDOG_USEC=3000000\nREADY=1\nWATCHDOG=1", "WATCHDOG_USEC=3000000\nREADY=1"},
		{"watchdog not fed", "WATCHDOG_USEC=1000000\nREADY=1", "WATCHDOG_USEC=1000000"},
		{"watchdog not fed while it stops", "WATCHDOG_USEC=1000000\nREADY=1\nSTOPPING=1", "WATCHDOG_USEC=1000000\nREADY=1\nSTOPPING=1"},
		{"hangs by its own word", "READY=1\nWATCHDOG=trigger\nWATCHDOG=1", "WATCHDOG=trigger"},
		{"watchdog off", "WATCHDOG_USEC=1000000\nREADY=1\nWATCHDOG_USEC=0", "READY=1"},
		{"alive", "X_LANDMARK_DECLARE=loop:alive:within=3s\nX_LANDMARK_REACH=loop\nREADY=1", "X_LANDMARK_DECLARE=loop:alive:within=3s\nREADY=1"},
		{"alive, hanging", "READY=1\nX_LANDMARK_DECLARE=loop:alive:within=1s\nX_LANDMARK_REACH=loop", "X_LANDMARK_DECLARE=loop:alive:within=1s"},
		{"level", "X_LANDMARK_DECLARE=q:level:degrade_at=1,fail_at=2\nX_LANDMARK_LEVEL=q:1\nX_LANDMARK_LEVEL=q:1.5",
			"X_LANDMARK_DECLARE=q:level:degrade_at=1,fail_at=2\nX_LANDMARK_LEVEL=q:1.5"},
		{"condition", "X_LANDMARK_DECLARE=db:condition\nX_LANDMARK_CONDITION=db:1:a:b", "X_LANDMARK_DECLARE=db:condition\nX_LANDMARK_CONDITION=db:1:a:b"},
		{"setting that must be renewed", "X_LANDMARK_DECLARE=db:condition:ttl=3s\nX_LANDMARK_CONDITION=db:1", "X_LANDMARK_DECLARE=db:condition:ttl=3s"},
		{"the same, failing", "X_LANDMARK_DECLARE=db:condition:ttl=3s\nX_LANDMARK_CONDITION=db:0:gone", "X_LANDMARK_DECLARE=db:condition:ttl=3s\nX_LANDMARK_CONDITION=db:0:gone"},
		{"open work", "X_LANDMARK_DECLARE=load:deadline:within=9s\nX_LANDMARK_OPEN=load:2:500000", "X_LANDMARK_DECLARE=load:deadline:within=9s\nX_LANDMARK_OPEN=load:2:2500000"},
		{"failing first", "X_LANDMARK_DECLARE=a:condition\nX_LANDMARK_CONDITION=a:1\nX_LANDMARK_DECLARE=b:condition\nX_LANDMARK_CONDITION=b:0",
			"X_LANDMARK_DECLARE=b:condition\nX_LANDMARK_CONDITION=b:0:\nX_LANDMARK_DECLARE=a:condition\nX_LANDMARK_CONDITION=a:1:"},
		{"another kind", "X_LANDMARK_DECLARE=a:condition\nX_LANDMARK_CONDITION=a:1\nX_LANDMARK_DECLARE=a:alive:within=1s", "X_LANDMARK_DECLARE=a:alive:within=1s"},
		{"not declared, mistakes", "X_LANDMARK_REACH=a\nX_LANDMARK_LEVEL=a\nFDSTORE=1\n\x00", ""},
	} {
		var r record
		r.takeAll(tt.lines, at(0))
		if diff := cmp.Diff(tt.want, strings.Join(r.lines(at(2)), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A timeout that the program sets again counts from then on, as for landmarkd.
func TestNewTimeoutCountsFromThenOn(t *testing.T) {
	for _, before := range []string{"WATCHDOG_USEC=10000000\nREADY=1", "WATCHDOG_USEC=0\nREADY=1", "READY=1"} {
		var r record
		r.takeAll(before, at(0))
		r.take("WATCHDOG_USEC=2000000", at(5))
		if r.hangs(at(6)) || !r.hangs(at(8)) {
			t.Errorf("after %q and WATCHDOG_USEC=2000000 at 5 s: at 6 s it hangs: %v, at 8 s: %v", before, r.hangs(at(6)), r.hangs(at(8)))
		}
		r.take("WATCHDOG_USEC=2000000", at(7)) // the same
		if !r.hangs(at(8)) {
			t.Error("repeating the timeout feeds the watchdog")
		}
	}
}

func TestDatagrams(t *testing.T) {
	const header = "X_LANDMARK_SERVICE=epg\n"
	var lines []string
	for range 100 {
		lines = append(lines, "X_LANDMARK_REACH="+strings.Repeat("a", 100))
	}
	lines = append(lines, "", "STATUS="+strings.Repeat("b", 5000))
	var got []string
	for _, d := range datagrams(header, lines) {
		text, ok := strings.CutPrefix(string(d), header)
		if !ok || len(d) > sdnotify.MaxMessage {
			t.Errorf("%d bytes: %.80q", len(d), d)
		}
		got = append(got, strings.Split(strings.TrimSuffix(text, "\n"), "\n")...)
	}
	want := append(lines[:100:100], lines[101][:sdnotify.MaxMessage-len(header)-1])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := datagrams(header, nil); len(got) != 1 || string(got[0]) != header {
		t.Errorf("without lines: %q", got)
	}
}

// What a new landmarkd is sent says the same to landmarkd and to a new record, and fits into
// notifications.
func FuzzRecord(f *testing.F) {
	for _, seed := range []string{
		"READY=1\nSTATUS=a\nERRNO=2", "WATCHDOG_USEC=1000000\nREADY=1\nWATCHDOG=trigger\nSTOPPING=1",
		"X_LANDMARK_DECLARE=l:alive:within=1s\nX_LANDMARK_REACH=l\nX_LANDMARK_DRAIN=1", "X_LANDMARK_DECLARE=q:level:degrade_at=1,fail_at=2\nX_LANDMARK_LEVEL=q:1e300",
		"X_LANDMARK_DECLARE=c:condition:ttl=1s\nX_LANDMARK_CONDITION=c:0:a:b\nRELOADING=1", "X_LANDMARK_DECLARE=d:deadline:within=1s\nX_LANDMARK_OPEN=d:3:7\nSTOPPING=1\nX_LANDMARK_DECLARE=d:deadline:within=2s",
		"X_LANDMARK_DECLARE=d:deadline:within=7s\nX_LANDMARK_OPEN=d:0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, notification string) {
		if _, err := sdnotify.Parse([]byte(notification)); err != nil {
			return // it is not taken
		}
		notification = strings.TrimSuffix(notification, "\x00")
		var r, again record
		r.takeAll(notification, at(0))
		lines := r.lines(at(5))
		again.takeAll(strings.Join(lines, "\n"), at(5))
		if diff := cmp.Diff(slices.Sorted(slices.Values(lines)), slices.Sorted(slices.Values(again.lines(at(5))))); diff != "" {
			t.Errorf("%q (-sent +taken):\n%s", notification, diff)
		}
		for _, d := range datagrams("X_LANDMARK_SERVICE=epg\n", lines) {
			if m, err := sdnotify.Parse(d); err != nil || m.Problem != nil && len(d) < sdnotify.MaxMessage || len(d) > sdnotify.MaxMessage {
				t.Errorf("%q: a notification of %d bytes: %v, %v", notification, len(d), err, m.Problem)
			}
		}
	})
}
