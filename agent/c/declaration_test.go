//go:build linux

package c_test

import (
	"fmt"
	"strings"
	"testing"
)

// Each declaration is one line, with the times that landmarkd is to allow.
func TestDeclarationsOnTheWire(t *testing.T) {
	for _, tt := range []struct{ declare, want string }{
		// A quarter more than within, because passes are sent that late.
		{"alive\ta\t1000", "a:alive:within=1250000us,impact=critical"},
		{"alive\ta\t100", "a:alive:within=125000us,impact=critical"},
		{"alive\ta\t60000\t4\t5000", "a:alive:within=60500000us,start_within=5000000us,impact=informational"},
		{"alive\ta\t86400000", "a:alive:within=86400000000us,impact=critical"},
		{"loop\tmain loop\t1000", "main loop:alive:within=1250000us,impact=critical"},
		{"deadline\td\t1000", "d:deadline:within=1000000us,impact=critical"},
		{"condition\tc", "c:condition:impact=readiness"},
		{"condition\tc\t1\t1\t1000", "c:condition:ttl=1250000us,start_within=1000us,impact=critical"},
		{"level_above\té\t500\t900.5", "é:level:degrade_at=500,fail_at=900.5,impact=degrading"},
		{"level_below\tl\t0.1\t-1e300", "l:level:degrade_at=0.10000000000000001,fail_at=-1.0000000000000001e+300,below=1,impact=degrading"},
	} {
		r := newReceiver(t)
		d := newDriver(t, r.path)
		d.do("declare\t"+tt.declare, "start\tepg")
		r.want("X_LANDMARK_DECLARE=" + tt.want)
	}
}

// A mistake has a message that says what to do, and gives a landmark that does nothing.
func TestMistakes(t *testing.T) {
	for _, tt := range []struct{ command, want string }{
		{"declare\talive\t\t1000", `landmark: the name is empty: use 1 to 128 bytes`},
		{"declare\talive\ta:b\t1000", `landmark "a:b": the name has a colon: leave it out`},
		{"declare\talive\ta\x7fb\t1000", "landmark \"a\x7fb\": the name has a character that is not printable: use printable UTF-8"},
		{"declare\talive\ta\u202eb\t1000", "landmark \"a\u202eb\": the name has a character that is not printable: use printable UTF-8"},
		{"declare\talive\ta\xffb\t1000", "landmark \"a\xffb\": the name is not UTF-8"},
		{"declare\talive\ta\xc0\xafb\t1000", "landmark \"a\xc0\xafb\": the name is not UTF-8"},
		{"declare\talive\t" + strings.Repeat("x", 129) + "\t1000", `landmark "` + strings.Repeat("x", 128) + `": the name is longer than 128 bytes: shorten it`},
		{"declare\talive\ta\t99", `landmark "a": within_ms must be 100 to 86400000`},
		{"declare\tdeadline\ta\t86400001", `landmark "a": within_ms must be 100 to 86400000`},
		{"declare\talive\ta\t1000\t5", `landmark "a": impact is none of LANDMARK_CRITICAL, _READINESS, _DEGRADING and _INFORMATIONAL, nor 0`},
		{"declare\talive\ta\t1000\t0\t-1", `landmark "a": start_within_ms must be 1 to 86400000; use 0 for no limit`},
		{"declare\talive\ta\t1000\t0\t0\t1", `landmark "a": only a Condition has ttl_ms; use 0`},
		{"declare\tcondition\ta\t0\t0\t-1", `landmark "a": ttl_ms must be 1 to 86400000; use 0 for no limit`},
		{"declare\tlevel_above\ta\t2\t1", `landmark "a": it fails before it degrades; give the smaller number first, or use landmark_level_below`},
		{"declare\tlevel_below\ta\t1\t2", `landmark "a": it fails before it degrades; give the larger number first, or use landmark_level_above`},
		{"declare\tlevel_above\ta\tnan\t1", `landmark "a": the limits are not finite numbers`},
		{"start\t", "service: is empty: give the service a name"},
		{"start\tepg-liveness", `service "epg-liveness": ends in the name of an aspect: choose another name`},
		{"start\t-epg", `service "-epg": must begin with a letter or a digit`},
		{"start\te pg", `service "e pg": has another character: use letters, digits, '.', '_' and '-' only`},
		{"start\t" + strings.Repeat("e", 91), `service "` + strings.Repeat("e", 91) + `": is longer than 90 bytes: shorten it`},
		{"start\tepg\té", "instance: has another character: use printable ASCII"},
	} {
		d := newDriver(t, "/nonexistent")
		if got := d.try(strings.Split(tt.command, "\t")...); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.command, got, tt.want)
		}
		d.do("reach\ta", "level\ta\t1", "condition\ta\t0", "begin\ta\t0", "end\t0")
	}
	d := newDriver(t, "/"+strings.Repeat("x", 107))
	if got, want := d.try("start", "epg"), "socket: its path is longer than 107 bytes, the maximum for a Unix socket; use a shorter one"; got != want {
		t.Errorf("a long path: got %q, want %q", got, want)
	}
}

// A set whose declaration failed does not start. One whose start failed may start.
func TestStartAfterMistake(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\talive\ta\t1000")
	if got := d.try("start", "-"); got == "ok" {
		t.Error("start with a wrong name: got ok")
	}
	d.do("start\tepg")
	r.want("X_LANDMARK_DECLARE=a:alive:within=1250000us,impact=critical")
	if got := d.try("start", "epg"); got != "EALREADY" {
		t.Errorf("second start: got %s, want EALREADY", got)
	}
	const twice = `landmark "a": declared twice; give each landmark a name of its own`
	if got := d.try("declare", "alive", "a", "1000"); got != twice {
		t.Errorf("got %s, want %s", got, twice)
	}
	d.do("close")
	r.await("STOPPING=1")
	if got := d.try("start", "epg"); got != twice {
		t.Errorf("start after a wrong declaration: got %s, want %s", got, twice)
	}
}

// A set holds LANDMARK_MAX landmarks, and declares them all, in as many datagrams as are
// needed, before it sends any fact.
func TestManyLandmarks(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	for i := range 64 {
		d.do(fmt.Sprintf("declare\tlevel_above\t%s%03d\t0.1\t0.2", strings.Repeat("x", 125), i))
	}
	if got := d.try("declare", "alive", "a", "1000"); !strings.Contains(got, "at most 64 landmarks") {
		t.Errorf("a landmark too many: got %q", got)
	}
	d = newDriver(t, r.path)
	for i := range 64 {
		name := fmt.Sprintf("%s%03d", strings.Repeat("x", 125), i)
		d.do(fmt.Sprintf("declare\tlevel_above\t%s\t0.1\t0.2", name), fmt.Sprintf("level\t%s\t%d", name, i))
	}
	d.do("start\tepg")
	var got []string
	for len(got) < 128 {
		got = append(got, r.next()...)
	}
	for i, line := range got {
		key := "X_LANDMARK_DECLARE="
		if i >= 64 {
			key = "X_LANDMARK_LEVEL="
		}
		if want := fmt.Sprintf("%s%s%03d:", key, strings.Repeat("x", 125), i%64); !strings.HasPrefix(line, want) {
			t.Errorf("line %d: got %q, want %q", i, line, want)
		}
	}
}
