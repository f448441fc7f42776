package kernel

import (
	"context"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

// What processes do that no test can make a process do everywhere.
func TestDoing(t *testing.T) {
	call := func(n int, args ...uint64) systemCall {
		c := systemCall{known: true, number: n}
		copy(c.args[:], args)
		return c
	}
	for _, tt := range []struct {
		want string
		t    thread
	}{
		{"waiting for a disk (folio_wait_bit_common)", thread{state: 'D', waitsIn: "folio_wait_bit_common"}},
		{"waiting for a disk (a_new_function)", thread{state: 'D', waitsIn: "a_new_function"}},
		{"waiting for a disk, most likely: nothing can interrupt it", thread{state: 'D'}},
		{"waiting for a network file system (NFS) (rpc_wait_bit_killable)", thread{state: 'D', waitsIn: "rpc_wait_bit_killable"}},
		{"waiting for a file system of another process (FUSE) (request_wait_answer)", thread{state: 'D', waitsIn: "request_wait_answer"}},
		{"waiting for a disk (fsync)", thread{state: 'S', call: call(unix.SYS_FSYNC)}},
		{"stopped by a signal (SIGSTOP)", thread{state: 'T', signal: int(unix.SIGSTOP)}},
		{"stopped by a signal (SIGTTIN)", thread{state: 'T', signal: int(unix.SIGTTIN)}},
		{"stopped by a debugger", thread{state: 't'}},
		{"stopped by the freezer of its control group", thread{state: 'S', waitsIn: "do_freezer_trap", call: call(unix.SYS_FUTEX)}},
		{"exited", thread{state: 'Z'}},
		{"running, 0 % of a core", thread{state: 'R'}},
		{"blocked in a lock (futex)", thread{state: 'S', call: call(unix.SYS_FUTEX), waitsIn: "futex_wait_queue"}},
		{"blocked in a lock (futex_wait_queue)", thread{state: 'S', waitsIn: "futex_wait_queue"}},
		{"waiting to read from a pipe (pipe_read)", thread{state: 'S', waitsIn: "pipe_read"}},
		{"waiting to read from a pipe (anon_pipe_read)", thread{state: 'S', waitsIn: "anon_pipe_read"}},
		{"waiting to read from file 7 (read)", thread{state: 'S', call: call(unix.SYS_READ, 7)}},
		{"waiting to read from a terminal (read)", thread{state: 'S', call: call(unix.SYS_READ, 0), file: "/dev/pts/3"}},
		{"waiting to read from an eventfd (read)", thread{state: 'S', call: call(unix.SYS_READ, 3), file: "anon_inode:[eventfd]"}},
		{"waiting to write to /dev/full (write)", thread{state: 'S', call: call(unix.SYS_WRITE, 3), file: "/dev/full"}},
		{"waiting for a connection to a socket (accept4)", thread{state: 'S', call: call(unix.SYS_ACCEPT4, 3), file: "socket:[1]"}},
		{"waiting in the system call 9999", thread{state: 'S', call: call(9999)}},
		{"sleeping (hrtimer_nanosleep)", thread{state: 'S', call: call(9999), waitsIn: "hrtimer_nanosleep"}},
		{"waiting in the kernel (a_new_function)", thread{state: 'S', waitsIn: "a_new_function"}},
		{"waiting, for what is not known", thread{state: 'S'}},
	} {
		if got := tt.t.doing(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// A thread spins if it has never slept, even if others had the processors.
func TestSpinning(t *testing.T) {
	now := time.Now()
	after := func(ran time.Duration, slept string) thread {
		return thread{state: 'R', ranBoth: true, again: true, before: usage{now, true, 5, "7"}, after: usage{now.Add(time.Second), true, 5 + ran, slept}}
	}
	for _, tt := range []struct {
		ran   time.Duration
		slept string
		want  string
	}{
		{980 * time.Millisecond, "7", "spinning, 98 % of a core"},
		{300 * time.Millisecond, "7", "spinning, 30 % of a core, because others use the processors"},
		{10 * time.Millisecond, "7", "waiting for a processor, because others use them"},
		{980 * time.Millisecond, "8", "running, 98 % of a core"},
		{980 * time.Millisecond, "", "running, 98 % of a core"},
	} {
		th := after(tt.ran, tt.slept)
		if got := th.doing(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	once := after(time.Second, "7")
	once.ranBoth = false
	if once.spins() {
		t.Error("a thread that slept at one of the readings spins")
	}
}

func TestParseStat(t *testing.T) {
	const fields = ") T 1 1 1 0 -1 4194304 97 0 0 0 0 0 0 0 20 0 1 0 3715039 3133440 360 18446744073709551615 1 1 1 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 1 1 1 1 1 1 1 "
	for _, tt := range []struct {
		text   string
		name   string
		state  byte
		signal unix.Signal
	}{
		{"7 (cat" + fields + "19\n", "cat", 'T', unix.SIGSTOP},
		{"7 (a) R (b" + fields + "20\n", "a) R (b", 'T', unix.SIGTSTP},
		{"7 (cat" + fields + "9\n", "cat", 'T', 0},
		{"7 (cat" + fields + "\n", "cat", 'T', 0},
		{"7 (cat) S 1", "cat", 'S', 0},
	} {
		var th thread
		if err := th.parseStat([]byte(tt.text)); err != nil || th.name != tt.name || th.state != tt.state || th.signal != int(tt.signal) {
			t.Errorf("%q: %+v, %v", tt.text, th, err)
		}
	}
	for _, bad := range []string{"", "7", "7 (cat", "7 (cat)", ")("} {
		if err := new(thread).parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestParseSystemCall(t *testing.T) {
	c := parseSystemCall("0 0x3 0x7f42b4d75000 0x20000 0x7f42b4e07b60 0xffffffff 0x0 0x7ffc1c067f18 0x7f42b4ef02ad\n")
	if !c.known || c.running || c.number != 0 || c.args[0] != 3 || c.args[4] != 0xffffffff {
		t.Errorf("%+v", c)
	}
	if c := parseSystemCall("running\n"); !c.known || !c.running {
		t.Errorf("%+v", c)
	}
	for _, unknown := range []string{"", "-1 0x7ffc1c067f18 0x7f42b4ef02ad\n", "x 1 2 3 4 5 6 7 8", "0 y 2 3 4 5 6 7 8"} {
		if c := parseSystemCall(unknown); c.known {
			t.Errorf("%q: %+v", unknown, c)
		}
	}
}

// Whatever the kernel says, and whatever a process calls itself, the description is one line.
func FuzzThread(f *testing.F) {
	f.Add("7 (cat) T 1", "0 0x3 0x7f 0x2 0x7 0xf 0x0 0x7 0x7", "pipe_read", "pipe:[1]")
	f.Fuzz(func(t *testing.T, stat, call, waitsIn, file string) {
		th := thread{waitsIn: waitsIn, file: file}
		if th.parseStat([]byte(stat)) != nil {
			return
		}
		th.call = parseSystemCall(call)
		p := process{name: th.name, threads: []thread{th}}
		if s := p.summary(); s == "" {
			t.Error("no summary")
		}
		if !utf8.ValidString(stat + waitsIn + file) {
			return
		}
		if text := p.text(); !strings.HasSuffix(text, "\n") {
			t.Errorf("%q", text)
		}
	})
}
