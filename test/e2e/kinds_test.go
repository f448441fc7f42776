//go:build e2e

package e2e_test

import (
	"testing"
	"time"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
)

// Every kind of landmark is reported to a real landmarkd and judged there, and
// so is a drain by the program.
func TestEveryKindOfLandmark(t *testing.T) {
	parallel(t)
	h := newHouse(t)
	marks := landmark.NewSet()
	work := marks.Deadline("batch", 200*time.Millisecond)
	queue := marks.Level("queue", landmark.Above(10, 20), landmark.WithImpact(landmark.Readiness))
	database := marks.Condition("database")
	a, err := agent.Start(agent.Config{Service: "epg", Landmarks: marks, Socket: h.socket})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()

	h.await(checkUDP, "epg", "NOT_SERVING starting")
	queue.Set(1)
	database.Set(true, "")
	h.await(checkUDP, "epg", "SERVING none")

	piece := work.Begin()
	h.await(checkUDP, "epg-liveness", "NOT_SERVING stalled")
	piece.End()
	h.await(checkUDP, "epg", "SERVING none")

	queue.Set(20)
	h.await(checkUDP, "epg", "NOT_SERVING failed")
	queue.Set(1)
	h.await(checkUDP, "epg", "SERVING none")

	database.Set(false, "connection refused")
	h.await(checkUDP, "epg", "NOT_SERVING failed")
	if told := checkUDP(h, "epg-liveness"); told != "SERVING none" {
		t.Errorf("without its database the program's liveness is %q", told)
	}
	database.Set(true, "")
	h.await(checkUDP, "epg", "SERVING none")

	a.Drain()
	h.await(checkUDP, "epg", "NOT_SERVING draining")
	h.sidecar.kill()
	h.start()
	if told := checkUDP(h, "epg"); told != "NOT_SERVING draining" {
		t.Errorf("after a restart of landmarkd a draining program is first told to be %q", told)
	}
	a.Resume()
	h.await(checkUDP, "epg", "SERVING none")
}
