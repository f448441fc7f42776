package grpcstatus

import (
	"fmt"
	"testing"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/registry"
)

// BenchmarkLookAtAll measures what a Watch of all services does ten times a
// second at most, and List once, where there are as many as there may be.
func BenchmarkLookAtAll(b *testing.B) {
	policies := make(map[string]registry.Policy)
	for i := range registry.MaxServices {
		policies[fmt.Sprintf("service-%d", i)] = registry.DefaultPolicy
	}
	r := registry.New(clock.New(), 0)
	r.Configure(policies, nil)
	s := newService(r, newMemory())
	last := make(map[string]essence)
	b.ReportAllocs()
	for b.Loop() {
		for p := range s.presents("") {
			if e := essenceOf(p); e != last[p.Name] {
				last[p.Name] = e
			}
		}
	}
}
