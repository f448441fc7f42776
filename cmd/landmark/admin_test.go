package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestDrainResumeForget(t *testing.T) {
	path := socketPath(t)
	d := &landmarkd{}
	d.serve(t, path)
	for _, tt := range []struct {
		args    []string
		already bool
		says    string
	}{
		{[]string{"drain", "epg"}, false, "epg is drained\n"},
		{[]string{"drain", "epg"}, true, "epg was drained already\n"},
		{[]string{"drain", "epg", "-wait", "1ms"}, false, "epg is drained; waiting 1 ms for its connections to finish\n"},
		{[]string{"drain", "-wait=1ms", "epg"}, true, "epg was drained already; waiting 1 ms for its connections to finish\n"},
		{[]string{"drain", "-until-gone", "epg"}, false, "epg is drained\n"},
		{[]string{"resume", "epg"}, false, "epg is resumed\n"},
		{[]string{"resume", "epg"}, true, "epg was not drained by an operator\n"},
		{[]string{"forget", "epg"}, false, "epg is forgotten\n"},
	} {
		d.already = tt.already
		if got, want := runTo(append(tt.args, "-admin-socket", path)...), (result{0, tt.says, ""}); got != want {
			t.Errorf("%q: %+v, want %+v", tt.args, got, want)
		}
	}
	want := []string{"drain epg until_gone=false", "drain epg until_gone=false", "drain epg until_gone=false", "drain epg until_gone=false", "drain epg until_gone=true", "resume epg", "resume epg", "forget epg"}
	if diff := cmp.Diff(want, d.calls); diff != "" {
		t.Errorf("landmarkd got other calls (-want +got):\n%s", diff)
	}
}

func TestRefusedDrainDoesNotWait(t *testing.T) {
	path := socketPath(t)
	(&landmarkd{err: status.Error(codes.PermissionDenied, "only its owner may")}).serve(t, path)
	want := result{exitRefused, "", "landmark: only its owner may\n"}
	if got := runTo("drain", "epg", "-wait", "1h", "-admin-socket", path); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestDrainWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if err := waitAfterDrain(t.Context(), "epg", 10*time.Second); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("waited %v, want 10 s", took)
		}
	})
}

func TestInterruptedWaitKeepsDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		err := waitAfterDrain(ctx, "epg", 10*time.Second)
		if exitCode(err) != exitInterrupted || !strings.Contains(err.Error(), "interrupted 7 s before the end of the wait; epg stays drained") {
			t.Errorf("%v, exit code %d", err, exitCode(err))
		}
	})
}
