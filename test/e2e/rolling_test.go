//go:build e2e

package e2e_test

import (
	"fmt"
	"testing"
	"time"
)

// startEPG starts an EPG server as the instance, and waits until customers get
// programmes from it, as who restarts servers does.
func startEPG(h *house, instance string) *process {
	h.t.Helper()
	address := freeAddress(h.t)
	p := start(h.t, program("epgd"), "-listen", address, "-agent-socket", h.socket, "-instance", instance, "-within", "2s")
	p.awaitLine("serving programmes")
	p.awaitLine("reporting to the sidecar")
	if code, _, stderr := runProgram(h.t, program("epgd"), "-ask", address); code != 0 {
		h.t.Fatalf("%s serves nobody: %s", instance, stderr)
	}
	return p
}

// stopEPG stops an EPG server, which says goodbye.
func stopEPG(t *testing.T, p *process) {
	t.Helper()
	if code := p.terminate(); code != 0 {
		t.Errorf("epgd ended with exit code %d", code)
	}
}

// While the processes of a service are replaced one after the other, nobody is
// ever told anything but that it serves with its whole weight.
func TestRollingRestart(t *testing.T) {
	parallel(t)
	const processes = 3
	for _, way := range []struct {
		name    string
		replace func(h *house, old *process, i int) (successor *process)
	}{
		{"the new one comes first", func(h *house, old *process, i int) *process {
			successor := startEPG(h, fmt.Sprint("new-", i))
			stopEPG(h.t, old)
			return successor
		}},
		{"the old one goes first", func(h *house, old *process, i int) *process {
			stopEPG(h.t, old)
			return startEPG(h, fmt.Sprint("new-", i))
		}},
		{"the old one goes first and leaves its name", func(h *house, old *process, i int) *process {
			stopEPG(h.t, old)
			return startEPG(h, fmt.Sprint("old-", i))
		}},
		{"the new one takes the old one's name", func(h *house, old *process, i int) *process {
			successor := startEPG(h, fmt.Sprint("old-", i))
			old.awaitLine("another process took this instance's place")
			stopEPG(h.t, old)
			return successor
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			h := newHouse(t)
			var running []*process
			for i := range processes {
				running = append(running, startEPG(h, fmt.Sprint("old-", i)))
			}
			h.await(weighed, "epg", "SERVING 100")
			asking := observe(h, "epg")
			for i, old := range running {
				running[i] = way.replace(h, old, i)
				time.Sleep(200 * time.Millisecond) // as a careful person waits
			}
			asking.end("SERVING 100", "SERVING")

			// The new ones are what is told of: once all have gone, so has the service.
			for _, p := range running {
				stopEPG(t, p)
			}
			h.await(weighed, "epg", "NOT_SERVING stopped")
		})
	}
}
