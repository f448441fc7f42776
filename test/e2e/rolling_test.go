//go:build e2e

package e2e_test

import (
	"fmt"
	"testing"
	"time"
)

// startEPG starts an EPG server as the instance, and waits until a client gets
// programmes from it, as an operator of a rolling restart does.
func startEPG(e *env, instance string) *process {
	e.t.Helper()
	address := freeAddress(e.t)
	p := start(e.t, program("epgd"), "-listen", address, "-agent-socket", e.socket, "-instance", instance, "-within", "2s")
	p.awaitLine("serving programmes")
	p.awaitLine("reporting to landmarkd")
	if code, _, stderr := runProgram(e.t, program("epgd"), "-ask", address); code != 0 {
		e.t.Fatalf("client of %s: got exit code %d, want 0: %s", instance, code, stderr)
	}
	return p
}

// stopEPG stops an EPG server gracefully.
func stopEPG(t *testing.T, p *process) {
	t.Helper()
	if code := p.terminate(); code != 0 {
		t.Errorf("exit code of epgd: got %d, want 0", code)
	}
}

// While the processes of a service are replaced one after the other, every answer
// is SERVING with the whole weight.
func TestRollingRestartKeepsServing(t *testing.T) {
	parallel(t)
	const processes = 3
	for _, way := range []struct {
		name    string
		replace func(e *env, old *process, i int) (successor *process)
	}{
		{"new before old ends", func(e *env, old *process, i int) *process {
			successor := startEPG(e, fmt.Sprint("new-", i))
			stopEPG(e.t, old)
			return successor
		}},
		{"new after old ends", func(e *env, old *process, i int) *process {
			stopEPG(e.t, old)
			return startEPG(e, fmt.Sprint("new-", i))
		}},
		{"new after old ends, of the same name", func(e *env, old *process, i int) *process {
			stopEPG(e.t, old)
			return startEPG(e, fmt.Sprint("old-", i))
		}},
		{"new before old ends, of the same name", func(e *env, old *process, i int) *process {
			successor := startEPG(e, fmt.Sprint("old-", i))
			old.awaitLine("another process replaced this instance")
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
			seen := observe(e, "epg")
			for i, old := range running {
				running[i] = way.replace(e, old, i)
				time.Sleep(200 * time.Millisecond) // as a careful operator does
			}
			seen.end("SERVING 100", "SERVING")

			// The service consists of the new processes: it stops when they do.
			for _, p := range running {
				stopEPG(t, p)
			}
			e.await(checkWeight, "epg", "NOT_SERVING stopped")
		})
	}
}
