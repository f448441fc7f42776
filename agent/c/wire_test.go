//go:build linux

package c_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
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

// An Alive is sent when it is reached for the first time, and then at most once per
// interval, however often it is reached.
func TestReachIsSentOncePerInterval(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\talive\ta\t400", "start\tepg")
	start := time.Now()
	r.want("X_LANDMARK_DECLARE=a:alive:within=500000us,impact=critical")
	for n := 0; n < 4; {
		d.do("reach\ta")
		if got, ok := r.receive(time.Millisecond); ok {
			n++
			if !slices.Equal(got.lines, []string{"X_LANDMARK_REACH=a"}) {
				t.Errorf("got %q, want a pass", got.lines)
			}
			// The interval is 100 ms, less an eighth.
			if most := 1 + int(time.Since(start)/(87*time.Millisecond)); n > most {
				t.Errorf("got %d passes within %v, want at most %d", n, time.Since(start), most)
			}
		}
	}
}

// A pass is sent if the last one was sent an interval before. So landmarkd, which allows
// an interval more than within, never calls a loop late that keeps its time.
func TestPassIsSentWhenDue(t *testing.T) {
	const interval = 25 * time.Millisecond
	for name, first := range map[string]string{"timer": "close", "clock": "refuse_aio"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			d := newDriver(t, r.path)
			d.do(first, "declare\talive\ta\t100", "declare\talive\tother\t60000", "start\tepg")
			r.next()
			var sent time.Time // not before the last pass that was sent
			for i := range 100 {
				begun := time.Now()
				d.do("reach\ta")
				ended := time.Now()
				switch {
				case r.waiting() > 0:
					r.want("X_LANDMARK_REACH=a")
					sent = ended
				case begun.Sub(sent) >= interval:
					t.Errorf("a pass %v after the last one that was sent: got nothing, want that it is sent", begun.Sub(sent))
				}
				for pause := time.Duration(i*7%40) * time.Millisecond; time.Since(ended) < pause; {
					d.do("reach\tnone")
				}
			}
		})
	}
}

// What a program sets before it starts the set is sent then. A pass is not: it would
// look newer than it is.
func TestSetBeforeStart(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\talive\ta\t1000", "declare\tcondition\tc", "declare\tlevel_above\tl\t1\t2", "declare\tdeadline\td\t1000",
		"reach\ta", "condition\tc\t0\tnot yet", "level\tl\t1.5", "begin\td\t0", "drain", "start\tepg")
	lines := r.next()
	for _, want := range []string{"X_LANDMARK_DRAIN=1", "X_LANDMARK_CONDITION=c:0:not yet", "X_LANDMARK_LEVEL=l:1.5"} {
		if !slices.Contains(lines, want) {
			t.Errorf("got %q, want %q", lines, want)
		}
	}
	if len(lines) != 8 || !strings.HasPrefix(lines[7], "X_LANDMARK_OPEN=d:1:") {
		t.Errorf("got %q, want 8 lines, without a pass, and the last with the open work", lines)
	}
	d.do("resume", "reach\ta")
	r.want("X_LANDMARK_DRAIN=0")
	r.want("X_LANDMARK_REACH=a")
}

// A Condition sends each change. Its reason is one line of at most 255 bytes of UTF-8.
func TestCondition(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\tcondition\tc", "start\tepg")
	r.next()
	for i, tt := range []struct{ reason, want string }{
		{"", ""},
		{"no answer: 10.0.0.7:5432", "no answer: 10.0.0.7:5432"},
		{"a\x01b\xff\xfe\u202e", "a?b???"},
		{strings.Repeat("x", 256), strings.Repeat("x", 255)},
		{strings.Repeat("x", 254) + "é", strings.Repeat("x", 254)},
		{strings.Repeat("x", 251) + "😀", strings.Repeat("x", 251) + "😀"},
	} {
		d.do(fmt.Sprintf("condition\tc\t%d\t%s", i%2, tt.reason))
		r.want(fmt.Sprintf("X_LANDMARK_CONDITION=c:%d:%s", i%2, tt.want))
	}
}

// A Level sends at once when it crosses a limit for the worse. A number that is not
// finite is the worst.
func TestLevel(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\tlevel_above\tup\t10\t20", "declare\tlevel_below\tdown\t20\t10", "start\tepg")
	r.next()
	for _, tt := range []struct{ name, number, want string }{
		{"up", "5", "5"},
		{"up", "10.5", "10.5"},
		{"up", "20", "20"},
		{"down", "30", "30"},
		{"down", "inf", "-1.7976931348623157e+308"},
	} {
		d.do("level\t" + tt.name + "\t" + tt.number)
		r.want("X_LANDMARK_LEVEL=" + tt.name + ":" + tt.want)
	}
	// For the better it may be late, but the program's next call sends it.
	for _, number := range []string{"15", "5"} {
		d.do("level\tup\t" + number)
		for {
			if got, ok := r.receive(10 * time.Millisecond); ok {
				if !slices.Equal(got.lines, []string{"X_LANDMARK_LEVEL=up:" + number}) {
					t.Errorf("got %q, want %s", got.lines, number)
				}
				break
			}
			d.do("level\tup\t" + number)
		}
	}
}

// A Deadline that is alone sends each change that landmarkd must know: the first begin,
// and the end of the oldest.
func TestDeadlineAlone(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\tdeadline\td\t86400000", "declare\tcondition\tmark", "start\tepg")
	r.next()
	for range 3 {
		d.do("begin\td\t0")
		r.want("X_LANDMARK_OPEN=d:1:0")
		d.do("begin\td\t1", "end\t1", "end\t1", "end\t0")
		if got := r.await("X_LANDMARK_OPEN=d:0"); len(got) != 1 {
			t.Errorf("got %q, want only the end", got)
		}
	}
}

// If a critical Alive is passed regularly, it carries the end of a piece of work, so a
// server that is busy sends little more than without the Deadline. The first begin is
// sent at once even so.
func TestDeadlineIsCarried(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\talive\ta\t2000", "declare\tdeadline\td\t86400000", "start\tepg")
	r.next()
	start := time.Now()
	passes, opens, last := 0, 0, ""
	take := func(lines []string) {
		for _, line := range lines {
			if line == "X_LANDMARK_REACH=a" {
				passes++
			} else {
				opens++
				last = line
			}
		}
	}
	works := 0
	for ; passes < 3; works++ {
		d.do("reach\ta", "begin\td\t0", "end\t0")
		for r.waiting() > 0 {
			take(r.next())
		}
	}
	// For each pass, one line with the pass, one after it, and one when the Deadline's
	// own interval is over.
	if most := 4 * (2 + int(time.Since(start)/(437*time.Millisecond))); opens > most {
		t.Errorf("%d pieces of work and %d passes within %v: got %d lines, want at most %d", works, passes, time.Since(start), opens, most)
	}
	for !strings.HasPrefix(last, "X_LANDMARK_OPEN=d:0") {
		d.do("reach\ta")
		if got, ok := r.receive(10 * time.Millisecond); ok {
			take(got.lines)
		}
	}
}

// After landmarkd has restarted, the whole state is sent: what is declared, and each
// landmark but an Alive, whose next pass is due.
func TestRestart(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	state := []string{"X_LANDMARK_DECLARE=a:alive:within=60500000us,impact=critical", "X_LANDMARK_DECLARE=c:condition:impact=readiness", "X_LANDMARK_DRAIN=1"}
	d.do("declare\talive\ta\t60000", "declare\tcondition\tc", "start\tepg", "drain", "condition\tc\t0\tno data", "reach\ta")
	r.await("X_LANDMARK_REACH=a")
	for range 3 {
		r.leave()
		d.do("condition\tc\t0\tgone", "condition\tc\t1\t", "condition\tc\t0\tno data", "reach\ta")
		r.listen()
		var got []string
		for len(got) == 0 {
			d.do("reach\ta")
			if next, ok := r.receive(10 * time.Millisecond); ok {
				got = next.lines
			}
		}
		if len(got) < 3 || !slices.Equal(got[:3], state) || !slices.Contains(got, "X_LANDMARK_CONDITION=c:0:no data") {
			t.Errorf("got %q, want %q and the condition", got, state)
		}
		if !slices.Contains(got, "X_LANDMARK_REACH=a") {
			d.do("reach\ta")
			r.await("X_LANDMARK_REACH=a")
		}
	}
}

// While landmarkd does not read, the program goes on, and what changed for good is sent
// once it reads again.
func TestFullSocket(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\tcondition\tc", "declare\talive\ta\t60000", "start\tepg")
	for i := range 2000 { // more than a socket holds
		d.do(fmt.Sprintf("condition\tc\t%d\t%d", i%2, i))
	}
	d.do("condition\tc\t0\tthe last")
	for {
		d.do("reach\ta")
		if got, ok := r.receive(time.Millisecond); ok && slices.Contains(got.lines, "X_LANDMARK_CONDITION=c:0:the last") {
			return
		}
	}
}

// A program that closes all its descriptors goes on reporting.
func TestClosedDescriptors(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\tcondition\tc", "declare\talive\ta\t100", "start\tepg", "condition\tc\t1\t")
	r.await("X_LANDMARK_CONDITION=c:1:")
	d.do("closefrom3")
	for range 3 {
		for _, met := range []string{"0", "1"} {
			d.do("condition\tc\t" + met + "\tafter")
			r.await("X_LANDMARK_CONDITION=c:" + met + ":after")
		}
	}
	for {
		d.do("reach\ta")
		if got, ok := r.receive(time.Millisecond); ok && slices.Contains(got.lines, "X_LANDMARK_REACH=a") {
			return
		}
	}
}

// landmark_close says goodbye, and nothing is sent afterwards.
func TestGoodbye(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\talive\ta\t1000", "declare\tcondition\tc", "start\tepg", "close")
	r.next()
	r.want("STOPPING=1")
	d.do("reach\ta", "condition\tc\t1\t", "close", "start\tepg")
	if got := r.next(); len(got) != 3 || !strings.HasPrefix(got[0], "X_LANDMARK_DECLARE=") {
		t.Errorf("after close and start: got %q, want the whole state", got)
	}
}

// The goodbye reaches a landmarkd that has restarted since the last datagram.
func TestGoodbyeAfterRestart(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\talive\ta\t1000", "start\tepg")
	r.next()
	r.leave()
	r.listen()
	d.do("close")
	r.want("X_LANDMARK_DECLARE=a:alive:within=1250000us,impact=critical")
	r.want("STOPPING=1")
}

// A child does not speak for its parent, until it starts the set itself. Then it speaks
// for itself, and nothing of what its parent did counts.
func TestFork(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\talive\ta\t100", "declare\tcondition\tc", "declare\tdeadline\td\t1000", "start\tepg", "condition\tc\t1\t", "begin\td\t0")
	r.next()
	r.await("X_LANDMARK_CONDITION=c:1:")
	r.next()
	d.do("fork\treach a\treach a\tclose")
	for range 100 { // until a pass is due
		d.do("fork\treach a\treach a")
	}
	d.do("condition\tc\t0\tthe parent")
	parent, _ := r.receive(testTimeout)
	if !slices.Equal(parent.lines, []string{"X_LANDMARK_CONDITION=c:0:the parent"}) || int(parent.pid) != d.cmd.Process.Pid {
		t.Errorf("got %q of %d, want only what the parent says", parent.lines, parent.pid)
	}
	d.do("fork\tstart epg\treach a\tbegin d 1\tclose")
	for i, want := range []string{"X_LANDMARK_DECLARE=d:deadline:within=1000000us,impact=critical", "X_LANDMARK_REACH=a", "X_LANDMARK_OPEN=d:1:", "STOPPING=1"} {
		got, _ := r.receive(testTimeout)
		if last := got.lines[len(got.lines)-1]; int(got.pid) == d.cmd.Process.Pid || !strings.HasPrefix(last, want) {
			t.Errorf("datagram %d of the child: got %q of process %d, want %q at the end", i, got.lines, got.pid, want)
		}
	}
	d.do("condition\tc\t1\tgoes on")
	if got, _ := r.receive(testTimeout); int(got.pid) != d.cmd.Process.Pid || !slices.Contains(got.lines, "X_LANDMARK_CONDITION=c:1:goes on") {
		t.Errorf("after the child has ended: got %q, want what the parent says", got.lines)
	}
}

// A Loop is answered because its descriptor becomes readable, and sends a pass then.
func TestLoopWakesUp(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\tloop\tmain loop\t100", "start\tepg")
	r.next()
	for range 3 {
		d.do("wait\tmain loop")
		r.want("X_LANDMARK_REACH=main loop")
	}
}

// A child does not take what wakes its parent's loop.
func TestForkLeavesLoopAwake(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\tloop\tl\t86400000", "start\tepg")
	for d.try("readable", "l") != "ok" {
	}
	d.do("fork\tanswer l", "readable\tl", "answer\tl")
	if got := d.try("readable", "l"); got == "ok" {
		t.Error("after the answer: got a readable descriptor, want that it was read")
	}
}

// A pass that could not be sent is not sent later, when it would look newer than it is.
func TestOldPassIsNotSent(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\talive\ta\t100", "declare\tcondition\tc", "start\tepg")
	r.leave()
	d.do("condition\tc\t0\taway", "reach\ta") // not sent, and then neither is the pass
	gone := time.Now()
	for time.Since(gone) < 300*time.Millisecond { // the header looks again after 250 ms
		d.do("condition\tc\t0\taway")
	}
	r.listen()
	for {
		d.do("condition\tc\t0\taway", "condition\tc\t1\tback")
		if got, ok := r.receive(10 * time.Millisecond); ok {
			if slices.Contains(got.lines, "X_LANDMARK_REACH=a") || len(got.lines) < 3 {
				t.Errorf("got %q, want the state without a pass", got.lines)
			}
			return
		}
	}
}

// In the end landmarkd believes what is true, whatever threads do at once.
func TestBelief(t *testing.T) {
	r := newReceiver(t)
	program := compile(t, "gcc", "-std=c99 -O2 -D_GNU_SOURCE -pthread "+warnings, "belief", "belief.c")
	go func() {
		for {
			if _, err := r.conn.Read(make([]byte, 8192)); err != nil {
				return
			}
		}
	}()
	cmd := exec.Command(program)
	cmd.Env = []string{"LANDMARK_NOTIFY_SOCKET=" + r.path}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	t.Logf("%s", out)
}

// Ages of work are right for years.
func TestEpochs(t *testing.T) {
	program := compile(t, "gcc", "-std=c99 -fsanitize=undefined -fno-sanitize-recover=all "+warnings, "epochs", "epochs.c")
	if out, err := exec.Command(program).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// Work that stays open for longer than there are buckets still counts, with its age, and
// its end is sent.
func TestOverdueWork(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("declare\tdeadline\td\t100", "start\tepg")
	before := time.Now()
	d.do("begin\td\t0")
	r.awaitPrefix("X_LANDMARK_OPEN=d:1:")
	begun := time.Now()
	const epoch = 5 * time.Millisecond // of 4.2 ms; the 64 buckets cover 270 ms
	for round := begun; time.Since(begun) < 700*time.Millisecond; round = time.Now() {
		d.do("begin\td\t1", "end\t1")
		for got, ok := r.receive(time.Millisecond); ok; got, ok = r.receive(time.Millisecond) {
			count, age, _ := strings.Cut(strings.TrimPrefix(got.lines[0], "X_LANDMARK_OPEN=d:"), ":")
			us, err := strconv.Atoi(age)
			if a := time.Duration(us) * time.Microsecond; err != nil || count != "1" && count != "2" || a < round.Sub(begun)-epoch || a > time.Since(before) {
				t.Errorf("got %q, want open work of %v to %v", got.lines, round.Sub(begun)-epoch, time.Since(before))
			}
		}
	}
	d.do("end\t0")
	r.await("X_LANDMARK_OPEN=d:0")
}

// Without asynchronous I/O in the kernel all works as well.
func TestWithoutAsynchronousIO(t *testing.T) {
	r := newReceiver(t)
	d := newDriver(t, r.path)
	d.do("refuse_aio", "declare\talive\ta\t100", "declare\tloop\tl\t100", "declare\tcondition\tc", "declare\tdeadline\td\t100", "start\tepg", "condition\tc\t1\t")
	r.await("X_LANDMARK_CONDITION=c:1:")
	for range 3 {
		for {
			d.do("reach\ta")
			if got, ok := r.receive(time.Millisecond); ok && slices.Contains(got.lines, "X_LANDMARK_REACH=a") {
				break
			}
		}
		d.do("begin\td\t0")
		r.awaitPrefix("X_LANDMARK_OPEN=d:1:")
		d.do("end\t0", "wait\tl")
		r.await("X_LANDMARK_REACH=l")
	}
	start := time.Now()
	sent := 0
	for range 1000 {
		d.do("reach\ta")
	}
	for _, ok := r.receive(time.Millisecond); ok; _, ok = r.receive(time.Millisecond) {
		sent++
	}
	if most := 1 + int(time.Since(start)/(10*time.Millisecond)); sent > most {
		t.Errorf("1,000 passes within %v: got %d datagrams, want at most %d", time.Since(start), sent, most)
	}
	d.do("close")
	r.await("STOPPING=1")
}
