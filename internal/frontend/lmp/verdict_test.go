package lmp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// TestVerdictsOnTheWire: each way in which a program can be, in time.
func TestVerdictsOnTheWire(t *testing.T) {
	for _, tt := range []struct {
		name    string
		service string
		happens func(*bubble)
		status  lmp.Status
		cause   lmp.Cause
		state   lmp.State // of its landmark
	}{
		{"well", "epg", func(*bubble) {}, lmp.StatusServing, lmp.CauseNone, lmp.StateOK},
		{"starting", "epg", func(b *bubble) { b.program.report(0, registry.Fact{}) }, lmp.StatusNotServing, lmp.CauseStarting, lmp.StateUnarmed},
		{"starting is alive", "epg-liveness", func(b *bubble) { b.program.report(0, registry.Fact{}) }, lmp.StatusServing, lmp.CauseNone, lmp.StateUnarmed},
		{"asked, and in time", "epg", func(b *bubble) {
			b.program.report(0, registry.Fact{Reached: true, Open: true})
			time.Sleep(within)
		}, lmp.StatusServing, lmp.CauseNone, lmp.StateOK},
		{"stalled by time alone", "epg", func(b *bubble) {
			b.program.report(0, registry.Fact{Reached: true, Open: true})
			time.Sleep(within + time.Millisecond)
		}, lmp.StatusNotServing, lmp.CauseStalled, lmp.StateFailing},
		{"stalled is not alive", "epg-liveness", func(b *bubble) { b.program.report(0, wedged()) }, lmp.StatusNotServing, lmp.CauseStalled, lmp.StateFailing},
		{"stalled has started", "epg-startup", func(b *bubble) { b.program.report(0, wedged()) }, lmp.StatusServing, lmp.CauseNone, lmp.StateFailing},
		{"just not stale", "epg", func(*bubble) { time.Sleep(1500 * time.Millisecond) }, lmp.StatusServing, lmp.CauseNone, lmp.StateOK},
		{"stale", "epg", func(*bubble) { time.Sleep(1501 * time.Millisecond) }, lmp.StatusNotServing, lmp.CauseStale, lmp.StateFailing},
		{"lost", "epg", func(b *bubble) { b.program.session.Disconnect() }, lmp.StatusNotServing, lmp.CauseLost, lmp.StateFailing},
		{"stopped", "epg", func(b *bubble) { b.program.session.Goodbye() }, lmp.StatusNotServing, lmp.CauseStopped, lmp.StateFailing},
		{"recovered", "epg", func(b *bubble) { b.program.report(0, wedged()); b.program.report(0, fact(0)) }, lmp.StatusServing, lmp.CauseNone, lmp.StateOK},
		{"one of two is lost", "", func(b *bubble) {
			report(b.t, b.registry, "vod", loops("main"), fact(0))
			b.program.session.Disconnect()
		}, lmp.StatusNotServing, lmp.CauseLost, 0},
		{"nobody knows it", "vod", func(*bubble) {}, lmp.StatusUnknownService, lmp.CauseUnknownService, 0},
		{"no name that could be", "\x00\xFF", func(*bubble) {}, lmp.StatusUnknownService, lmp.CauseUnknownService, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				tt.happens(b)
				conn, done := b.connect()
				q := describe(t, tt.service)
				write(t, conn, q)
				a := parse(t, next(t, conn), q)
				told(t, a, tt.status, tt.cause)
				if serving := tt.status == lmp.StatusServing; (a.Weight > 0) != serving || (a.Reason == "") != serving {
					t.Errorf("weight %d, reason %q", a.Weight, a.Reason)
				}
				if named := tt.service != "" && tt.status != lmp.StatusUnknownService; (len(a.Landmarks) == 1) != named || named && a.Landmarks[0].State != tt.state {
					t.Errorf("the landmarks are %v, want one that is %v", a.Landmarks, tt.state)
				}
				q = check(t, tt.service)
				write(t, conn, q)
				frame := next(t, conn)
				told(t, parse(t, frame, q), tt.status, tt.cause)
				if begins := [5]byte(frame) == [5]byte{0x4C, 0x4D, 0x01, 0x81, 0x01}; begins != (tt.status == lmp.StatusServing) || len(frame) != 32 {
					t.Errorf("% X", frame)
				}
				conn.Close()
				<-done
			})
		})
	}
}

// Over all services while there is none, nothing serves.
func TestNoServiceOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{Server: &Server{config: Config{Source: registry.New(runningClock(t), 0), Checkers: newMemory()}}, t: t, ctx: t.Context()}
		conn, done := b.connect()
		for _, service := range []string{"", "liveness", "startup", "readiness"} {
			q := check(t, service)
			write(t, conn, q)
			told(t, parse(t, next(t, conn), q), lmp.StatusNotServing, lmp.CauseUnreported)
		}
		conn.Close()
		<-done
	})
}
