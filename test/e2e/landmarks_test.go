//go:build e2e

package e2e_test

import (
	"testing"
	"time"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
)

// queueProgram starts an agent of "epg" in the test's own process. Its queue lowers
// the weight from 100 on and fails at 200. A Level alone does not prove that a
// program works, so there is also a Condition.
func (e *env) queueProgram() (*agent.Agent, *landmark.Level, *landmark.Condition) {
	e.t.Helper()
	marks := landmark.NewSet()
	queue := marks.Level("queue", landmark.Above(100, 200))
	database := marks.Condition("database")
	queue.Set(0)
	database.Set(true, "")
	a, err := agent.Start(agent.Config{Service: "epg", Landmarks: marks, Socket: e.socket})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { a.Close() })
	return a, queue, database
}

// landmarkd receives and judges every kind of landmark, and a drain by the
// program.
func TestEveryKindOfLandmark(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	marks := landmark.NewSet()
	work := marks.Deadline("batch", 200*time.Millisecond)
	queue := marks.Level("queue", landmark.Above(10, 20), landmark.Readiness)
	database := marks.Condition("database")
	a, err := agent.Start(agent.Config{Service: "epg", Landmarks: marks, Socket: e.socket})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()

	e.await(checkUDP, "epg", "NOT_SERVING starting")
	queue.Set(1)
	database.Set(true, "")
	e.await(checkUDP, "epg", "SERVING none")

	piece := work.Begin()
	e.await(checkUDP, "epg-liveness", "NOT_SERVING stalled")
	piece.End()
	e.await(checkUDP, "epg", "SERVING none")

	queue.Set(20)
	e.await(checkUDP, "epg", "NOT_SERVING failed")
	queue.Set(1)
	e.await(checkUDP, "epg", "SERVING none")

	database.Set(false, "connection refused")
	e.await(checkUDP, "epg", "NOT_SERVING failed")
	if got, want := checkUDP(e, "epg-liveness"), "SERVING none"; got != want {
		t.Errorf("liveness without the database: got %q, want %q", got, want)
	}
	database.Set(true, "")
	e.await(checkUDP, "epg", "SERVING none")

	a.Drain()
	e.await(checkUDP, "epg", "NOT_SERVING draining")
	e.sidecar.kill()
	e.start()
	if got, want := checkUDP(e, "epg"), "NOT_SERVING draining"; got != want {
		t.Errorf("first answer for a draining program after a restart of landmarkd: got %q, want %q", got, want)
	}
	a.Resume()
	e.await(checkUDP, "epg", "SERVING none")
}
