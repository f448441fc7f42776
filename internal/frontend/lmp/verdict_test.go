package lmp

import (
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

func TestVerdictsAreAnswered(t *testing.T) {
	for _, tt := range []struct {
		name    string
		service string
		happens func(*fixture)
		status  lmp.Status
		cause   lmp.Cause
		state   lmp.State // of its landmark
	}{
		{"healthy", "epg", func(*fixture) {}, lmp.StatusServing, lmp.CauseNone, lmp.StateOK},
		{"starting", "epg", func(f *fixture) { f.process.Report(registry.Fact{}) }, lmp.StatusNotServing, lmp.CauseStarting, lmp.StateUnarmed},
		{"starting is alive", "epg-liveness", func(f *fixture) { f.process.Report(registry.Fact{}) }, lmp.StatusServing, lmp.CauseNone, lmp.StateUnarmed},
		{"command open, in time", "epg", func(f *fixture) {
			f.process.Report(registry.Fact{Reached: true, Open: true})
			time.Sleep(within)
		}, lmp.StatusServing, lmp.CauseNone, lmp.StateOK},
		{"stalled by time alone", "epg", func(f *fixture) {
			f.process.Report(registry.Fact{Reached: true, Open: true})
			time.Sleep(within + time.Millisecond)
		}, lmp.StatusNotServing, lmp.CauseStalled, lmp.StateFailing},
		{"stalled is not alive", "epg-liveness", func(f *fixture) { f.process.Report(hung()) }, lmp.StatusNotServing, lmp.CauseStalled, lmp.StateFailing},
		{"stalled has started", "epg-startup", func(f *fixture) { f.process.Report(hung()) }, lmp.StatusServing, lmp.CauseNone, lmp.StateFailing},
		{"just not stale", "epg", func(*fixture) { time.Sleep(1500 * time.Millisecond) }, lmp.StatusServing, lmp.CauseNone, lmp.StateOK},
		{"stale", "epg", func(*fixture) { time.Sleep(1501 * time.Millisecond) }, lmp.StatusNotServing, lmp.CauseStale, lmp.StateFailing},
		{"lost", "epg", func(f *fixture) { f.process.Session.Disconnect() }, lmp.StatusNotServing, lmp.CauseLost, lmp.StateFailing},
		{"stopped", "epg", func(f *fixture) { f.process.Session.Goodbye() }, lmp.StatusNotServing, lmp.CauseStopped, lmp.StateFailing},
		{"recovered", "epg", func(f *fixture) { f.process.Report(hung()); f.process.Report(fact(0)) }, lmp.StatusServing, lmp.CauseNone, lmp.StateOK},
		{"one of two is lost", "", func(f *fixture) {
			newProcess(f.t, f.registry, "vod", loops("main"), fact(0))
			f.process.Session.Disconnect()
		}, lmp.StatusNotServing, lmp.CauseLost, 0},
		{"unknown service", "vod", func(*fixture) {}, lmp.StatusUnknownService, lmp.CauseUnknownService, 0},
		{"invalid name", "\x00\xFF", func(*fixture) {}, lmp.StatusUnknownService, lmp.CauseUnknownService, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fixture) {
				tt.happens(f)
				conn, done := f.connect()
				q := describe(t, tt.service)
				write(t, conn, q)
				a := parseAnswer(t, readFrame(t, conn), q)
				wantAnswer(t, a, tt.status, tt.cause)
				if serving := tt.status == lmp.StatusServing; (a.Weight > 0) != serving || (a.Reason == "") != serving {
					t.Errorf("weight %d, reason %q", a.Weight, a.Reason)
				}
				if named := tt.service != "" && tt.status != lmp.StatusUnknownService; (len(a.Landmarks) == 1) != named || named && a.Landmarks[0].State != tt.state {
					t.Errorf("the landmarks are %v, want one with state %v", a.Landmarks, tt.state)
				}
				q = check(t, tt.service)
				write(t, conn, q)
				frame := readFrame(t, conn)
				wantAnswer(t, parseAnswer(t, frame, q), tt.status, tt.cause)
				if begins := [5]byte(frame) == [5]byte{0x4C, 0x4D, 0x01, 0x81, 0x01}; begins != (tt.status == lmp.StatusServing) || len(frame) != 32 {
					t.Errorf("% X", frame)
				}
				conn.Close()
				<-done
			})
		})
	}
}

func TestAllWithoutServicesIsNotServing(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.config.Source = frontendtest.NewRegistry(t, 0)
		conn, done := f.connect()
		for _, service := range []string{"", "liveness", "startup", "readiness"} {
			q := check(t, service)
			write(t, conn, q)
			wantAnswer(t, parseAnswer(t, readFrame(t, conn), q), lmp.StatusNotServing, lmp.CauseUnreported)
		}
		conn.Close()
		<-done
	})
}
