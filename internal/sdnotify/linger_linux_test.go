package sdnotify

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/nettest"
)

// A sender cannot stop the receiver by a descriptor whose close waits.
func TestLingeringDescriptor(t *testing.T) {
	for _, n := range []int{1, 10} {
		l := newListener(t)
		var fds []int
		for range n {
			fds = append(fds, nettest.LingeringSocket(t))
		}
		send(t, l.path, "READY=1", fds...)
		// The receiver's close is the last one.
		for _, fd := range fds {
			unix.Close(fd)
		}
		send(t, l.path, "STATUS=after")
		began := time.Now()
		done := make(chan []received)
		go func() { done <- l.take() }()
		select {
		case got := <-done:
			if len(got) != 2 {
				t.Errorf("%d descriptors: got %+v, want two datagrams", n, got)
			}
			t.Logf("%d descriptors: received in %v", n, time.Since(began))
		case <-time.After(nettest.Linger / 2):
			t.Fatalf("%d descriptors: the receiver waits until they are closed", n)
		}
	}
}
