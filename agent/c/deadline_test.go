//go:build linux

package c_test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

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
