package admin

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/peercred"
	"github.com/landmark-health/landmark/internal/registry"
	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
)

// Evidence sends the evidence of a service to those who may drain it.
func (s *Server) Evidence(q *adminv1.EvidenceRequest, stream grpc.ServerStreamingServer[adminv1.EvidenceResponse]) error {
	operator, known := peercred.FromContext(stream.Context())
	if !known {
		return errNoCredentials()
	}
	if err := s.registry.MayOrder(q.GetService(), operator.UID); err != nil {
		return statusOf(err)
	}
	changes := make(map[uint64]registry.Change)
	history, _ := s.registry.History(q.GetService())
	for _, c := range history {
		changes[c.Number] = c
	}
	now := time.Now()
	all, _ := s.registry.Evidence(q.GetService())
	for _, e := range all {
		m := translateEvidence(e, now)
		if c, kept := changes[e.Change]; kept {
			m.Change = translateChange(c, now)
		}
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	return nil
}

func errNoCredentials() error {
	return status.Error(codes.Unauthenticated, "the kernel does not report the peer's credentials")
}

func translateEvidence(e registry.Evidence, now time.Time) *adminv1.EvidenceResponse {
	source := adminv1.EvidenceSource_EVIDENCE_SOURCE_KERNEL
	if e.Source == evidence.Program {
		source = adminv1.EvidenceSource_EVIDENCE_SOURCE_PROGRAM
	}
	return &adminv1.EvidenceResponse{
		Time:      timestamppb.New(now.Add(-e.Age)),
		Age:       durationpb.New(e.Age),
		Source:    source,
		Instance:  e.Instance,
		Pid:       uint32(e.PID),
		Landmarks: e.Landmarks,
		Summary:   e.Summary,
		Text:      e.Text,
	}
}

func translateChange(c registry.Change, now time.Time) *adminv1.EvidenceChange {
	v := c.Verdicts[judge.Readiness]
	m := &adminv1.EvidenceChange{
		Time:   timestamppb.New(now.Add(-c.Age)),
		Age:    durationpb.New(c.Age),
		Status: v.Status.String(),
		Reason: v.Reason,
	}
	if v.Cause != judge.None {
		m.Cause = v.Cause.String()
	}
	return m
}
