package agents

import (
	"strings"
	"testing"

	"google.golang.org/grpc/mem"

	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// withEvidence adds evidence to a report.
func withEvidence(m *reportv1.StreamRequest, summary, text string) *reportv1.StreamRequest {
	m.GetReport().Evidence = &reportv1.Evidence{AgeUs: 1000, Landmarks: []string{"main"}, Summary: summary, Text: text}
	return m
}

// The stacks in a report are kept with the change, cut to what may be kept. More than an
// agent may send are ignored, and end no session.
func TestEvidenceOfAReport(t *testing.T) {
	s := newSidecar(t)
	failures := make(chan registry.Failure, 1)
	s.registry.OnFailure(func(f registry.Failure) { failures <- f })
	a := s.reporting("epg", "a", 0)
	hanging := func() *reportv1.StreamRequest {
		return report(0, &reportv1.Fact{Reached: true, AgeUs: longAgo, Open: true})
	}
	a.send(withEvidence(hanging(), "it hangs", strings.Repeat("x", evidence.MaxText+1)), hanging())
	s.await("epg", judge.NotServing, judge.Stalled)
	a.send(withEvidence(hanging(), "again", "y"), report(0, fact(0)))
	s.await("epg", judge.Serving, judge.None)

	all, _ := s.registry.Evidence("epg")
	if len(all) != 1 {
		t.Fatalf("%d pieces of evidence are kept", len(all))
	}
	f := <-failures
	if e := all[0]; e.Source != evidence.Program || e.Summary != "it hangs" || len(e.Text) != evidence.MaxText || e.Change == 0 || e.Instance != "a" {
		t.Errorf("%s %s, %d bytes, change %d", e.Source, e.Summary, len(e.Text), e.Change)
	}
	if f.Process.PID != all[0].PID || f.Process.PID == 0 || f.Process.Exited == nil || f.Process.Exited() {
		t.Errorf("the process is %+v", f.Process)
	}
}

// Evidence of one report does not remain in the message that is reused for the next.
func TestCodecForgetsEvidence(t *testing.T) {
	data := func(m *reportv1.StreamRequest) mem.BufferSlice {
		return mem.BufferSlice{mem.SliceBuffer(marshal(t, m))}
	}
	var with, without reportv1.StreamRequest
	if err := newCodec().Unmarshal(data(withEvidence(report(7, fact(0)), "it hangs", "x")), &with); err != nil || with.GetReport().GetEvidence().GetText() != "x" {
		t.Errorf("%v, %v", &with, err)
	}
	recycle(with.GetReport())
	if with.GetReport().Evidence != nil {
		t.Error("the evidence is kept for reuse")
	}
	if err := newCodec().Unmarshal(data(report(7, fact(0))), &without); err != nil || without.GetReport().Evidence != nil {
		t.Errorf("%v, %v", &without, err)
	}
	used := withEvidence(report(0), "x", "y").GetReport()
	if !unmarshalReport(marshal(t, report(7, fact(0))), used) || used.Evidence != nil {
		t.Error("a report does not overwrite the evidence of the one before")
	}
}
