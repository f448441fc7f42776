//go:build linux

package c_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

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
