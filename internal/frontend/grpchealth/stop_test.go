package grpchealth

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestStopEndsWatchesAndChangesNoVerdict(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		newProgram(t, f.registry, "epg").work()
		newProgram(t, f.registry, "vod").stall()
		up, upEnded := f.watch("epg")
		down, downEnded := f.watch("vod")
		held, heldEnded := f.watch("nobody")
		wantTold(t, "epg", up, serving)
		wantTold(t, "vod", down, notServing)
		f.stop()
		if took := f.awaitStop(); took != 0 {
			t.Errorf("stopping took %v, want no time", took)
		}
		wantTold(t, "epg, after the stop", up)
		wantTold(t, "vod, after the stop", down)
		wantTold(t, "nobody, held till the stop", held)
		for _, ended := range []<-chan error{upEnded, downEnded, heldEnded} {
			if err := <-ended; status.Code(err) != codes.Unavailable {
				t.Errorf("Watch ended with %v, want Unavailable", err)
			}
		}
	})
}

func TestStopLetsChecksFinish(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		time.AfterFunc(300*time.Millisecond, newProgram(t, f.registry, "epg").work)
		time.AfterFunc(100*time.Millisecond, f.stop)
		if got, err := f.check("epg"); err != nil || got != serving {
			t.Errorf("%v, %v, want %v", got, err, serving)
		}
		if took := f.awaitStop(); took != 0 {
			t.Errorf("stopping took %v beyond the answer, want no time", took)
		}
	})
}
