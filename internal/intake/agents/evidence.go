package agents

import (
	"time"

	"github.com/landmark-health/landmark/internal/evidence"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// evidenceGap is the minimum time between two pieces of evidence of one stream. It is a
// little less than an agent's, because reports do not arrive evenly.
const evidenceGap = evidence.MinInterval * 9 / 10

// handleEvidence keeps the stacks of a report, if it has any. More than an agent may send
// is ignored: it is no reason to end the session.
func (r *receiver) handleEvidence(m *reportv1.Evidence) {
	if m == nil {
		return
	}
	age, ok := microseconds(m.AgeUs, maxAge)
	now := time.Now()
	if !ok || !r.evidenceAt.IsZero() && now.Sub(r.evidenceAt) < evidenceGap {
		return
	}
	r.evidenceAt = now
	r.session.AddEvidence(evidence.Evidence{Source: evidence.Program, Landmarks: m.Landmarks, Summary: m.Summary, Text: m.Text}, age)
}

// processOf returns the process that opened the connection, which may be nil.
func processOf(conn *connection, pid int, goroutines bool) evidence.Process {
	p := evidence.Process{PID: pid, Goroutines: goroutines}
	if conn != nil && conn.exit != nil {
		p.Exited = conn.exit.HasExited
	}
	return p
}
