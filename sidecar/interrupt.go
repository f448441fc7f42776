package sidecar

import (
	"context"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/sleep"
)

// interruptInterval is the time between two interrupts, and before the first.
const interruptInterval = 200 * time.Millisecond

// interruptThreads interrupts the system calls of all threads of this process, again and
// again until ctx is done, so that a client cannot keep the sidecar from stopping. A read
// from a Unix socket closes the descriptors that the peer has sent, and the last close of
// a TCP socket waits for as long as the peer's SO_LINGER says, unless a signal comes. The
// signal is the one by which Go's scheduler preempts goroutines, which has no other
// effect.
func interruptThreads(ctx context.Context) {
	for sleep.For(ctx, interruptInterval) {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return
		}
		for _, thread := range threads {
			if id, err := strconv.Atoi(thread.Name()); err == nil {
				unix.Tgkill(os.Getpid(), id, unix.SIGURG)
			}
		}
	}
}
