package grpcstatus

import (
	"fmt"
	"testing"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/registry"
)

// BenchmarkScanAll scans the most services that there may be. A Watch of all
// services does so at most ten times a second, List once.
func BenchmarkScanAll(b *testing.B) {
	policies := make(map[string]registry.Policy)
	for i := range registry.MaxServices {
		policies[fmt.Sprintf("service-%d", i)] = registry.DefaultPolicy
	}
	r := registry.New(clock.New(), 0)
	r.Configure(policies, nil)
	s := newService(Config{Source: r, Checkers: frontendtest.NewTracker()})
	last := make(map[string]changeKey)
	b.ReportAllocs()
	for b.Loop() {
		for p := range s.statuses("") {
			if key := changeKeyOf(p); key != last[p.Name] {
				last[p.Name] = key
			}
		}
	}
}
