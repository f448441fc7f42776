//go:build e2e

package e2e_test

import (
	"syscall"
	"testing"
	"time"
)

// landmarkd is stopped, and then the program. The reports that lie in
// landmarkd's socket when it goes on are of before: its first answers are that
// the program is not serving.
func TestSidecarAndProgramStoppedIsStale(t *testing.T) {
	parallel(t)
	for _, pause := range []time.Duration{3 * time.Second, 5 * time.Second} {
		e := newEnv(t)
		server, _ := e.epg(defaultWithin)
		e.sidecar.signal(syscall.SIGSTOP)
		time.Sleep(600 * time.Millisecond)
		server.signal(syscall.SIGSTOP)
		time.Sleep(pause)
		e.sidecar.signal(syscall.SIGCONT)
		for _, name := range []string{"epg", "epg-liveness", ""} {
			if got := checkUDP(e, name); got != "NOT_SERVING stale" {
				t.Errorf("after a pause of %v the first answer about %q is %s", pause, name, got)
			}
		}
		server.signal(syscall.SIGCONT)
		e.await(checkUDP, "epg", "SERVING none")
	}
}
