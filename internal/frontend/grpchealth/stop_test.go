package grpchealth

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
)

func TestStopEndsWatchesWithoutStatusChange(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		f.newProcess("epg").Work()
		f.newProcess("vod").Stall()
		epg, epgEnded := f.watch("epg")
		vod, vodEnded := f.watch("vod")
		waiting, waitingEnded := f.watch("absent")
		frontendtest.WantMessages(t, "epg", epg, serving)
		frontendtest.WantMessages(t, "vod", vod, notServing)
		f.Stop()
		if took := f.AwaitStop(); took != 0 {
			t.Errorf("stopping took %v, want no time", took)
		}
		frontendtest.WantMessages(t, "epg, after the stop", epg)
		frontendtest.WantMessages(t, "vod, after the stop", vod)
		frontendtest.WantMessages(t, "absent, waiting until the stop", waiting)
		for _, ended := range []<-chan error{epgEnded, vodEnded, waitingEnded} {
			if err := <-ended; status.Code(err) != codes.Unavailable {
				t.Errorf("Watch ended with %v, want Unavailable", err)
			}
		}
	})
}

func TestStopWaitsForChecks(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		time.AfterFunc(300*time.Millisecond, f.newProcess("epg").Work)
		time.AfterFunc(100*time.Millisecond, f.Stop)
		if got, err := f.check("epg"); err != nil || got != serving {
			t.Errorf("%v, %v, want %v", got, err, serving)
		}
		if took := f.AwaitStop(); took != 0 {
			t.Errorf("stopping took %v after the answer, want no time", took)
		}
	})
}
