package recorder

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// BenchmarkReport is what a report of a healthy process with 20 landmarks costs, with and
// without a journal.
func BenchmarkReport(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprint("journal=", with), func(b *testing.B) {
			c := clock.New()
			ctx, cancel := context.WithCancel(b.Context())
			var running sync.WaitGroup
			running.Go(func() { _ = c.Run(ctx, func() bool { return true }) })
			r := registry.New(c, 0)
			if with {
				r.SetRecorder(New(Config{Journal: new(memory), Logger: slog.New(slog.DiscardHandler), Now: c.Judged}))
			}
			s, err := r.Open(registry.AgentID{Service: "epg", Instance: "a"}, link{})
			if err != nil {
				b.Fatal(err)
			}
			declared := make([]judge.Declared, 20)
			for i := range declared {
				declared[i] = judge.Declared{Name: fmt.Sprint("loop ", i), Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: time.Second}
			}
			if err := s.Declare(declared); err != nil {
				b.Fatal(err)
			}
			facts := make([]registry.Fact, len(declared))
			n := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				n++
				for i := range facts {
					facts[i] = registry.Fact{Reached: true, Count: n}
				}
				if err := s.Report(facts, 0); err != nil {
					b.Fatal(err)
				}
			}
			s.Goodbye()
			cancel()
			running.Wait()
		})
	}
}
