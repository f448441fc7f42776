//go:build e2e

package e2e_test

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// A main loop that hangs is stalled for every checker, although the process, its
// port and its agent work. When the loop goes on, the program serves again.
func TestHungLoopIsStalled(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, address := e.epg(defaultWithin)
	checks := allChecks(t, e)

	e.awaitAll(checks, "NOT_SERVING stalled", server.signal(syscall.SIGUSR1), 600*time.Millisecond)

	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Errorf("connecting to the hung server: got %v, want its port open", err)
	} else {
		conn.Close()
	}
	if got, want := checkUDP(e, "epg-liveness"), "NOT_SERVING stalled"; got != want {
		t.Errorf("liveness of a hung server: got %q, want %q", got, want)
	}
	e.awaitAll(checks, "SERVING none", server.signal(syscall.SIGUSR2), 600*time.Millisecond)
}

// A killed process is lost at once. A new process in its slot serves.
func TestKilledProcessIsLost(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg(defaultWithin)
	// Checks that start a process take longer than the bound.
	checks := map[string]checkFunc{
		"lmp over UDP": checkLMP("udp", 0),
		"lmp over TCP": checkLMP("tcp", 0),
		"line":         checkLine,
		"grpc Check":   checkGRPC(e),
	}
	e.awaitAll(checks, "NOT_SERVING lost", server.signal(syscall.SIGKILL), 50*time.Millisecond)
	e.epg(defaultWithin)
}

// A frozen process is stale, although its connection and its port are open.
func TestFrozenProcessIsStale(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("5s") // so long that silence is detected before the loop is late
	checks := allChecks(t, e)
	e.awaitAll(checks, "NOT_SERVING stale", server.signal(syscall.SIGSTOP), 2*time.Second)
	e.awaitAll(checks, "SERVING none", server.signal(syscall.SIGCONT), time.Second)
}

// A server that gets SIGTERM says goodbye, hung or not.
func TestTerminatedProcessIsStopped(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg(defaultWithin)
	if code := server.terminate(); code != 0 {
		t.Errorf("exit code of epgd on SIGTERM: got %d, want 0", code)
	}
	e.await(checkUDP, "epg", "NOT_SERVING stopped")

	server, _ = e.epg(defaultWithin)
	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	if code := server.terminate(); code != 0 {
		t.Errorf("exit code of a hung epgd on SIGTERM: got %d, want 0", code)
	}
	e.await(checkUDP, "epg", "NOT_SERVING stopped")
}
