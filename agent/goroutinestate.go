package agent

import (
	"slices"
	"strings"
)

// waits are what goroutines wait for, by the beginning of a function among the innermost
// ones of their stacks.
var waits = []struct{ begin, doing string }{
	{"runtime.chanrecv", "waiting to receive from a channel"},
	{"runtime.chansend", "waiting to send to a channel"},
	{"runtime.selectgo", "waiting in a select"},
	{"runtime.block", "waiting forever, in a select without cases or on a nil channel"},
	{"sync.(*Mutex).", "waiting for a lock (sync.Mutex)"},
	{"sync.(*RWMutex).", "waiting for a lock (sync.RWMutex)"},
	{"sync.(*WaitGroup).", "waiting for other goroutines (sync.WaitGroup)"},
	{"sync.(*Cond).", "waiting for a sync.Cond"},
	{"sync.(*Once).", "waiting for a sync.Once"},
	{"time.Sleep", "sleeping (time.Sleep)"},
	{"internal/poll.(*FD).Accept", "waiting for a connection"},
	{"internal/poll.(*FD).Read", "waiting to read from a connection, pipe or file"},
	{"internal/poll.(*FD).Write", "waiting to write to a connection, pipe or file"},
	{"internal/poll.(*FD).", "waiting for a network connection"},
	{"runtime.cgocall", "in a function of C"},
	{"runtime.semacquire", "waiting for a lock"},
	{"internal/sync.", "waiting for a lock"},
	{"sync.runtime_", "waiting for a lock"},
	{"internal/poll.runtime_pollWait", "waiting for a network connection"},
	{"syscall.", "in a system call"},
	{"internal/runtime/syscall.", "in a system call"},
	{"golang.org/x/sys/unix.", "in a system call"},
	{"os/signal.signal_recv", "waiting for a signal"},
	{"runtime.gopark", "waiting"},
}

// asleep are the beginnings of the innermost functions of goroutines that do not run: they
// wait, or are in a system call or in C.
var asleep = []string{"runtime.gopark", "runtime.notetsleepg", "runtime.cgocall", "syscall.", "internal/runtime/syscall.", "golang.org/x/sys/unix."}

// doing says what the goroutines of the group do. Of the functions in which they wait, the
// outermost says most: the runtime's are below that of package sync.
func (g *group) doing() string {
	words, all := "running", g.allFrames()
	if len(all) == 0 || !slices.ContainsFunc(asleep, func(begin string) bool { return strings.HasPrefix(all[0].Function, begin) }) {
		return words
	}
	for _, f := range all {
		if !ofRuntime(f.Function) && !ofStandardLibrary(f.Function) && !strings.HasPrefix(f.Function, "golang.org/x/sys/unix.") {
			break
		}
		for _, w := range waits {
			if strings.HasPrefix(f.Function, w.begin) {
				words = w.doing
				break
			}
		}
	}
	return words
}
