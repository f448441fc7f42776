//go:build e2e

package e2e_test

import (
	"syscall"
	"testing"
	"time"
)

// With -drain-on-stop, landmarkd drains all services on SIGTERM, also those of
// programs that start meanwhile, and then exits.
func TestDrainOnStopDrainsBeforeExit(t *testing.T) {
	parallel(t)
	const drain = time.Second
	e := newEnv(t, "-drain-on-stop", drain.String())
	e.epg("1s")
	begun := e.sidecar.signal(syscall.SIGTERM)
	e.await(checkUDP, "epg", "NOT_SERVING draining")
	e.await(checkLMP("tcp", 0), "epg", "NOT_SERVING draining")
	if got, want := checkUDP(e, "epg-liveness"), "SERVING none"; got != want {
		t.Errorf("liveness of a drained program: got %q, want %q", got, want)
	}
	start(t, program("epgd"), "-listen", freeAddress(t), "-agent-socket", e.socket, "-service", "late")
	e.await(checkUDP, "late", "NOT_SERVING draining")
	select {
	case <-e.sidecar.exited:
	case <-time.After(testTimeout):
		t.Fatalf("landmarkd did not exit within %v of SIGTERM", testTimeout)
	}
	if took, code := time.Since(begun), e.sidecar.cmd.ProcessState.ExitCode(); took < drain || code != 0 {
		t.Errorf("landmarkd exited after %v with code %d, want 0 after at least %v", took, code, drain)
	}
}

// A second SIGTERM ends landmarkd before the drain is over.
func TestSecondSignalEndsDrain(t *testing.T) {
	parallel(t)
	e := newEnv(t, "-drain-on-stop", "1h")
	e.epg("1s")
	e.sidecar.signal(syscall.SIGTERM)
	e.await(checkUDP, "epg", "NOT_SERVING draining")
	e.sidecar.signal(syscall.SIGTERM)
	select {
	case <-e.sidecar.exited:
	case <-time.After(testTimeout):
		t.Fatalf("landmarkd did not exit within %v of the second SIGTERM", testTimeout)
	}
}
