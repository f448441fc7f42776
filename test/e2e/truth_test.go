//go:build e2e

package e2e_test

import (
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// turns asks by every checker at once until each is told what is wanted, and
// holds that none was told otherwise later than the bound after the event.
func awaitAll(t *testing.T, e *env, checkers map[string]checkFunc, want string, event time.Time, bound time.Duration) {
	t.Helper()
	var wg sync.WaitGroup
	defer wg.Wait()
	for name, ask := range checkers {
		wg.Go(func() {
			took, err := e.awaitChange(ask, "epg", want, event)
			switch {
			case err != nil:
				t.Errorf("%s: waiting for %s: %v", name, want, err)
			default:
				assertWithin(t, took, bound, "%s: the event to %q", name, want)
				t.Logf("%-18s %-22s after %v", name, want, took.Round(time.Millisecond))
			}
		})
	}
}

// A main loop that hangs is told to every checker, while the process, its port
// and its agent live; and that it turns again, too.
func TestWedgedLoopIsStalled(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, address := e.epg(defaultWithin)
	checkers := allChecks(t, e)

	awaitAll(t, e, checkers, "NOT_SERVING stalled", server.signal(syscall.SIGUSR1), 600*time.Millisecond)

	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Errorf("the wedged server's port must stay open: %v", err)
	} else {
		conn.Close()
	}
	if told := checkUDP(e, "epg-liveness"); told != "NOT_SERVING stalled" {
		t.Errorf("liveness of a wedged server is %q", told)
	}
	awaitAll(t, e, checkers, "SERVING none", server.signal(syscall.SIGUSR2), 600*time.Millisecond)
}

// A killed process is lost at once; another in its place is served.
func TestKilledProcessIsLost(t *testing.T) {
	e := newEnv(t)
	server, _ := e.epg(defaultWithin)
	// The checkers that are processes of their own take longer to start than
	// the bound.
	checkers := map[string]checkFunc{
		"lmp over UDP": checkLMP("udp", 0),
		"lmp over TCP": checkLMP("tcp", 0),
		"line":         checkLine,
		"grpc Check":   checkGRPC(t, e),
	}
	awaitAll(t, e, checkers, "NOT_SERVING lost", server.signal(syscall.SIGKILL), 50*time.Millisecond)
	e.epg(defaultWithin)
}

// A frozen process is stale, though its connection and port are open.
func TestFrozenProcessIsStale(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("5s") // so that silence is noticed before the loop is late
	checkers := allChecks(t, e)
	awaitAll(t, e, checkers, "NOT_SERVING stale", server.signal(syscall.SIGSTOP), 2*time.Second)
	awaitAll(t, e, checkers, "SERVING none", server.signal(syscall.SIGCONT), time.Second)
}

// A server that is told to stop says goodbye, wedged or not.
func TestTerminatedProcessIsStopped(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg(defaultWithin)
	if code := server.terminate(); code != 0 {
		t.Errorf("epgd ended with exit code %d on SIGTERM", code)
	}
	e.await(checkUDP, "epg", "NOT_SERVING stopped")

	server, _ = e.epg(defaultWithin)
	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	if code := server.terminate(); code != 0 {
		t.Errorf("wedged, epgd ended with exit code %d on SIGTERM", code)
	}
	e.await(checkUDP, "epg", "NOT_SERVING stopped")
}
