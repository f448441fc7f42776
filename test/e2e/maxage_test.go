//go:build e2e

package e2e_test

import (
	"sync"
	"syscall"
	"testing"
	"time"
)

// A loop whose Within is 3 s has just hung. A check with a maxAge of 1 ms gets
// that after ask_timeout. Other checks do not, until the Within is over.
func TestMaxAgeDetectsHangEarly(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("3s")
	fresh := checkLMP("udp", time.Millisecond)
	if got, want := fresh(e, "epg"), "SERVING none"; got != want {
		t.Fatalf("healthy loop: got %q, want %q", got, want)
	}

	hung := server.signal(syscall.SIGUSR1)
	server.awaitLine("the main loop hangs")
	time.Sleep(10 * time.Millisecond) // now the loop's last answer is older than maxAge
	var checks sync.WaitGroup
	for range 1000 {
		checks.Go(func() {
			begun := time.Now()
			got, want := fresh(e, "epg"), "NOT_SERVING stalled"
			if took := time.Since(begun); got != want || took < 700*time.Millisecond {
				t.Errorf("check with maxAge 1 ms: got %q after %v, want %q after at least 700 ms", got, took, want)
			}
		})
	}
	for time.Since(hung) < 1500*time.Millisecond {
		got, want := checkUDP(e, "epg"), "SERVING none"
		if time.Since(hung) < 2500*time.Millisecond && got != want {
			t.Fatalf("check without maxAge %v after the hang: got %q, want %q", time.Since(hung), got, want)
		}
	}
	checks.Wait()

	server.signal(syscall.SIGUSR2)
	e.await(fresh, "epg", "SERVING none")
}
