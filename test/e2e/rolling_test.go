//go:build e2e

package e2e_test

import (
	"fmt"
	"testing"
	"time"
)

// startEPG starts an EPG server as the instance, and waits until customers get
// programmes from it, as who restarts servers does.
func startEPG(e *env, instance string) *process {
	e.t.Helper()
	address := freeAddress(e.t)
	p := start(e.t, program("epgd"), "-listen", address, "-agent-socket", e.socket, "-instance", instance, "-within", "2s")
	p.awaitLine("serving programmes")
	p.awaitLine("reporting to the sidecar")
	if code, _, stderr := runProgram(e.t, program("epgd"), "-ask", address); code != 0 {
		e.t.Fatalf("%s serves nobody: %s", instance, stderr)
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
func TestRollingRestartKeepsServing(t *testing.T) {
	parallel(t)
	const processes = 3
	for _, way := range []struct {
		name    string
		replace func(e *env, old *process, i int) (successor *process)
	}{
		{"the new one comes first", func(e *env, old *process, i int) *process {
			successor := startEPG(e, fmt.Sprint("new-", i))
			stopEPG(e.t, old)
			return successor
		}},
		{"the old one goes first", func(e *env, old *process, i int) *process {
			stopEPG(e.t, old)
			return startEPG(e, fmt.Sprint("new-", i))
		}},
		{"the old one goes first and leaves its name", func(e *env, old *process, i int) *process {
			stopEPG(e.t, old)
			return startEPG(e, fmt.Sprint("old-", i))
		}},
		{"the new one takes the old one's name", func(e *env, old *process, i int) *process {
			successor := startEPG(e, fmt.Sprint("old-", i))
			old.awaitLine("another process took this instance's place")
			stopEPG(e.t, old)
			return successor
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			e := newEnv(t)
			var running []*process
			for i := range processes {
				running = append(running, startEPG(e, fmt.Sprint("old-", i)))
			}
			e.await(checkWeight, "epg", "SERVING 100")
			asking := observe(e, "epg")
			for i, old := range running {
				running[i] = way.replace(e, old, i)
				time.Sleep(200 * time.Millisecond) // as a careful person waits
			}
			asking.end("SERVING 100", "SERVING")

			// The new ones are what is told of: once all have gone, so has the service.
			for _, p := range running {
				stopEPG(t, p)
			}
			e.await(checkWeight, "epg", "NOT_SERVING stopped")
		})
	}
}
