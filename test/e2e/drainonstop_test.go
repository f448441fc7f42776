//go:build e2e

package e2e_test

import (
	"syscall"
	"testing"
	"time"
)

// TestDrainOnStopDrainsBeforeExit stops a landmarkd that is to drain first: everybody is told
// so, what comes in the meantime is drained too, and then it ends.
func TestDrainOnStopDrainsBeforeExit(t *testing.T) {
	parallel(t)
	const drain = time.Second
	e := newEnv(t, "-drain-on-stop", drain.String())
	e.epg("1s")
	asked := e.sidecar.signal(syscall.SIGTERM)
	e.await(checkUDP, "epg", "NOT_SERVING draining")
	e.await(checkLMP("tcp", 0), "epg", "NOT_SERVING draining")
	if told := checkUDP(e, "epg-liveness"); told != "SERVING none" {
		t.Errorf("the liveness of a drained program is %q", told)
	}
	start(t, program("epgd"), "-listen", freeAddress(t), "-agent-socket", e.socket, "-service", "late")
	e.await(checkUDP, "late", "NOT_SERVING draining")
	select {
	case <-e.sidecar.exited:
	case <-time.After(testTimeout):
		t.Fatal("landmarkd does not end")
	}
	if lasted := time.Since(asked); lasted < drain || e.sidecar.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("it ended after %v with exit code %d", lasted, e.sidecar.cmd.ProcessState.ExitCode())
	}
}

// TestSecondSignalEndsDrain is for who cannot wait.
func TestSecondSignalEndsDrain(t *testing.T) {
	e := newEnv(t, "-drain-on-stop", "1h")
	e.epg("1s")
	e.sidecar.signal(syscall.SIGTERM)
	e.await(checkUDP, "epg", "NOT_SERVING draining")
	e.sidecar.signal(syscall.SIGTERM)
	select {
	case <-e.sidecar.exited:
	case <-time.After(testTimeout):
		t.Fatal("landmarkd goes on draining")
	}
}
