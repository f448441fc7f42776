package grpcstatus

import (
	"context"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/judge"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// Checkers tells who asks about no one service. What was asked for before
// somebody reported it is unknown no more.
func (s *service) Checkers(context.Context, *statusv1.CheckersRequest) (*statusv1.CheckersResponse, error) {
	told := &statusv1.CheckersResponse{All: tellCheckers(s.checkers.ByService(""))}
	for _, u := range s.checkers.Unknown() {
		if a, _ := s.source.Lookup([]byte(u.Name), 0); a.Status != judge.ServiceUnknown {
			continue
		}
		told.Unknown = append(told.Unknown, &statusv1.UnknownName{
			Name:    strings.ToValidUTF8(u.Name, "\uFFFD"), // it is as the checker sent it
			Checker: tellChecker(u.Stats),
		})
	}
	return told, nil
}

func tellCheckers(all []checkers.Stats) []*statusv1.Checker {
	told := make([]*statusv1.Checker, len(all))
	for i, a := range all {
		told[i] = tellChecker(a)
	}
	return told
}

func tellChecker(a checkers.Stats) *statusv1.Checker {
	return &statusv1.Checker{
		Address:        a.Address(),
		FrontEnd:       string(a.Via),
		Asked:          durationpb.New(a.SinceLast),
		PerSecond:      a.Rate,
		UsualPerSecond: a.UsualRate,
		Total:          a.Total,
		Watching:       a.Watching,
		Silent:         a.Silent,
	}
}
