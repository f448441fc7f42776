//go:build e2e

package e2e_test

import (
	"sync"
	"syscall"
	"testing"
	"time"
)

// A loop that is allowed 3 s has wedged just now: who wants facts of this
// millisecond is told so, after ask_timeout; everybody else is not, yet.
func TestMaxAgeDetectsWedgeEarly(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("3s")
	fresh := checkLMP("udp", time.Millisecond)
	if told := fresh(e, "epg"); told != "SERVING none" {
		t.Fatalf("a healthy loop answers %q", told)
	}

	wedged := server.signal(syscall.SIGUSR1)
	server.awaitLine("the main loop hangs")
	time.Sleep(10 * time.Millisecond) // now its last answer is older than the checkers want it
	var checkers sync.WaitGroup
	for range 1000 {
		checkers.Go(func() {
			put := time.Now()
			told := fresh(e, "epg")
			if took := time.Since(put); told != "NOT_SERVING stalled" || took < 700*time.Millisecond {
				t.Errorf("a checker with max_age 1 ms was told %q after %v", told, took)
			}
		})
	}
	for time.Since(wedged) < 1500*time.Millisecond {
		told := checkUDP(e, "epg")
		if time.Since(wedged) < 2500*time.Millisecond && told != "SERVING none" {
			t.Fatalf("%v after the wedge a plain CHECK is told %q", time.Since(wedged), told)
		}
	}
	checkers.Wait()

	server.signal(syscall.SIGUSR2)
	e.await(fresh, "epg", "SERVING none")
}
