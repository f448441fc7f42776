package grpchealth

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// remembered returns what is remembered of who asked for the services, and for
// names that nobody knows.
func (f *fixture) remembered(services ...string) (all []string) {
	synctest.Wait()
	for _, service := range services {
		for _, a := range f.checkers.ByService(service) {
			all = append(all, fmt.Sprintf("%s: %s %s %d, watches %d", service, a.Address(), a.Via, a.Total, a.Watching))
		}
	}
	for _, a := range f.checkers.Unknown() {
		all = append(all, fmt.Sprintf("unknown %s: %s %s %d", a.Name, a.Address(), a.Via, a.Total))
	}
	return all
}

func (f *fixture) wantRemembered(services []string, want ...string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.remembered(services...)); diff != "" {
		f.t.Errorf("-want +got:\n%s", diff)
	}
}

func TestCheckersAreRemembered(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		newProgram(t, f.registry, "epg").work()
		for _, name := range []string{"epg", "epg-liveness", "", "readiness", "epgg"} {
			f.check(name)
		}
		f.wantRemembered([]string{"epg", ""},
			"epg: unix grpc-check 2, watches 0", ": unix grpc-check 2, watches 0", "unknown epgg: unix grpc-check 1")
	})
}

func TestWatchersAreRemembered(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, name := range []string{"", "epg"} {
			if _, err := f.client.Watch(ctx, &healthpb.HealthCheckRequest{Service: name}); err != nil {
				t.Fatal(err)
			}
		}
		f.wantRemembered([]string{"epg", ""},
			": unix grpc-watch 1, watches 1", "unknown epg: unix grpc-watch 1")
		p := newProgram(t, f.registry, "epg")
		p.work()
		time.Sleep(time.Second)
		p.stall()
		time.Sleep(time.Hour)
		f.wantRemembered([]string{"epg", ""},
			"epg: unix grpc-watch 1, watches 1", ": unix grpc-watch 1, watches 1", "unknown epg: unix grpc-watch 1")
		cancel()
		f.wantRemembered([]string{"epg", ""},
			"epg: unix grpc-watch 1, watches 0", ": unix grpc-watch 1, watches 0", "unknown epg: unix grpc-watch 1")
	})
}
