//go:build linux

package c_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

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
