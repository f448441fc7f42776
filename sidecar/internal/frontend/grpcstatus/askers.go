package grpcstatus

import (
	"context"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
	"github.com/landmark-health/landmark/sidecar/internal/askers"
	"github.com/landmark-health/landmark/sidecar/internal/judge"
)

// Askers tells who asks about no one service. What was asked for before
// somebody reported it is unknown no more.
func (s *service) Askers(context.Context, *statusv1.AskersRequest) (*statusv1.AskersResponse, error) {
	told := &statusv1.AskersResponse{All: tellAskers(s.askers.Of(""))}
	for _, u := range s.askers.Unknown() {
		if a, _ := s.source.Look([]byte(u.Name), 0); a.Status != judge.ServiceUnknown {
			continue
		}
		told.Unknown = append(told.Unknown, &statusv1.UnknownName{
			Name:  strings.ToValidUTF8(u.Name, "\uFFFD"), // it is as the asker sent it
			Asker: tellAsker(u.Told),
		})
	}
	return told, nil
}

func tellAskers(all []askers.Told) []*statusv1.Asker {
	told := make([]*statusv1.Asker, len(all))
	for i, a := range all {
		told[i] = tellAsker(a)
	}
	return told
}

func tellAsker(a askers.Told) *statusv1.Asker {
	return &statusv1.Asker{
		Address:        a.Address(),
		FrontEnd:       string(a.By),
		Asked:          durationpb.New(a.Ago),
		PerSecond:      a.PerSecond,
		UsualPerSecond: a.Usual,
		Total:          a.Total,
		Watching:       a.Watching,
		Silent:         a.Silent,
	}
}
