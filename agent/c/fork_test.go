//go:build linux

package c_test

import (
	"slices"
	"strings"
	"testing"
)

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
