//go:build e2e

package e2e_test

import (
	"syscall"
	"testing"
	"time"
)

// TestDrainOnStop stops a landmarkd that is to drain first: everybody is told
// so, what comes in the meantime is drained too, and then it ends.
func TestDrainOnStop(t *testing.T) {
	parallel(t)
	const drain = time.Second
	h := newHouse(t, "-drain-on-stop", drain.String())
	h.epg("1s")
	asked := h.sidecar.signal(syscall.SIGTERM)
	h.await(checkUDP, "epg", "NOT_SERVING draining")
	h.await(lmpChecker("tcp", 0), "epg", "NOT_SERVING draining")
	if told := checkUDP(h, "epg-liveness"); told != "SERVING none" {
		t.Errorf("the liveness of a drained program is %q", told)
	}
	start(t, program("epgd"), "-listen", freeAddress(t), "-agent-socket", h.socket, "-service", "late")
	h.await(checkUDP, "late", "NOT_SERVING draining")
	select {
	case <-h.sidecar.exited:
	case <-time.After(patience):
		t.Fatal("landmarkd does not end")
	}
	if lasted := time.Since(asked); lasted < drain || h.sidecar.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("it ended after %v with exit code %d", lasted, h.sidecar.cmd.ProcessState.ExitCode())
	}
}

// TestSecondSignalEndsADrain is for who cannot wait.
func TestSecondSignalEndsADrain(t *testing.T) {
	h := newHouse(t, "-drain-on-stop", "1h")
	h.epg("1s")
	h.sidecar.signal(syscall.SIGTERM)
	h.await(checkUDP, "epg", "NOT_SERVING draining")
	h.sidecar.signal(syscall.SIGTERM)
	select {
	case <-h.sidecar.exited:
	case <-time.After(patience):
		t.Fatal("landmarkd goes on draining")
	}
}
